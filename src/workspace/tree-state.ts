/**
 * The state of all files of a project in few bytes, and how a later state differs from it. A file is known by device,
 * inode, size and its two times of change: what a program cannot set back is among them. Reads no content. Blocks, like
 * the walk it uses.
 */
import { lstatSync } from "node:fs";
import type { Gap } from "../codex/seen-changes.ts";
import { fingerprintOf } from "./content-cache.ts";
import { createFoundChanges, type FoundChanges } from "./tree-changes.ts";
import { isGone, type TreeLimits, walkTree } from "./tree-walk.ts";
import { below, namesIn, toFsPath } from "./walk.ts";

/** By directory, relative to the root. Names are bytes, joined by `/`; each has two words in `prints`. */
export interface TreeState {
  readonly directories: Map<string, { readonly names: string; readonly prints: Int32Array }>;
  /** Directories that could not be read: of what lies in them nothing is known. */
  readonly closed: Set<string>;
}

/** With a gap other than "unreadable", nothing may be compared with the state. */
export async function readTreeState(
  root: string,
  limits: TreeLimits,
): Promise<{ state: TreeState; gap: Gap | null }> {
  const { directories, closed }: TreeState = { directories: new Map(), closed: new Set() };
  const ended = await walkTree(root, limits, {
    onFiles(directory, names, isOver) {
      const read = readPrints(root, directory, names, isOver);
      if (read === null) closed.add(directory);
      else directories.set(directory, { names: read.names.join("/"), prints: read.prints });
    },
    onUnreadable(directory) {
      closed.add(directory);
    },
  });
  return { state: { directories, closed }, gap: ended ?? (closed.size > 0 ? "unreadable" : null) };
}

/** Uses up `before`. */
export async function compareTree(
  root: string,
  before: TreeState,
  limits: TreeLimits,
): Promise<{ found: FoundChanges; gap: Gap | null }> {
  const { directories, closed } = before;
  const found = createFoundChanges();
  const ended = await walkTree(root, limits, {
    onFiles(directory, names, isOver) {
      if (isBelowOneOf(closed, directory)) return;
      const old = directories.get(directory);
      if (old === undefined) {
        found.add(directory, names, "add");
        return;
      }
      const now = readPrints(root, directory, names, isOver);
      if (now === null) closed.add(directory);
      else if (!isOver()) {
        directories.delete(directory);
        compareDirectory(directory, old, now, found);
      }
    },
    onUnreadable(directory) {
      closed.add(directory);
    },
  });
  if (ended !== null) return { found, gap: ended };
  for (const [directory, { names }] of directories) {
    if (!isBelowOneOf(closed, directory)) found.add(directory, namesIn(names), "delete");
  }
  return { found, gap: closed.size > 0 ? "unreadable" : null };
}

interface Prints {
  readonly names: readonly string[];
  readonly prints: Int32Array;
}

const CHECK_EVERY = 256;
/** Each process mixes its own way; the numbers mean nothing elsewhere. */
const seed = crypto.getRandomValues(new Int32Array(2));

/** null: the directory may be listed, but what is in it may not be looked at. */
function readPrints(
  root: string,
  directory: string,
  names: readonly string[],
  isOver: () => boolean,
): Prints | null {
  const there: string[] = [];
  const prints = new Int32Array(names.length * 2);
  const print = new Int32Array(2);
  const place = directory === "" ? root : below(root, directory);
  for (let index = 0; index < names.length; index++) {
    if (index % CHECK_EVERY === CHECK_EVERY - 1 && isOver()) break;
    const name = names[index] as string;
    try {
      fingerprintOf(seed, lstatSync(toFsPath(below(place, name))), print);
    } catch (error) {
      if (!isGone(error)) return null;
      continue;
    }
    prints.set(print, there.length * 2);
    there.push(name);
  }
  return { names: there, prints: prints.subarray(0, there.length * 2) };
}

function compareDirectory(
  directory: string,
  old: { readonly names: string; readonly prints: Int32Array },
  now: Prints,
  found: FoundChanges,
): void {
  const places = new Map(namesIn(old.names).map((name, index) => [name, index]));
  const added: string[] = [];
  const changed: string[] = [];
  now.names.forEach((name, index) => {
    const place = places.get(name);
    places.delete(name);
    if (place === undefined) added.push(name);
    else if (!isSame(old.prints, place, now.prints, index)) changed.push(name);
  });
  found.add(directory, added, "add");
  found.add(directory, changed, "update");
  found.add(directory, [...places.keys()], "delete");
}

function isSame(a: Int32Array, atA: number, b: Int32Array, atB: number): boolean {
  return a[atA * 2] === b[atB * 2] && a[atA * 2 + 1] === b[atB * 2 + 1];
}

function isBelowOneOf(places: ReadonlySet<string>, directory: string): boolean {
  if (places.size === 0) return false;
  for (let place = directory; place !== ""; place = place.slice(0, Math.max(0, place.lastIndexOf("/")))) {
    if (places.has(place)) return true;
  }
  return places.has("");
}
