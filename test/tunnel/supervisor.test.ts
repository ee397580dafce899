import { describe, expect, test } from "vitest";
import { fail, ok } from "../../src/lib/result.ts";
import type { TunnelEvent, TunnelFailure, TunnelProvider } from "../../src/tunnel/provider.ts";
import { superviseTunnel } from "../../src/tunnel/supervisor.ts";
import { createFakeClock, settle } from "../support/fake-clock.ts";
import { recordingLog, type RecordedLine } from "./recording-log.ts";

interface Life {
  hear(event: TunnelEvent): void;
  die(why: string): void;
  readonly isClosed: () => boolean;
}

/** A tunnel that lives as the test wants it to. */
function room(failures: (TunnelFailure | null)[] = []) {
  const clock = createFakeClock();
  const lines: RecordedLine[] = [];
  const lives: Life[] = [];
  const hosts: string[] = [];
  let opens = 0;
  const provider: TunnelProvider = {
    name: "cloudflared",
    check: async () => ok(null),
    async open(_url, hear) {
      const failure = failures[opens];
      opens += 1;
      if (failure !== null && failure !== undefined) return fail(failure);
      const { promise: ended, resolve } = Promise.withResolvers<string>();
      let closed = false;
      lives.push({ hear, die: resolve, isClosed: () => closed });
      return ok({
        ended,
        async close() {
          closed = true;
          resolve("closed");
        },
      });
    },
  };
  const supervised = superviseTunnel({
    provider,
    url: "http://127.0.0.1:1",
    clock,
    log: recordingLog(lines),
    onHost: (host) => hosts.push(host),
  });
  return { clock, lines, lives, hosts, supervised, opens: () => opens, newest: () => lives.at(-1) };
}

const passing = (why: string): TunnelFailure => ({ why, isFinal: false });

describe("pauses", () => {
  test("double up to half a minute while the tunnel does not get ready, and the log says how long", async () => {
    const { clock, lives, lines, newest } = room();
    await settle();
    const waits: number[] = [];
    for (let n = 0; n < 9; n += 1) {
      const before = clock.monotonic();
      const count = lives.length;
      newest()?.die(`death ${n}`);
      await settle();
      while (lives.length === count) await clock.advance(100);
      waits.push(clock.monotonic() - before);
    }
    const wanted = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000];
    expect(waits).toEqual(wanted);
    const said = lines.filter(({ level }) => level === "warn").map(({ fields }) => fields);
    expect(said).toEqual(
      wanted.map((ms, n) => ({ tunnel: "cloudflared", why: `death ${n}`, again: `in ${ms} ms` })),
    );
  });

  test("are short again after a life in which it was ready", async () => {
    const { clock, lives, newest } = room();
    await settle();
    for (let n = 0; n < 4; n += 1) {
      newest()?.die("early");
      await clock.advance(60_000);
    }
    newest()?.hear({ type: "ready" });
    newest()?.die("late");
    const count = lives.length;
    await clock.advance(500);
    expect(lives).toHaveLength(count + 1);
  });

  test("come after an opening that failed, too", async () => {
    const { clock, opens } = room([passing("no network"), passing("no network")]);
    await settle();
    expect(opens()).toBe(1);
    await clock.advance(500);
    expect(opens()).toBe(2);
    await clock.advance(999);
    expect(opens()).toBe(2);
    await clock.advance(1);
    expect(opens()).toBe(3);
  });
});

test("where trying again cannot help it gives up, and says why", async () => {
  const { supervised, clock, opens, lines } = room([{ why: "the key is wrong", isFinal: true }]);
  expect(await supervised.gaveUp).toBe("the key is wrong");
  await clock.advance(600_000);
  expect(opens()).toBe(1);
  expect(lines.at(-1)).toMatchObject({ level: "error", fields: { why: "the key is wrong" } });
  await supervised.close();
});

test("hosts are handed on in each life, and an address is told when it changes", async () => {
  const { clock, hosts, lines, newest } = room();
  await settle();
  newest()?.hear({ type: "host", host: "a.example.com" });
  newest()?.die("gone");
  await clock.advance(500);
  newest()?.hear({ type: "host", host: "a.example.com" });
  newest()?.hear({ type: "host", host: "b.example.com" });
  expect(hosts).toEqual(["a.example.com", "a.example.com", "b.example.com"]);
  const told = lines.filter(({ message }) => message === "the tunnel has an address");
  expect(told.map(({ fields }) => fields["url"])).toEqual([
    "https://a.example.com/mcp",
    "https://b.example.com/mcp",
  ]);
});

test("readiness is told when it changes, not each time it is looked at", async () => {
  const { lines, newest } = room();
  await settle();
  const events: TunnelEvent[] = [
    { type: "unready", why: "connecting" },
    { type: "unready", why: "connecting" },
    { type: "ready" },
    { type: "ready" },
    { type: "unready", why: "lost" },
    { type: "unready", why: "lost" },
    { type: "ready" },
  ];
  for (const event of events) newest()?.hear(event);
  expect(lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
    "info: the tunnel is not ready yet",
    "info: the tunnel is ready",
    "warn: the tunnel is not ready any more",
    "info: the tunnel is ready",
  ]);
});

describe("closing", () => {
  test("ends the tunnel and opens none any more", async () => {
    const { supervised, newest, clock, opens } = room();
    await settle();
    await supervised.close();
    await supervised.close();
    expect(newest()?.isClosed()).toBe(true);
    await clock.advance(600_000);
    expect(opens()).toBe(1);
  });

  test("does not wait for a pause", async () => {
    const { supervised, clock, opens } = room([passing("no"), passing("no")]);
    await settle();
    await supervised.close();
    expect(clock.pending()).toBe(0);
    expect(opens()).toBe(1);
  });
});
