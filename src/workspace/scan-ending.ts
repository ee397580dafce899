/** The end of a scan before its time: a deadline, a caller who gave up, a finding too many. The first cause stays. */
import type { Clock } from "../lib/clock.ts";

export interface Ending {
  /** null while the scan may go on. */
  readonly cause: () => string | null;
  readonly stop: (cause: string) => void;
  /** Settles with the first cause; never, if there is none. */
  readonly over: Promise<void>;
  /** Lets the timer and the listener go. */
  readonly release: () => void;
}

export function createEnding(clock: Clock, deadlineMs: number, signal?: AbortSignal): Ending {
  const endsAt = clock.monotonic() + deadlineMs;
  const tooLate = `not finished within ${deadlineMs} ms`;
  let cause: string | null = null;
  let settle = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const stop = (why: string): void => {
    cause ??= why;
    settle();
  };
  const onAbort = (): void => {
    stop("cancelled");
  };
  const cancelTimer = clock.after(deadlineMs, () => {
    stop(tooLate);
  });
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  return {
    cause: () => {
      if (cause === null && clock.monotonic() >= endsAt) stop(tooLate);
      return cause;
    },
    stop,
    over,
    release: () => {
      cancelTimer();
      signal?.removeEventListener("abort", onAbort);
    },
  };
}
