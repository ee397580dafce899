/**
 * Sorts what a directory holds: directories to go into, names that need a closer look, files that can be read. Knows
 * names only: reads no file, follows no link.
 */
import type { Dirent } from "node:fs";
import type { NameJudgement } from "../policy/secret-kinds.ts";
import { isTellingPlace, judgeName } from "../policy/secret-names.ts";
import { isPlainName } from "../policy/secret-plain-names.ts";
import { toText } from "./walk.ts";

/** A link, or something whose name the policy knows. */
export interface Suspect {
  readonly name: string;
  readonly judgement: NameJudgement | null;
  readonly isLink: boolean;
  readonly isFile: boolean;
}

/** All names are bytes. */
export interface SortedEntries {
  readonly directories: readonly string[];
  /** Regular files; none where nobody asked for them. */
  readonly readable: readonly string[];
  readonly suspects: readonly Suspect[];
}

const NONE: readonly never[] = [];

/** `directory` is absolute, as bytes. */
export function sortEntries(
  directory: string,
  entries: readonly Dirent[],
  wantsReadable: boolean,
): SortedEntries {
  const telling = isTellingPlace(directory);
  const readable: string[] | null = wantsReadable ? [] : null;
  let directories: string[] | null = null;
  let suspects: Suspect[] | null = null;
  let parents: readonly string[] | null = null;
  for (let index = 0; index < entries.length; index++) {
    const entry = entries[index] as Dirent;
    if (entry.isDirectory()) {
      (directories ??= []).push(entry.name);
      continue;
    }
    if (readable !== null && entry.isFile()) readable.push(entry.name);
    if (!telling && isPlainName(entry.name) && !entry.isSymbolicLink()) continue;
    parents ??= toText(directory).split("/").slice(1);
    const suspect = suspectOf(entry, parents);
    if (suspect !== null) (suspects ??= []).push(suspect);
  }
  return { directories: directories ?? NONE, readable: readable ?? NONE, suspects: suspects ?? NONE };
}

function suspectOf(entry: Dirent, parents: readonly string[]): Suspect | null {
  const judgement = judgeName(toText(entry.name), parents);
  const isLink = entry.isSymbolicLink();
  if (judgement === null && !isLink) return null;
  return { name: entry.name, judgement, isLink, isFile: entry.isFile() };
}
