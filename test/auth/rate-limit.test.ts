import { describe, expect, it } from "vitest";
import { createRateLimit } from "../../src/auth/rate-limit.ts";

function startAt(perMinute: number, maxKeys?: number) {
  let now = 1_000;
  const limit = createRateLimit(perMinute, () => now, maxKeys);
  const takeAll = (key: string): number => {
    let taken = 0;
    while (taken < 10_000 && limit.take(key) === 0) taken += 1;
    return taken;
  };
  return {
    limit,
    takeAll,
    pass: (ms: number): void => {
      now += ms;
    },
  };
}

describe("a limit of so many a minute", () => {
  it.each([1, 3, 50, 1_200])(
    "lets exactly %i through at once, then one for each share of a minute",
    (many) => {
      const { limit, takeAll, pass } = startAt(many);
      expect(takeAll("a")).toBe(many);
      const wait = limit.take("a");
      expect(wait).toBeGreaterThan(0);
      expect(wait).toBeLessThanOrEqual(60_000 / many);
      pass(wait);
      expect(takeAll("a")).toBe(1);
    },
  );

  it("is full again after a quiet minute, and never fuller", () => {
    const { takeAll, pass } = startAt(50);
    takeAll("a");
    pass(60_000);
    expect(takeAll("a")).toBe(50);
    pass(3_600_000);
    expect(takeAll("a")).toBe(50);
  });

  it("does not count what it refused: who keeps knocking waits no longer", () => {
    const { limit, takeAll, pass } = startAt(60);
    takeAll("a");
    for (let knock = 0; knock < 1_000; knock += 1) expect(limit.take("a")).toBeGreaterThan(0);
    pass(1_000);
    expect(limit.take("a")).toBe(0);
  });

  it("counts each key by itself", () => {
    const { takeAll } = startAt(5);
    expect([takeAll("a"), takeAll("b")]).toEqual([5, 5]);
  });

  it("of 0 is none", () => {
    expect(startAt(0).takeAll("a")).toBe(10_000);
  });

  it("keeps so many keys and no more: strangers beyond share one count, known ones keep theirs", () => {
    const { limit, takeAll, pass } = startAt(5, 100);
    for (let key = 0; key < 100; key += 1) limit.take(`stranger-${key}`);
    expect(takeAll("late-1") + takeAll("late-2")).toBe(5);
    expect(takeAll("stranger-7")).toBe(4);
    pass(60_000);
    expect([takeAll("late-1"), takeAll("late-2")]).toEqual([5, 5]);
  });
});
