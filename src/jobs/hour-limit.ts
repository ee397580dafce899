/** How many jobs a caller may start within an hour, counted from the store: a restart does not reset it. */
import type { Clock } from "../lib/clock.ts";
import type { FailureOf } from "../policy/failure.ts";
import type { JobStore } from "./store.ts";

export interface HourLimit {
  /** null: the caller may start one more; it counts from now until `release`, when the store counts it. */
  take(caller: string): Promise<FailureOf<"rate_limited"> | null>;
  release(caller: string): void;
}

const HOUR_MS = 3_600_000;

/** `perHour` 0: no limit. */
export function createHourLimit(perHour: number, jobs: JobStore, clock: Clock): HourLimit {
  const starting = new Map<string, number>();
  return {
    async take(caller) {
      if (perHour === 0) return null;
      const before = starting.get(caller) ?? 0;
      starting.set(caller, before + 1);
      try {
        const now = clock.now();
        const { count, firstAt } = await jobs.countStarted(caller, now - HOUR_MS, now);
        if (count + before < perHour) return null;
        this.release(caller);
        return { code: "rate_limited", retryAfterMs: Math.max(1_000, (firstAt ?? now) + HOUR_MS - now) };
      } catch (error) {
        this.release(caller);
        throw error;
      }
    },

    release(caller) {
      const left = (starting.get(caller) ?? 0) - 1;
      if (left > 0) starting.set(caller, left);
      else starting.delete(caller);
    },
  };
}
