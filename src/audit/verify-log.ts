/**
 * Reads the whole audit log and says whether every line is as it was written and in its place. Names the first that
 * is not. Cannot tell that whole lines were cut off at the very end, or that somebody wrote the whole chain anew:
 * for that, compare `last` with one noted before. Only reads; a bridge may be writing meanwhile.
 */
import type { FileHandle } from "node:fs/promises";
import { GENESIS, openLine, type Link, type OpenedLine } from "./chain.ts";
import { codeOf, listFullFiles, LIVE_FILE, openToRead } from "./log-files.ts";
import { linesForward, type LogLine } from "./log-lines.ts";

export type BreakReason =
  /** Not a line of this log at all. */
  | "unparsable"
  /** The line's own hash does not fit it. */
  | "altered"
  /** Its number does not follow the one before: lines were removed, added or moved. */
  | "sequence"
  /** It names another line before it than the one that is there. */
  | "chain"
  /** The first line there is not the log's first, and the log does not say that what came before was pruned. */
  | "beginning";

export interface LogCounts {
  readonly files: number;
  /** Whole lines that are right; all of them, or those before the break. */
  readonly lines: number;
  readonly firstSeq: number | null;
  readonly last: Link | null;
  /** Lines that a crash cut off and that the next start closed off. */
  readonly torn: number;
  /** Entries that could not be kept, as the log itself says. */
  readonly lost: number;
}

export type VerifyReport =
  | (LogCounts & {
      readonly ok: true;
      /** A last line that was not written to its end; everything up to it is right. */
      readonly unfinished: { readonly file: string; readonly line: number; readonly bytes: number } | null;
    })
  | (LogCounts & {
      readonly ok: false;
      readonly file: string;
      /** Counted from 1. */
      readonly line: number;
      readonly reason: BreakReason;
    });

/** Throws where the log cannot be read; where there is none, it is fine and has no lines. */
export async function verifyLog(directory: string): Promise<VerifyReport> {
  // Opened before the listing: a file that is moved on meanwhile is then read once, under either name.
  const live = await openIfThere(directory, LIVE_FILE);
  try {
    return await verifyFiles(directory, live);
  } finally {
    await live?.close();
  }
}

async function verifyFiles(directory: string, live: FileHandle | null): Promise<VerifyReport> {
  const liveInode = live === null ? null : (await live.stat({ bigint: true })).ino;
  const check = createCheck();
  for (const name of await listFullFiles(directory)) {
    const file = await openIfThere(directory, name);
    if (file === null) continue; // pruned meanwhile, or its absence shows in the chain
    try {
      if ((await file.stat({ bigint: true })).ino === liveInode) continue;
      await readInto(check, name, file, false);
    } finally {
      await file.close();
    }
    if (check.isBroken()) return check.report();
  }
  if (live !== null) await readInto(check, LIVE_FILE, live, true);
  return check.report();
}

type Check = ReturnType<typeof createCheck>;

async function readInto(check: Check, name: string, file: FileHandle, isLast: boolean): Promise<void> {
  check.enter(name);
  try {
    for await (const line of linesForward(file)) {
      check.take(line, isLast);
      if (check.isBroken()) return;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    check.tooLong();
  }
}

function createCheck() {
  let name = "";
  let number = 0;
  let files = 0;
  let lines = 0;
  let torn = 0;
  let lost = 0;
  let first: { readonly file: string; readonly before: Link; isAnchored: boolean } | null = null;
  let last: Link | null = null;
  let unfinished: { file: string; line: number; bytes: number } | null = null;
  let broken: { file: string; line: number; reason: BreakReason } | null = null;

  function breaks(reason: BreakReason): void {
    broken = { file: name, line: number, reason };
  }

  function link(line: OpenedLine): void {
    if (first === null || last === null) {
      const before = { seq: line.link.seq - 1, hash: line.prevHash };
      first = { file: name, before, isAnchored: isSame(before, GENESIS) };
    } else if (line.link.seq !== last.seq + 1) return breaks("sequence");
    else if (line.prevHash !== last.hash) return breaks("chain");
    last = line.link;
    lines += 1;
    const { type, count, upToSeq, upToHash } = line.entry;
    if (type === "torn") torn += 1;
    if (type === "lost" && typeof count === "number") lost += count;
    if (type === "pruned" && upToSeq === first.before.seq && upToHash === first.before.hash) {
      first.isAnchored = true;
    }
  }

  return {
    enter(file: string): void {
      name = file;
      number = 0;
      files += 1;
    },
    take({ bytes, whole }: LogLine, isLastFile: boolean): void {
      number += 1;
      if (!whole && isLastFile && !hasMoreThanALine(bytes)) {
        unfinished = { file: name, line: number, bytes: bytes.length };
        return;
      }
      const line = openLine(bytes);
      if (line.kind !== "line") breaks(line.kind);
      else if (whole) link(line);
      else breaks("altered"); // its line break was taken away
    },
    tooLong(): void {
      number += 1;
      breaks("unparsable");
    },
    isBroken: () => broken !== null,
    report(): VerifyReport {
      if (broken === null && first !== null && !first.isAnchored) {
        broken = { file: first.file, line: 1, reason: "beginning" };
      }
      const firstSeq = first === null ? null : first.before.seq + 1;
      const counts = { files, lines, firstSeq, last, torn, lost };
      return broken === null ? { ok: true, ...counts, unfinished } : { ok: false, ...counts, ...broken };
    },
  };
}

/** A torn line is the beginning of one: what goes on after a line's end, without a line break, was put there. */
function hasMoreThanALine(bytes: Buffer): boolean {
  return /,"hash":"[0-9a-f]{64}"\}./s.test(bytes.toString("latin1"));
}

function isSame(a: Link, b: Link): boolean {
  return a.seq === b.seq && a.hash === b.hash;
}

async function openIfThere(directory: string, name: string): Promise<FileHandle | null> {
  try {
    return await openToRead(directory, name);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}
