/** Puts what Codex's patches changed and what was seen on disk into one list. Pure. */
import type { TurnOutcome } from "../codex/backend.ts";
import type { FileChange } from "../codex/events.ts";
import type { SeenChanges } from "./change-watch.ts";

/**
 * Patches come first and keep their counts; what became of such a file in the end (a command deleted it) is what the
 * disk says. A patched file that is as it was before stays as the patch told it.
 */
export function mergeSeenChanges(outcome: TurnOutcome, seen: SeenChanges): TurnOutcome {
  const kinds = new Map(seen.changes.map(({ path, kind }) => [path, kind]));
  const patched = outcome.changes.map((change): FileChange => {
    const kind = kinds.get(change.path) ?? change.kind;
    kinds.delete(change.path);
    return { ...change, kind };
  });
  const byCommands = [...kinds].map(([path, kind]): FileChange => ({
    path,
    kind,
    additions: null,
    deletions: null,
  }));
  const unlisted = Math.max(0, seen.total - seen.changes.length);
  return {
    ...outcome,
    changes: [...patched, ...byCommands],
    commandChanges: { files: byCommands.length + unlisted, unlisted, gap: seen.gap },
  };
}
