import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import { createFakeClock } from "../support/fake-clock.ts";

test("a timer of the real clock runs once, and not when it was cancelled", async () => {
  const ran: string[] = [];
  const cancel = systemClock.after(5, () => ran.push("cancelled"));
  systemClock.after(5, () => ran.push("late"));
  systemClock.after(0, () => ran.push("soon"));
  cancel();
  await expect.poll(() => ran).toEqual(["soon", "late"]);
});

test("monotonic time never goes back", () => {
  const times = Array.from({ length: 100 }, () => systemClock.monotonic());
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

describe("the fake clock", () => {
  test("runs timers in the order of their times, also those that others set", async () => {
    const clock = createFakeClock();
    const ran: string[] = [];
    clock.after(20, () => ran.push(`b at ${clock.monotonic()}`));
    clock.after(10, () => {
      ran.push(`a at ${clock.monotonic()}`);
      clock.after(5, () => ran.push(`c at ${clock.monotonic()}`));
    });
    await clock.advance(30);
    expect(ran).toEqual(["a at 10", "c at 15", "b at 20"]);
    expect(clock.monotonic()).toBe(30);
    expect(clock.pending()).toBe(0);
  });
});
