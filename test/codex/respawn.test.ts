import { describe, expect, test } from "vitest";
import { createRespawner, type Mortal, type Respawner } from "../../src/codex/respawn.ts";
import { fail, ok, type Result } from "../../src/lib/result.ts";
import { createFakeClock, settle } from "../support/fake-clock.ts";

interface Process extends Mortal {
  readonly number: number;
  die(): void;
  readonly isClosed: () => boolean;
}

function process(number: number): Process {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let closed = false;
  return {
    number,
    ended,
    die: resolve,
    isClosed: () => closed,
    async close() {
      closed = true;
      resolve();
    },
  };
}

function room(start?: (number: number) => Promise<Result<Process, string>>) {
  const clock = createFakeClock();
  const started: Process[] = [];
  const respawner: Respawner<Process, string> = createRespawner(
    async (): Promise<Result<Process, string>> => {
      if (start !== undefined) return start(respawner.starts());
      const one = process(respawner.starts());
      started.push(one);
      return ok(one);
    },
    () => "closed",
    clock,
  );
  /** Lets the newest process die at once, and tells when the next one was there. */
  async function dieAndAcquire(): Promise<number> {
    started.at(-1)?.die();
    await settle();
    const before = clock.monotonic();
    const acquiring = respawner.acquire();
    for (let step = 0; step < 2_000 && respawner.current() === null; step += 1) await clock.advance(10);
    await acquiring;
    return clock.monotonic() - before;
  }
  return { clock, started, respawner, dieAndAcquire };
}

test("nothing is started until somebody asks", async () => {
  const { respawner } = room();
  expect(respawner.current()).toBeNull();
  expect(respawner.starts()).toBe(0);
});

test("all who ask at once share one start, and later ones its process", async () => {
  const { respawner, started } = room();
  const all = await Promise.all(Array.from({ length: 20 }, async () => respawner.acquire()));
  expect(respawner.starts()).toBe(1);
  for (const one of all) expect(one).toEqual(ok(started[0]));
  expect(await respawner.acquire()).toEqual(ok(started[0]));
});

test("a dead process is replaced when somebody asks, not before", async () => {
  const { respawner, started } = room();
  await respawner.acquire();
  started[0]?.die();
  await settle();
  expect(respawner.current()).toBeNull();
  expect(respawner.starts()).toBe(1);
  expect(await respawner.acquire()).toEqual(ok(started[1]));
});

describe("a crash loop", () => {
  test("is slowed: at once, then 250 ms, doubling up to 10 s", async () => {
    const { respawner, dieAndAcquire } = room();
    await respawner.acquire();
    const waits: number[] = [];
    for (let n = 0; n < 9; n += 1) waits.push(await dieAndAcquire());
    expect(waits).toEqual(
      [0, 250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000].map((ms) => expect.closeTo(ms, -2)),
    );
  });

  test("is forgotten after a life of ten seconds", async () => {
    const { clock, respawner, dieAndAcquire } = room();
    await respawner.acquire();
    for (let n = 0; n < 4; n += 1) await dieAndAcquire();
    await clock.advance(10_000);
    expect(await dieAndAcquire()).toBeLessThan(20);
  });

  test("of starts that fail is slowed too, and a failure is not kept", async () => {
    const results: Result<Process, string>[] = [fail("one"), fail("two"), ok(process(3))];
    const { clock, respawner } = room(async (number) => results[number - 1] ?? fail("none"));
    expect(await respawner.acquire()).toEqual(fail("one"));
    expect(await respawner.acquire()).toEqual(fail("two"));
    const third = respawner.acquire();
    await clock.advance(249);
    expect(respawner.starts()).toBe(2);
    await clock.advance(1);
    expect(await third).toMatchObject({ ok: true });
  });
});

test("a retired process lives on, and the next who asks gets a new one", async () => {
  const { respawner, started } = room();
  await respawner.acquire();
  const [old] = started;
  if (old !== undefined) respawner.retire(old);
  expect(await respawner.acquire()).toEqual(ok(started[1]));
  expect(old?.isClosed()).toBe(false);
  old?.die();
  await settle();
  expect(respawner.current()).toBe(started[1]);
});

describe("closing", () => {
  test("ends the process, and nothing is started any more", async () => {
    const { respawner, started } = room();
    await respawner.acquire();
    await respawner.close();
    expect(started[0]?.isClosed()).toBe(true);
    expect(await respawner.acquire()).toEqual(fail("closed"));
    expect(respawner.starts()).toBe(1);
  });

  test("during a start ends what comes of it", async () => {
    const gate = Promise.withResolvers<Result<Process, string>>();
    const { respawner } = room(async () => gate.promise);
    const acquiring = respawner.acquire();
    await settle();
    const closing = respawner.close();
    const late = process(1);
    gate.resolve(ok(late));
    await closing;
    expect(await acquiring).toEqual(fail("closed"));
    expect(late.isClosed()).toBe(true);
    expect(respawner.current()).toBeNull();
  });

  test("does not wait for the pause in a crash loop", async () => {
    const { respawner } = room(async () => fail("no"));
    await respawner.acquire();
    await respawner.acquire();
    const acquiring = respawner.acquire();
    await settle();
    await respawner.close();
    expect(await acquiring).toEqual(fail("closed"));
    expect(respawner.starts()).toBe(2);
  });
});
