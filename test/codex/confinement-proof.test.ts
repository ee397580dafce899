import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BackendFacts } from "../../src/codex/backend.ts";
import type { CanaryVerdict } from "../../src/codex/canary.ts";
import { createConfinementProof } from "../../src/codex/confinement-proof.ts";
import { createLog } from "../../src/lib/log.ts";
import { createFakeClock } from "../support/fake-clock.ts";

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "proof-"));
});
afterEach(async () => {
  await rm(scratch, { recursive: true, force: true });
});

const facts: BackendFacts = { kind: "app-server", codexVersion: "0.169.0", loggedIn: true };
const proven: CanaryVerdict = { state: "proven" };
const hole: CanaryVerdict = { state: "unproven", reason: "a secret could be read" };

function room(run: () => Promise<CanaryVerdict> = async () => proven) {
  let runs = 0;
  const said: string[] = [];
  const clock = createFakeClock();
  const proof = createConfinementProof({
    run: async () => {
      runs += 1;
      return run();
    },
    cacheFile: join(scratch, "state", "confinement.json"),
    codexHome: join(scratch, "codex"),
    clock,
    log: createLog("debug", { write: (text) => said.push(text) }),
  });
  return { proof, clock, runs: () => runs, said };
}

test("before anything was tried, nothing is proven", () => {
  const { proof } = room();
  expect(proof.verdict()).toMatchObject({ state: "unproven" });
  expect(proof.isJudged()).toBe(false);
});

test("many who ask at once share one trial, and later ones its verdict", async () => {
  const { proof, runs } = room();
  const all = await Promise.all(Array.from({ length: 10 }, async () => proof.ensure(facts)));
  expect(new Set(all.map(({ state }) => state))).toEqual(new Set(["proven"]));
  await proof.ensure(facts);
  expect(runs()).toBe(1);
  expect(proof.verdict()).toEqual(proven);
  expect(proof.isJudged()).toBe(true);
});

describe("a proof that is kept", () => {
  test("serves the next start, in a file for the owner alone", async () => {
    await room().proof.ensure(facts);
    const { mode } = await stat(join(scratch, "state", "confinement.json"));
    expect(mode & 0o077).toBe(0);
    const { proof, runs } = room();
    expect(await proof.ensure(facts)).toEqual(proven);
    expect(runs()).toBe(0);
  });

  test.each<{ name: string; change: () => Promise<BackendFacts> }>([
    { name: "another version", change: async () => ({ ...facts, codexVersion: "0.170.0" }) },
    { name: "another driver", change: async () => ({ ...facts, kind: "mcp-server" }) },
    {
      name: "another configuration of Codex",
      async change() {
        await mkdir(join(scratch, "codex"), { recursive: true });
        await writeFile(join(scratch, "codex", "config.toml"), 'sandbox_mode = "danger-full-access"\n');
        return facts;
      },
    },
    {
      name: "a file that was damaged",
      async change() {
        await writeFile(join(scratch, "state", "confinement.json"), "{");
        return facts;
      },
    },
    {
      name: "a file that says something else",
      async change() {
        await writeFile(
          join(scratch, "state", "confinement.json"),
          '{"version":1,"key":true,"state":"proven"}',
        );
        return facts;
      },
    },
  ])("does not serve $name", async ({ change }) => {
    await room().proof.ensure(facts);
    const now = await change();
    const { proof, runs } = room(async () => hole);
    expect(await proof.ensure(now)).toEqual(hole);
    expect(runs()).toBe(1);
  });
});

describe("what could not be proven", () => {
  test("is not kept", async () => {
    await room(async () => hole).proof.ensure(facts);
    await expect(readFile(join(scratch, "state", "confinement.json"))).rejects.toThrow("ENOENT");
  });

  test("is tried again after a minute, not with every call", async () => {
    let verdict: CanaryVerdict = hole;
    const { proof, clock, runs } = room(async () => verdict);
    expect(await proof.ensure(facts)).toEqual(hole);
    verdict = proven;
    await clock.advance(59_999);
    expect(await proof.ensure(facts)).toEqual(hole);
    expect(runs()).toBe(1);
    await clock.advance(1);
    expect(await proof.ensure(facts)).toEqual(proven);
    expect(runs()).toBe(2);
  });

  test("is tried at once for another Codex", async () => {
    const { proof, runs } = room(async () => hole);
    await proof.ensure(facts);
    await proof.ensure({ ...facts, codexVersion: "0.170.0" });
    expect(runs()).toBe(2);
  });

  test("includes a trial that breaks", async () => {
    const { proof } = room(async () => Promise.reject(new Error("no Codex")));
    expect(await proof.ensure(facts)).toMatchObject({ state: "unproven" });
  });
});

describe("a trial that the end of the bridge cuts off", () => {
  test.each([["proven", proven] as const, ["unproven", hole] as const])(
    "is waited for, and is no verdict: it had come out %s",
    async (_name, verdict) => {
      const trial = Promise.withResolvers<CanaryVerdict>();
      const begun = Promise.withResolvers<void>();
      const { proof, said } = room(async () => (begun.resolve(), trial.promise));
      const asked = proof.ensure(facts);
      await begun.promise;
      let isClosed = false;
      const closed = proof.close().then(() => (isClosed = true));
      await Promise.resolve();
      expect(isClosed).toBe(false);
      trial.resolve(verdict);
      await closed;
      expect(await asked).toMatchObject({ state: "unproven" });
      expect(proof.isJudged()).toBe(false);
      expect(said).toEqual([]);
    },
  );

  test("is not even begun after it", async () => {
    const { proof, runs } = room();
    await proof.close();
    expect(await proof.ensure(facts)).toMatchObject({ state: "unproven" });
    expect(runs()).toBe(0);
  });
});

test("a proof that cannot be kept is a proof all the same", async () => {
  await writeFile(join(scratch, "state"), "a file where a directory should be");
  expect(await room().proof.ensure(facts)).toEqual(proven);
});
