import type { Gap, SeenChange } from "../codex/seen-changes.ts";

/**
 * Port to the files of a project: what changed in it between two moments, whoever changed it.
 *
 * - `begin` looks at the project as it is now, without blocking the event loop. It never throws and never rejects.
 * - `changes` tells what is different now: files that were added, changed, deleted; a file that was renamed is one
 *   deleted and one added. Links are never followed. What could not be seen is told as a gap, never left out in
 *   silence. Once `signal` is aborted it answers within two seconds.
 * - `release` forgets the project's state; it may be called at any time, more than once.
 */
export interface ChangeWatch {
  begin(root: string): WatchedTree;
}

export interface WatchedTree {
  /** Settles when the first look is over, whole or not. Never rejects, and is bounded in time. */
  readonly looked: Promise<void>;
  changes(signal: AbortSignal): Promise<SeenChanges>;
  release(): void;
}

export interface SeenChanges {
  /** A bounded number; places in which little changed come first. */
  readonly changes: readonly SeenChange[];
  /** All that were seen, also those that are too many for the list. */
  readonly total: number;
  readonly gap: Gap | null;
}
