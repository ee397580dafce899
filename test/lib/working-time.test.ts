import { expect, test } from "vitest";
import { afterWorking } from "../../src/lib/working-time.ts";
import { createFakeClock, settle } from "../support/fake-clock.ts";

/** A clock of which the test can say that the machine slept: time passes, and every timer comes late. */
function startTimer(limitMs: number) {
  const clock = createFakeClock();
  let slept = 0;
  const sleeping = { ...clock, monotonic: () => clock.monotonic() + slept };
  let rang = 0;
  const stop = afterWorking(sleeping, limitMs, () => {
    rang += 1;
  });
  return {
    stop,
    work: async (ms: number) => clock.advance(ms),
    sleep: (asleep: number) => {
      slept += asleep;
    },
    rang: () => rang,
    pending: () => clock.pending(),
  };
}

test.each([1, 999, 1_000, 1_500, 10_000, 3_600_000])("rings once, after %i ms of work", async (ms) => {
  const timer = startTimer(ms);
  await timer.work(ms - 1);
  expect(timer.rang()).toBe(0);
  await timer.work(1);
  expect(timer.rang()).toBe(1);
  await timer.work(10_000);
  expect(timer.rang()).toBe(1);
  expect(timer.pending()).toBe(0);
});

test("a night's sleep costs at most a second of the time that is left", async () => {
  const timer = startTimer(10_000);
  await timer.work(4_500);
  timer.sleep(8 * 3_600_000);
  await timer.work(4_400);
  expect(timer.rang()).toBe(0);
  await timer.work(1_100);
  expect(timer.rang()).toBe(1);
});

test("what was cancelled does not ring, and leaves no timer", async () => {
  const timer = startTimer(5_000);
  await timer.work(2_500);
  timer.stop();
  expect(timer.pending()).toBe(0);
  await timer.work(10_000);
  await settle();
  expect(timer.rang()).toBe(0);
});
