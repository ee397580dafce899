/**
 * A timer that counts working time: what passes while the machine sleeps, or while this process is stopped, is not
 * counted, because nobody could work meanwhile. Where a clock goes on in sleep is different on every system; here the
 * timer looks every second, and a second that took much longer is counted as little more than one.
 */
import type { Clock } from "./clock.ts";

const LOOK_EVERY_MS = 1_000;
/** A busy machine is late by less; a machine that slept is late by more. */
const MOST_LATE_MS = 1_000;

/** Calls `run` after `ms` of working time; the returned function cancels it. */
export function afterWorking(clock: Clock, ms: number, run: () => void): () => void {
  let left = ms;
  let stop = (): void => {};
  function look(): void {
    const wait = Math.min(left, LOOK_EVERY_MS);
    const began = clock.monotonic();
    stop = clock.after(wait, () => {
      left -= Math.min(Math.max(wait, clock.monotonic() - began), wait + MOST_LATE_MS);
      if (left <= 0) run();
      else look();
    });
  }
  look();
  return () => {
    stop();
  };
}
