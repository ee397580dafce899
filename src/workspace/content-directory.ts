/**
 * Lists one directory for the content scan, or knows it again: a directory whose identity and times are those of an
 * earlier listing holds the same names. Synchronous: for a worker thread. Never knows a directory again whose names
 * ask for a closer look, or that changed too short a time ago to show another change.
 */
import { lstatSync, readdirSync, statfsSync } from "node:fs";
import { fingerprintOf } from "./content-cache.ts";
import { sortEntries, type Suspect } from "./sort-entries.ts";
import { LATIN1_DIRENTS, namesIn, toFsPath } from "./walk.ts";

/** What a directory held, and the state of it in which that is true; names are bytes, joined by `/`. */
export interface KnownListing {
  readonly directories: string;
  readonly readable: string;
  readonly files: number;
  readonly isRead: boolean;
  readonly fingerprint: readonly [number, number];
}

export interface Listed {
  /** As `directories` of `KnownListing`. */
  readonly directories: string;
  /** Regular files to be read; none where files are not read. */
  readonly readable: readonly string[];
  /** All that is no directory. */
  readonly files: number;
  readonly suspects: readonly Suspect[];
  /** To be remembered: null where it must be listed again next time, or was known already. */
  readonly learned: KnownListing | null;
}

/** A file or directory that changed this short a time ago may change again without a new time. */
export const SETTLED_MS = 2_000;

/**
 * Linux file systems that give a directory a new time with each name that comes or goes: ext, XFS, Btrfs, F2FS, tmpfs,
 * overlay, ZFS. What lies elsewhere (a network, FUSE) answers from a cache, or keeps no such times.
 */
const STEADY = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x01021994, 0x794c7630, 0x2fc12fc1]);

/** The device of a project whose directories may be known again; null: none may. */
export function steadyDevice(root: string): number | null {
  if (process.platform !== "linux") return null;
  try {
    const fsPath = toFsPath(root);
    return STEADY.has(statfsSync(fsPath).type) ? lstatSync(fsPath).dev : null;
  } catch {
    return null; // what is wrong with it, the listing tells
  }
}

/**
 * `words`: the cache's, for its seed. `steady`: a directory of another device is not known again. `now` is not later than
 * the call. Throws what `node:fs` throws.
 */
export function listDirectory(
  path: string,
  isRead: boolean,
  known: KnownListing | null,
  words: Int32Array,
  steady: number | null,
  now: number,
): Listed {
  const fsPath = toFsPath(path);
  const stats = lstatSync(fsPath, { throwIfNoEntry: false });
  if (stats !== undefined) fingerprintOf(words, stats, fingerprint);
  const [a, b] = [fingerprint[0] as number, fingerprint[1] as number];
  if (
    stats !== undefined &&
    known !== null &&
    stats.dev === steady &&
    known.isRead === isRead &&
    known.fingerprint[0] === a &&
    known.fingerprint[1] === b
  )
    return {
      directories: known.directories,
      readable: namesIn(known.readable),
      files: known.files,
      suspects: [],
      learned: null,
    };
  const entries = readdirSync(fsPath, LATIN1_DIRENTS);
  const { directories: below, readable, suspects } = sortEntries(path, entries, isRead);
  const directories = below.join("/");
  const files = entries.length - below.length;
  const isSettled = stats?.isDirectory() === true && stats.dev === steady && now - stats.ctimeMs > SETTLED_MS;
  const learned: KnownListing | null =
    isSettled && suspects.length === 0
      ? { directories, readable: readable.join("/"), files, isRead, fingerprint: [a, b] }
      : null;
  return { directories, readable, files, suspects, learned };
}

const fingerprint = new Int32Array(2);
