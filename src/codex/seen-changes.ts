/** What a look at the files themselves says of a turn: what its commands changed, which no patch tells. Pure data. */
import type { FileChange } from "./events.ts";

export interface SeenChange {
  /** Relative to the project's root, with `/`; bytes that are no UTF-8 are U+FFFD. */
  readonly path: string;
  readonly kind: FileChange["kind"];
  /** When the file changed last, in milliseconds since the epoch; null where it is gone. */
  readonly changedAt: number | null;
}

/**
 * Why there may be more changes than were seen: the project is too large or too slow to be looked at, a directory could
 * not be read, the bridge was restarted during the turn, the look itself broke.
 */
export const GAPS = ["too_large", "too_slow", "unreadable", "restarted", "failed"] as const;
export type Gap = (typeof GAPS)[number];

/** Files that changed on disk while a turn ran, and that no patch of Codex names. */
export interface CommandChanges {
  readonly files: number;
  /** How many of them are too many to be in the list of changes. */
  readonly unlisted: number;
  /** Files that a patch names and that changed again after it: counts and diff are the patch's alone. */
  readonly patchedToo: number;
  /** null: these are all. */
  readonly gap: Gap | null;
}
