/** Reads unified diffs as Codex gives them. Pure. */
import { isAbsolute, relative, sep } from "node:path";
import type { FileChange } from "./events.ts";

/** Lines added and removed inside the hunks of a unified diff; file headers do not count. */
export function countDiffLines(diff: string): { additions: number; deletions: number } {
  let additions = 0;
  let deletions = 0;
  let inHunk = false;
  for (const line of diff.split("\n")) {
    if (line.startsWith("@@")) inHunk = true;
    else if (line.startsWith("diff --git ")) inHunk = false;
    else if (inHunk && line.startsWith("+")) additions += 1;
    else if (inHunk && line.startsWith("-")) deletions += 1;
  }
  return { additions, deletions };
}

export interface RawFileChange {
  readonly path: string;
  readonly kind: string;
  readonly movePath: string | null;
  readonly diff: string;
}

export interface FileChanges {
  add(change: RawFileChange): void;
  /** One entry for each file, in the order first touched; a moved file counts under its new name. */
  all(): FileChange[];
}

/** Counts each diff once, when it comes, and keeps none: a turn may tell of thousands. */
export function createFileChanges(root: string): FileChanges {
  const merged = new Map<string, FileChange>();
  return {
    add(change) {
      const oldPath = toProjectPath(root, change.path);
      const path = change.movePath === null ? oldPath : toProjectPath(root, change.movePath);
      const counts = countChange(change);
      const before = merged.get(oldPath);
      const firstPath = before?.movedFrom ?? oldPath;
      if (path !== oldPath) merged.delete(oldPath);
      merged.set(path, {
        path,
        kind: mergedKind(before?.kind ?? null, change.kind),
        additions: (before?.additions ?? 0) + counts.additions,
        deletions: (before?.deletions ?? 0) + counts.deletions,
        ...(firstPath === path ? {} : { movedFrom: firstPath }),
      });
    },
    all: () => [...merged.values()],
  };
}

/** Relative to the project's root with `/` between parts; a path outside keeps only its last part. */
export function toProjectPath(root: string, path: string): string {
  const inside = isAbsolute(path) ? relative(root, path) : path;
  if (inside.split(sep)[0] === ".." || isAbsolute(inside)) return path.split(sep).at(-1) ?? "";
  return inside.split(sep).join("/");
}

/** Codex sends the plain text of added and deleted files, and a unified diff of updated ones. */
function countChange(change: RawFileChange): { additions: number; deletions: number } {
  if (change.kind === "update") return countDiffLines(change.diff);
  const lines = change.diff === "" ? 0 : change.diff.replace(/\n$/, "").split("\n").length;
  return change.kind === "delete" ? { additions: 0, deletions: lines } : { additions: lines, deletions: 0 };
}

function mergedKind(before: FileChange["kind"] | null, now: string): FileChange["kind"] {
  const kind = now === "add" || now === "delete" ? now : "update";
  if (before === "add") return kind === "delete" ? "delete" : "add";
  if (before === "delete" && kind === "add") return "update";
  return kind;
}
