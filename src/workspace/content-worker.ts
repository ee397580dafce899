/**
 * The thread that lists directories and reads files for the content scan; both of its ends: how it is started, and what
 * it does. Gets places, gives back verdicts, the places below them, fingerprints of clean files, and the secrets
 * themselves (they stay in this process's memory, for the redactor). Never sends other content, never waits.
 */
import { closeSync, fstatSync, lstatSync, type Stats } from "node:fs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { fingerprintOf, isRemembered } from "./content-cache.ts";
import { type KnownListing, listDirectory, SETTLED_MS, steadyDevice } from "./content-directory.ts";
import {
  createScanBuffer,
  type FileVerdict,
  type FoundSecrets,
  openForScan,
  scanFile,
} from "./content-file.ts";
import type { Suspect } from "./sort-entries.ts";
import { below, namesIn, toFsPath } from "./walk.ts";

/** A directory that is to be listed, or files of one that has been; as bytes. */
export interface Place {
  /** Absolute. */
  readonly directory: string;
  /** Joined by `/`; null: list the directory. */
  readonly files: string | null;
  /** What the directory held before. */
  readonly known: KnownListing | null;
}

export interface ContentBatch {
  readonly batchId: number;
  /** Of the project; absolute, as bytes. */
  readonly root: string;
  readonly cache: Int32Array<SharedArrayBuffer>;
  /** Nothing was remembered when the run began: each file is opened without asking first. */
  readonly isCold: boolean;
  /** One number that is not zero when nobody waits for the answer any more. */
  readonly stop: Int32Array<SharedArrayBuffer>;
  /** One number, for the whole run: how many more mebibytes are read for their values alone. */
  readonly extra: Int32Array<SharedArrayBuffer>;
  readonly places: readonly Place[];
}

/** All paths are absolute, as bytes. */
export interface ContentAnswer {
  readonly batchId: number;
  /** So many were listed, with so many files in them. */
  readonly directories: number;
  readonly files: number;
  /** What is left to do in and below the places of the batch: few strings travel fast. */
  readonly left: readonly {
    readonly directory: string;
    /** Directories in it, joined by `/`. */
    readonly directories: string;
    /** Files in it, many at a time, joined by `/`. */
    readonly parts: readonly string[];
  }[];
  readonly learned: readonly (readonly [path: string, listing: KnownListing])[];
  readonly suspicious: readonly { readonly directory: string; readonly suspects: readonly Suspect[] }[];
  readonly found: readonly (FileVerdict & { readonly path: string })[];
  /** Pairs of words, for the cache. */
  readonly clean: Int32Array<ArrayBuffer>;
  /** Files with more than one name, by path; the value is the same for all names of one file. */
  readonly shared: ReadonlyMap<string, string>;
  /** Files that could not be read, and directories. */
  readonly failed: readonly Failed[];
  readonly unreadable: readonly Failed[];
  /** Values to strike out, a bounded number of them. */
  readonly secrets: ReadonlySet<string>;
}

interface Failed {
  readonly path: string;
  readonly code: string;
}

/** What a registry gave to everybody, and what is compressed; names are judged there all the same. */
const NOT_READ = /(?:^|\/)(?:node_modules|\.git\/objects|\.git\/lfs\/objects)(?:\/|$)/;
/** Files of one directory that one batch takes; the rest may go to another thread. */
const MAX_FILES_AT_ONCE = 400;
const MAX_SECRETS = 500;
const ROLE = "content-scan";

export function startContentWorker(): Worker {
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { role: ROLE },
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 },
  });
  worker.unref();
  return worker;
}

function serve(port: NonNullable<typeof parentPort>): void {
  const buffer = createScanBuffer();
  port.on("message", (batch: ContentBatch) => {
    const answer = scanBatch(batch, buffer);
    port.postMessage(answer, [answer.clean.buffer]);
  });
}

function scanBatch(batch: ContentBatch, buffer: Buffer): ContentAnswer {
  const isStopped = (): boolean => Atomics.load(batch.stop, 0) !== 0;
  const found: (FileVerdict & { path: string })[] = [];
  const shared = new Map<string, string>();
  const failed: Failed[] = [];
  const unreadable: Failed[] = [];
  const left: ContentAnswer["left"][number][] = [];
  const learned: [string, KnownListing][] = [];
  const suspicious: { directory: string; suspects: readonly Suspect[] }[] = [];
  let directories = 0;
  let files = 0;
  const clean: number[] = [];
  const secrets = new Set<string>();
  const keep: FoundSecrets = {
    add: (value) => {
      if (secrets.size < MAX_SECRETS) secrets.add(value);
    },
    wantsMore: () => secrets.size < MAX_SECRETS && Atomics.sub(batch.extra, 0, 1) > 0,
  };
  const fingerprint = new Int32Array(2);
  const scan = (path: string): void => {
    const fsPath = toFsPath(path);
    if (!batch.isCold) {
      const before = lstatSync(fsPath, { throwIfNoEntry: false });
      if (before === undefined || !before.isFile() || isKnown(before, path)) return;
    }
    const file = openForScan(fsPath);
    try {
      const stats = fstatSync(file);
      if (!stats.isFile() || isKnown(stats, path)) return;
      const verdict = scanFile(file, stats.size, buffer, isStopped, keep);
      if (verdict !== null) found.push({ path, ...verdict });
      else if (!isStopped() && now - stats.ctimeMs > SETTLED_MS)
        clean.push(fingerprint[0] ?? 0, fingerprint[1] ?? 0);
    } finally {
      closeSync(file);
    }
  };
  /** True where nothing is to be read. Leaves the file's fingerprint behind. */
  const isKnown = (stats: Stats, path: string): boolean => {
    if (stats.nlink > 1) shared.set(path, `${stats.dev}:${stats.ino}`);
    fingerprintOf(batch.cache, stats, fingerprint);
    return stats.size === 0 || (!batch.isCold && isRemembered(batch.cache, fingerprint));
  };
  const scanFiles = (directory: string, names: readonly string[]): void => {
    for (const name of names) {
      if (isStopped()) return;
      const path = below(directory, name);
      try {
        scan(path);
      } catch (error) {
        const code = codeOf(error);
        if (isWorthTelling(code, path)) failed.push({ path, code });
      }
    }
  };
  const list = (directory: string, known: KnownListing | null): readonly string[] => {
    const isRead = !NOT_READ.test(directory.slice(prefix));
    const listed = listDirectory(directory, isRead, known, batch.cache, steady, now);
    directories++;
    files += listed.files;
    if (listed.learned !== null) learned.push([directory, listed.learned]);
    if (listed.suspects.length > 0) suspicious.push({ directory, suspects: listed.suspects });
    const parts: string[] = [];
    for (let from = MAX_FILES_AT_ONCE; from < listed.readable.length; from += MAX_FILES_AT_ONCE)
      parts.push(listed.readable.slice(from, from + MAX_FILES_AT_ONCE).join("/"));
    if (listed.directories !== "" || parts.length > 0)
      left.push({ directory, directories: listed.directories, parts });
    return parts.length === 0 ? listed.readable : listed.readable.slice(0, MAX_FILES_AT_ONCE);
  };
  const now = Date.now();
  const steady = steadyDevice(batch.root);
  const prefix = batch.root === "/" ? 1 : batch.root.length + 1;
  for (const { directory, files: some, known } of batch.places) {
    if (isStopped()) break;
    try {
      scanFiles(directory, some === null ? list(directory, known) : namesIn(some));
    } catch (error) {
      unreadable.push({ path: directory, code: codeOf(error) });
    }
  }
  const answer = { batchId: batch.batchId, directories, files, left, learned, suspicious, found, shared };
  return { ...answer, clean: Int32Array.from(clean), failed, unreadable, secrets };
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "unknown";
}

/** A file of somebody else that this user may not read is closed to Codex too; one's own could be opened. */
function isWorthTelling(code: string, path: string): boolean {
  if (code === "ENOENT" || code === "ELOOP" || code === "ENXIO" || code === "ENOTDIR") return false;
  return (
    code !== "EACCES" || lstatSync(toFsPath(path), { throwIfNoEntry: false })?.uid === process.getuid?.()
  );
}

if (!isMainThread && parentPort !== null && (workerData as { role?: string } | null)?.role === ROLE)
  serve(parentPort);
