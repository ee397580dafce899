/** A clock that stands still until the test moves it. */
import type { Clock } from "../../src/lib/clock.ts";

export interface FakeClock extends Clock {
  /** Moves on, running what becomes due in its order; what each of them sets in motion settles before the next. */
  advance(ms: number): Promise<void>;
  /** Timers that are still set. */
  pending(): number;
}

export function createFakeClock(startAt = Date.UTC(2026, 0, 1)): FakeClock {
  const timers = new Set<{ at: number; run: () => void }>();
  let elapsed = 0;
  return {
    now: () => startAt + elapsed,
    monotonic: () => elapsed,
    after(delayMs, run) {
      const timer = { at: elapsed + delayMs, run };
      timers.add(timer);
      return () => {
        timers.delete(timer);
      };
    },
    pending: () => timers.size,
    async advance(ms) {
      const until = elapsed + ms;
      await settle();
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers.delete(next);
        elapsed = Math.max(elapsed, next.at);
        next.run();
        await settle();
      }
      elapsed = until;
    },
  };
}

/** Lets everything that waits for nothing but promises go on. */
export async function settle(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
}
