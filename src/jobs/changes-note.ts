/** What the list of changes and the diff of a job do not show, in plain words for whoever reviews it. Pure. */
import type { Gap } from "../codex/seen-changes.ts";
import type { JobRecord } from "./job.ts";

/** null: they show all that is known of. */
export function toChangesNote({ changes, commandChanges, progress }: JobRecord): string | null {
  if (commandChanges === null) return null;
  const { files, patchedToo, gap } = commandChanges;
  const sentences: string[] = [];
  if (files > 0) {
    const them = files === 1 ? "1 file was" : `${files} files were`;
    sentences.push(
      `${them} changed by commands (additions and deletions null), or by somebody else while the turn ran: the diff does not show what; codex_read can.`,
    );
  }
  if (patchedToo > 0) {
    const them = patchedToo === 1 ? "1 patched file was" : `${patchedToo} patched files were`;
    sentences.push(`${them} changed again later: their counts and their diff are the patch's alone.`);
  }
  if (progress.filesChanged > changes.length) {
    sentences.push(`The list has ${changes.length} of ${progress.filesChanged} changed files.`);
  }
  if (gap !== null) sentences.push(`${GAP_WORDS[gap]}: there may be changes that are not listed.`);
  return sentences.length === 0 ? null : sentences.join(" ");
}

const GAP_WORDS: Readonly<Record<Gap, string>> = {
  too_large: "The project is too large to be looked through for what commands changed",
  too_slow: "The project could not be looked through in time for what commands changed",
  unreadable: "Some directories could not be read",
  restarted: "The bridge was restarted during this turn, so what commands changed is not known",
  failed: "The look for what commands changed failed",
};
