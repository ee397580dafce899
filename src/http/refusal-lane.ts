/**
 * The way out for refusals: so many a second, the others a little later. A crowd of strangers then spends its time
 * waiting, and the callers who are let in do not. Delays only, never drops; nobody waits longer than a few seconds.
 */
import type { Clock } from "../lib/clock.ts";

export interface RefusalLane {
  /** Null: go at once. */
  enter(): Promise<void> | null;
}

/** A client that is refused now and then, one after another, never feels these. */
const PER_SECOND = 200;
const AT_ONCE = 50;
const LONGEST_MS = 3_000;

export function createRefusalLane(clock: Clock): RefusalLane {
  const interval = 1_000 / PER_SECOND;
  let freeAt = -Infinity;
  return {
    enter() {
      const now = clock.monotonic();
      // Later ones than the longest wait share its end: the crowd's size is bounded by the sockets, not here.
      freeAt = Math.min(Math.max(freeAt, now - AT_ONCE * interval) + interval, now + LONGEST_MS);
      const delayMs = freeAt - now;
      if (delayMs < 1) return null;
      return new Promise((resolve) => {
        clock.after(delayMs, resolve);
      });
    },
  };
}
