/**
 * Walks a project on a thread of its own, synchronously but in slices, so that the thread hears what it is told
 * meanwhile. Names travel as bytes. Never follows a link, never opens a file, never says that it was whole when it was
 * not. Only the thread of tree-worker.ts may use it: it blocks.
 */
import { type Dirent, readdirSync } from "node:fs";
import type { Gap } from "../codex/seen-changes.ts";
import { isLeftOut } from "./left-out.ts";
import { below, LATIN1_DIRENTS, toFsPath } from "./walk.ts";

export interface TreeLimits {
  readonly maxEntries: number;
  /** In the time of `performance.now()`; asked again and again, so that it may come nearer. */
  readonly endsAt: () => number;
  readonly isStopped: () => boolean;
}

export interface TreeSteps {
  /** `directory` is relative, empty for the root; `names` are all that is no directory. */
  readonly onFiles: (directory: string, names: readonly string[], isOver: () => boolean) => void;
  readonly onUnreadable: (directory: string) => void;
}

const SLICE_MS = 10;
/** Paths of deep trees weigh more than their names. */
const MAX_PATH_BYTES = 64 * 1024 * 1024;

/** null: all was seen, save what `onUnreadable` told. */
export async function walkTree(root: string, limits: TreeLimits, steps: TreeSteps): Promise<Gap | null> {
  const waiting: string[] = [""];
  let entries = 0;
  let pathBytes = 0;
  let sliceEndsAt = performance.now() + SLICE_MS;
  const isOver = (): boolean => performance.now() > limits.endsAt() || limits.isStopped();
  for (;;) {
    const directory = waiting.pop();
    if (directory === undefined) return null;
    const listed = list(root, directory);
    if (listed === null) {
      steps.onUnreadable(directory);
      continue;
    }
    entries += listed.length;
    pathBytes += directory.length;
    if (entries > limits.maxEntries || pathBytes > MAX_PATH_BYTES) return "too_large";
    const names: string[] = [];
    for (const entry of listed) {
      if (!entry.isDirectory()) names.push(entry.name);
      else if (!isLeftOut(directory, entry.name)) waiting.push(below(directory, entry.name));
    }
    steps.onFiles(directory, names, isOver);
    if (isOver()) return limits.isStopped() ? "failed" : "too_slow";
    if (performance.now() < sliceEndsAt) continue;
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    sliceEndsAt = performance.now() + SLICE_MS;
  }
}

/** null: it could not be read. */
function list(root: string, directory: string): Dirent[] | null {
  try {
    return readdirSync(toFsPath(directory === "" ? root : below(root, directory)), LATIN1_DIRENTS);
  } catch (error) {
    // A directory that went away while the walk ran is gone, and so are its files; the root has to be there.
    return directory !== "" && isGone(error) ? [] : null;
  }
}

export function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT" || code === "ENOTDIR";
}
