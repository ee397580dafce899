/** The only source of time. `now` is wall time (ms since the epoch), for records; `monotonic` (ms) is for durations and deadlines. */
export interface Clock {
  now(): number;
  monotonic(): number;
  /** Calls `run` after `delayMs`; the returned function cancels it. A pending timer does not keep the process alive. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return () => {
      clearTimeout(timer);
    };
  },
};
