import { expect, test } from "vitest";
import { fine, type Check } from "../../src/doctor/check.ts";
import type { DoctorContext } from "../../src/doctor/context.ts";
import { runChecks } from "../../src/doctor/run-checks.ts";
import { createFakeClock, settle } from "../support/fake-clock.ts";

async function unasked(): Promise<never> {
  throw new Error("not asked here");
}

const context: DoctorContext = {
  version: "1.2.3",
  nodeVersion: "24.0.0",
  config: { ok: false, failure: [] },
  storeProblems: [],
  projects: unasked,
  scan: unasked,
  state: unasked,
  codex: {
    find: unasked,
    homeProblem: unasked,
    connect: unasked,
    picked: () => ({ backend: null, why: "" }),
    prove: unasked,
    selfCheck: unasked,
  },
  tunnel: unasked,
  service: unasked,
  mayAnybodyCall: unasked,
  bridge: unasked,
  probe: { send: unasked },
  credential: null,
  toolsFingerprint: unasked,
};

function check(name: string, run: Check["run"]): Check {
  return { name, title: name, run };
}

test("all checks run at once, and are told in their order", async () => {
  const clock = createFakeClock();
  const first = Promise.withResolvers<void>();
  const started: string[] = [];
  const told: string[] = [];
  const running = runChecks(
    [
      check("slow", async () => {
        started.push("slow");
        await first.promise;
        return fine("at last");
      }),
      check("quick", async () => {
        started.push("quick");
        return fine("at once");
      }),
    ],
    context,
    { clock, deadlineMs: 1_000, onReport: ({ name }) => told.push(name) },
  );
  await settle();
  expect([started, told]).toEqual([["slow", "quick"], []]);
  first.resolve();
  const reports = await running;
  expect(told).toEqual(["slow", "quick"]);
  expect(reports.map(({ reason }) => reason)).toEqual(["at last", "at once"]);
  expect(clock.pending()).toBe(0);
});

test("a check that throws is a finding, and so is one that never ends", async () => {
  const clock = createFakeClock();
  let wasToldToStop = false;
  const running = runChecks(
    [
      check("throws", async () => {
        throw new Error("out of order");
      }),
      check("hangs", async (_context, signal) => {
        signal.addEventListener("abort", () => {
          wasToldToStop = true;
        });
        return new Promise(() => {});
      }),
      check("fine", async () => fine("good")),
    ],
    context,
    { clock, deadlineMs: 15_000 },
  );
  await clock.advance(14_999);
  expect(wasToldToStop).toBe(false);
  await clock.advance(1);
  const [throws, hangs, well] = await running;
  expect(throws).toMatchObject({ status: "failed", reason: expect.stringContaining("out of order") });
  expect(hangs).toMatchObject({
    status: "warning",
    reason: expect.stringContaining("15 s"),
    elapsedMs: 15_000,
  });
  expect(well).toMatchObject({ status: "ok", reason: "good", next: null });
  expect(wasToldToStop).toBe(true);
});
