/**
 * Slows down whoever guesses the passcode. There is one owner, so there is one count: each wrong guess after the third
 * doubles the wait before the next one is looked at. Never judges a guess itself.
 */
import type { Clock } from "../../lib/clock.ts";

const FREE = 3;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
const FORGET_AFTER_MS = 15 * 60_000;

export interface Attempts {
  /** 0: go on; else how long nothing is looked at, in ms. Whoever may go on has to say how it went. */
  begin(): number;
  wrong(): void;
  right(): void;
}

export function createAttempts(clock: Pick<Clock, "monotonic">): Attempts {
  let wrong = 0;
  let last = -Infinity;
  let isOpen = true;

  return {
    begin() {
      const sinceLast = clock.monotonic() - last;
      if (sinceLast > FORGET_AFTER_MS) wrong = 0;
      const wait =
        wrong < FREE ? 0 : Math.min(FIRST_WAIT_MS * 2 ** (wrong - FREE), LONGEST_WAIT_MS) - sinceLast;
      if (wait > 0) return wait;
      // One at a time: many at once would all be looked at before the first turns out wrong.
      if (!isOpen) return FIRST_WAIT_MS;
      isOpen = false;
      return 0;
    },
    wrong() {
      wrong += 1;
      last = clock.monotonic();
      isOpen = true;
    },
    right() {
      wrong = 0;
      isOpen = true;
    },
  };
}
