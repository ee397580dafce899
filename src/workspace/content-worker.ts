/**
 * The thread that reads files for the content scan; both of its ends: how it is started, and what it does. Gets batches
 * of names, gives back verdicts and fingerprints of clean files. Never sends content, never waits.
 */
import { lstatSync, type Stats } from "node:fs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { fingerprintOf, isRemembered } from "./content-cache.ts";
import { createScanBuffer, type FileVerdict, scanFile } from "./content-file.ts";
import { below, toFsPath } from "./walk.ts";

export interface ContentBatch {
  readonly batchId: number;
  readonly cache: SharedArrayBuffer;
  /** One number that is not zero when nobody waits for the answer any more. */
  readonly stop: SharedArrayBuffer;
  /** Absolute directories and names of regular files in them, as bytes. */
  readonly files: readonly { readonly directory: string; readonly names: readonly string[] }[];
}

export interface ContentAnswer {
  readonly batchId: number;
  /** Absolute paths, as bytes. */
  readonly found: readonly (FileVerdict & { readonly path: string })[];
  /** Pairs of words, for the cache. */
  readonly clean: Int32Array<ArrayBuffer>;
  /** Files with more than one name: `inode` is the same for all names of one file. */
  readonly shared: readonly { readonly path: string; readonly inode: string }[];
  readonly failed: readonly { readonly path: string; readonly code: string }[];
}

const ROLE = "content-scan";

export function startContentWorker(): Worker {
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { role: ROLE },
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 8 },
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
  const stop = new Int32Array(batch.stop);
  const isStopped = (): boolean => Atomics.load(stop, 0) !== 0;
  const found: (FileVerdict & { path: string })[] = [];
  const shared: { path: string; inode: string }[] = [];
  const failed: { path: string; code: string }[] = [];
  const clean: number[] = [];
  for (const { directory, names } of batch.files) {
    for (const name of names) {
      if (isStopped()) break;
      const path = below(directory, name);
      const fsPath = toFsPath(path);
      const stats = lstatSync(fsPath, { throwIfNoEntry: false });
      if (stats === undefined || !stats.isFile()) continue; // gone, or no file any more
      if (stats.nlink > 1) shared.push({ path, inode: `${stats.dev}:${stats.ino}` });
      const [a, b] = fingerprintOf(batch.cache, stats);
      if (stats.size === 0 || isRemembered(batch.cache, a, b)) continue;
      try {
        const verdict = scanFile(fsPath, stats.size, buffer, isStopped);
        if (verdict !== null) found.push({ path, ...verdict });
        else if (!isStopped() && Date.now() - stats.ctimeMs > SETTLED_MS) clean.push(a, b);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? "unknown";
        if (isWorthTelling(code, stats)) failed.push({ path, code });
      }
    }
  }
  return { batchId: batch.batchId, found, clean: Int32Array.from(clean), shared, failed };
}

/** A file of somebody else that this user may not read is closed to Codex too; one's own could be opened. */
function isWorthTelling(code: string, stats: Stats): boolean {
  if (code === "ENOENT" || code === "ELOOP" || code === "ENXIO" || code === "ENOTDIR") return false;
  return code !== "EACCES" || stats.uid === process.getuid?.();
}

if (!isMainThread && parentPort !== null && (workerData as { role?: string } | null)?.role === ROLE)
  serve(parentPort);
