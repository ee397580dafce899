/** Fairness between callers: whose job runs next, and who may still wait. Pure. */
import type { JobRecord } from "./job.ts";

type CallersJob = Pick<JobRecord, "caller" | "state">;

/**
 * Place of the job that runs next: the oldest of the caller with the fewest that run, so that nobody waits behind all
 * the jobs of somebody else. There has to be one that waits.
 */
export function placeOfNext(waiting: readonly CallersJob[], live: Iterable<CallersJob>): number {
  const running = new Map<string, number>();
  for (const { caller, state } of live) {
    if (state === "running") running.set(caller, (running.get(caller) ?? 0) + 1);
  }
  const counts = waiting.map(({ caller }) => running.get(caller) ?? 0);
  return counts.indexOf(Math.min(...counts));
}

/** A queue that others have filled has a place more for whoever has no job at all, up to twice its length. */
export function isFullFor(
  caller: string,
  taken: number,
  limits: { readonly maxConcurrent: number; readonly maxQueue: number },
  live: Iterable<CallersJob>,
): boolean {
  const { maxConcurrent, maxQueue } = limits;
  if (taken < maxConcurrent + maxQueue) return false;
  if (taken >= maxConcurrent + 2 * maxQueue) return true;
  for (const job of live) if (job.caller === caller) return true;
  return false;
}
