/** Puts what Codex's patches changed and what was seen on disk into one list. Pure. */
import type { TurnOutcome } from "../codex/backend.ts";
import type { FileChange } from "../codex/events.ts";
import type { SeenChanges } from "./change-watch.ts";

/** The clock counts whole milliseconds, the disk finer ones. */
const CLOCK_STEP_MS = 1;

/**
 * Patches come first and keep their counts; what became of such a file in the end (a command deleted it) is what the
 * disk says. A patched file that is as it was before stays as the patch told it, and so does one that a patch moved: its
 * old name is not told as somebody else's work.
 */
export function mergeSeenChanges(
  outcome: TurnOutcome,
  seen: SeenChanges,
  patchedAt: (path: string) => number | null,
): TurnOutcome {
  const onDisk = new Map(seen.changes.map((change) => [change.path, change]));
  let patchedToo = 0;
  const patched = outcome.changes.map((change): FileChange => {
    const { movedFrom } = change;
    if (movedFrom !== undefined && onDisk.get(movedFrom)?.kind === "delete") onDisk.delete(movedFrom);
    const now = onDisk.get(change.path);
    if (now === undefined) return change;
    onDisk.delete(change.path);
    // Codex tells of a patch after it wrote the file: what is later than that was somebody else.
    const at = patchedAt(change.path);
    const isLater = at !== null && now.changedAt !== null && now.changedAt > at + CLOCK_STEP_MS;
    const isAsTold = now.kind === change.kind || (movedFrom !== undefined && now.kind === "add");
    if (isLater || !isAsTold) patchedToo += 1;
    return isAsTold ? change : { ...change, kind: now.kind };
  });
  const byCommands = [...onDisk.values()].map(({ path, kind }): FileChange => ({
    path,
    kind,
    additions: null,
    deletions: null,
  }));
  const unlisted = Math.max(0, seen.total - seen.changes.length);
  const files = byCommands.length + unlisted;
  return {
    ...outcome,
    changes: [...patched, ...byCommands],
    commandChanges: { files, unlisted, patchedToo, gap: seen.gap },
  };
}
