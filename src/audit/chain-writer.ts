/**
 * Appends to the chain on disk: finds its end (closing off a line that a crash tore), seals new lines to it, moves
 * on to a new file when one is full. Never rewrites a whole line, and goes on from what it knows itself when the
 * file has lost lines, so that the gap shows.
 */
import { statSync, writeSync } from "node:fs";
import { rename, lstat } from "node:fs/promises";
import { join } from "node:path";
import type { FileHandle } from "node:fs/promises";
import { toFields, toStoredNote, type EntryRules, type LogEntry } from "./audit-entry.ts";
import { GENESIS, openLine, seal, type Link } from "./chain.ts";
import { codeOf, fullFileName, LIVE_FILE, openLiveFile, prepareDirectory } from "./log-files.ts";
import { findEnd, firstTime, type LogEnd } from "./log-end.ts";
import { pruneFullFiles, type Retention } from "./retention.ts";

export interface ChainWriterOptions extends Retention {
  readonly directory: string;
  readonly rules: EntryRules;
  /** Wall time, ms since the epoch. */
  readonly now: () => number;
  readonly maxFileBytes: number;
  readonly maxFileAgeMs: number;
}

export interface ChainWriter {
  /** Throws where the disk does not let it, AuditRefused where it must not. `append` opens by itself. */
  open(): Promise<void>;
  /** One write for all. After a throw, the next call has to begin with the same entries: those on disk are not written twice. */
  append(fields: readonly string[]): Promise<void>;
  /** Past the operating system's cache, on to the disk. */
  sync(): Promise<void>;
  /** Never throws. */
  close(): Promise<void>;
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly inode: bigint;
  readonly openedAt: number;
  size: number;
}

export function createChainWriter(options: ChainWriterOptions): ChainWriter {
  const { directory, rules, now } = options;
  const path = join(directory, LIVE_FILE);
  let file: OpenFile | null = null;
  let head: Link = GENESIS;
  /** What the log has to say of itself before anything else. */
  let notes: string[] = [];
  /** Hashes of what the last, failed write was to put on disk; the first ones may be there. */
  let unconfirmed: string[] = [];
  /** Entries of the failed batch that turned out to be on disk. */
  let alreadyWritten = 0;
  let isClean = true;

  async function opened(): Promise<OpenFile> {
    if (file !== null) return file;
    await prepareDirectory(directory);
    const handle = await openLiveFile(directory);
    try {
      const end = await findEnd(directory, handle);
      if (end.link.seq > head.seq) head = end.link;
      settle(end.link);
      await closeOff(handle, end);
      const { ino, size } = await handle.stat({ bigint: true });
      const openedAt = (await firstTime(handle)) ?? now();
      file = { handle, inode: ino, openedAt, size: Number(size) };
    } catch (error) {
      await handle.close();
      throw error;
    }
    await prune();
    return file;
  }

  /** A line that lacks only its line break gets it; any other rest of a line goes into an entry of its own. */
  async function closeOff(handle: FileHandle, { torn, tornAt }: LogEnd): Promise<void> {
    if (torn === null) return;
    if (openLine(torn).kind === "line") {
      await handle.appendFile("\n");
      return;
    }
    note({ type: "torn", bytes: torn.length, text: torn.toString("utf8", 0, 1024) });
    await handle.truncate(tornAt);
  }

  function note(entry: LogEntry): void {
    notes.push(fieldsOf(entry));
  }

  function fieldsOf(entry: LogEntry): string {
    return toFields(toStoredNote(entry, new Date(now()).toISOString(), rules));
  }

  /** After a failed write: which of its lines are on disk? */
  function settle(end: Link): void {
    const written = unconfirmed.indexOf(end.hash) + 1;
    const writtenNotes = Math.min(written, notes.length);
    notes = notes.slice(writtenNotes);
    alreadyWritten += written - writtenNotes;
    unconfirmed = [];
  }

  function write(target: OpenFile, fields: readonly string[]): void {
    let link = head;
    let text = "";
    const hashes: string[] = [];
    for (const part of fields) {
      const sealed = seal(link, part);
      ({ link } = sealed);
      hashes.push(link.hash);
      text += `${sealed.line}\n`;
    }
    unconfirmed = hashes;
    isClean = false;
    const bytes = Buffer.from(text);
    // Synchronous on purpose, as is the look after it: microseconds into the system's cache, where each way through
    // the thread pool would double what an answer waits for its line. Only `sync` waits for the disk.
    for (let done = 0; done < bytes.length;) {
      done += writeSync(target.handle.fd, bytes, done);
    }
    // Whoever removes or replaces the file would otherwise swallow every later line.
    if (statSync(path, { bigint: true, throwIfNoEntry: false })?.ino !== target.inode)
      throw new Error("the file was replaced");
    target.size += bytes.length;
    unconfirmed = [];
    head = link;
  }

  async function append(fields: readonly string[]): Promise<void> {
    try {
      let target = await opened();
      if (isFull(target) && (await moveOn(target))) target = await opened();
      const rest = fields.slice(alreadyWritten);
      if (notes.length + rest.length > 0) write(target, [...notes, ...rest]);
      notes = [];
      alreadyWritten = 0;
    } catch (error) {
      await letGo();
      throw error;
    }
  }

  function isFull(target: OpenFile): boolean {
    if (target.size === 0) return false;
    return target.size >= options.maxFileBytes || now() - target.openedAt >= options.maxFileAgeMs;
  }

  /** false: something lies where the full file would go, and the one in use goes on growing. */
  async function moveOn(target: OpenFile): Promise<boolean> {
    const full = join(directory, fullFileName(head.seq));
    const isTaken = await lstat(full).then(
      () => true,
      (error: unknown) => codeOf(error) !== "ENOENT",
    );
    if (isTaken) return false;
    await target.handle.datasync();
    await letGo();
    await rename(path, full);
    return true;
  }

  /** The anchor is on disk before the file goes: a crash between the two leaves a log that still verifies. */
  async function prune(): Promise<void> {
    await pruneFullFiles(directory, options, now(), async (entry) => {
      if (file === null) throw new Error("no file to write the anchor to");
      try {
        write(file, [fieldsOf(entry)]);
        await file.handle.datasync();
      } finally {
        unconfirmed = []; // not a line of the batch that waits
      }
    });
  }

  async function letGo(): Promise<void> {
    const open = file;
    file = null;
    // What a close reports late, the read at the next opening shows.
    await open?.handle.close().catch(() => undefined);
  }

  return {
    async open() {
      try {
        await opened();
      } catch (error) {
        await letGo();
        throw error;
      }
    },
    append,
    async sync() {
      if (file === null || isClean) return;
      isClean = true;
      try {
        await file.handle.datasync();
      } catch (error) {
        await letGo();
        throw error;
      }
    },
    close: letGo,
  };
}
