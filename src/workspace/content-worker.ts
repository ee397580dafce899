/**
 * The thread that reads files for the content scan; both of its ends: how it is started, and what it does. Gets batches
 * of names, gives back verdicts, fingerprints of clean files, and the secrets themselves (they stay in this process's
 * memory, for the redactor). Never sends other content, never waits.
 */
import { closeSync, fstatSync, lstatSync, type Stats } from "node:fs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { fingerprintOf, isRemembered } from "./content-cache.ts";
import {
  createScanBuffer,
  type FileVerdict,
  type FoundSecrets,
  openForScan,
  scanFile,
} from "./content-file.ts";
import { below, toFsPath } from "./walk.ts";

export interface ContentBatch {
  readonly batchId: number;
  readonly cache: Int32Array<SharedArrayBuffer>;
  /** Nothing was remembered when the run began: each file is opened without asking first. */
  readonly isCold: boolean;
  /** One number that is not zero when nobody waits for the answer any more. */
  readonly stop: Int32Array<SharedArrayBuffer>;
  /** One number, for the whole run: how many more mebibytes are read for their values alone. */
  readonly extra: Int32Array<SharedArrayBuffer>;
  /** Absolute directories and, joined by `/`, names of regular files in them, as bytes: few strings travel fast. */
  readonly files: readonly { readonly directory: string; readonly names: string }[];
}

export interface ContentAnswer {
  readonly batchId: number;
  /** Absolute paths, as bytes. */
  readonly found: readonly (FileVerdict & { readonly path: string })[];
  /** Pairs of words, for the cache. */
  readonly clean: Int32Array<ArrayBuffer>;
  /** Files with more than one name, by path; the value is the same for all names of one file. */
  readonly shared: ReadonlyMap<string, string>;
  readonly failed: readonly { readonly path: string; readonly code: string }[];
  /** Values to strike out, a bounded number of them. */
  readonly secrets: ReadonlySet<string>;
}

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

/** A file that changed this short a time ago may change again without a new time. */
const SETTLED_MS = 2_000;

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
  const failed: { path: string; code: string }[] = [];
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
  const now = Date.now();
  for (const { directory, names } of batch.files) {
    for (const name of names.split("/")) {
      if (isStopped()) break;
      const path = below(directory, name);
      try {
        scan(path);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? "unknown";
        if (isWorthTelling(code, path)) failed.push({ path, code });
      }
    }
  }
  return { batchId: batch.batchId, found, clean: Int32Array.from(clean), shared, failed, secrets };
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
