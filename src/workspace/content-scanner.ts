/**
 * Scans the content of many files on worker threads. The threads start with the first file and end a while after the
 * last; what they found clean is remembered as long as the process lives. Never reads a file on the calling thread.
 */
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { createContentCache, isEmptyCache } from "./content-cache.ts";
import { type ContentAnswer, type ContentBatch, startContentWorker } from "./content-worker.ts";

export interface ContentRun {
  /** Regular files of one directory; as bytes. */
  readonly add: (directory: string, names: readonly string[]) => void;
  /** Enough files wait: the walk should rest until `onProgress`. */
  readonly isFull: () => boolean;
  /** Settles when all files have been judged, or after `stop`; rejects when a thread died. */
  readonly finish: () => Promise<void>;
  readonly stop: () => void;
}

export interface ContentRunParts {
  readonly onAnswer: (answer: ContentAnswer) => void;
  readonly onProgress: () => void;
}

const BATCH_FILES = 200;
const MAX_WAITING_BATCHES = 16;
const MAX_WORKERS = 2;
const IN_FLIGHT_PER_WORKER = 2;
const IDLE_MS = 15_000;
/** A file that is blocked is read on for the values in it; a project full of such files must not take all the time. */
const EXTRA_MIB = 64;

interface Seat {
  readonly worker: Worker;
  running: number;
}

interface Job {
  readonly batch: ContentBatch;
  readonly isStopped: () => boolean;
  readonly settle: (answer: ContentAnswer | Error | null) => void;
}

let cache = createContentCache();
let seats: Seat[] = [];
const jobs: Job[] = [];
const running = new Map<number, Job>();
let nextBatchId = 1;
let idleTimer: NodeJS.Timeout | undefined;

export function startContentRun(parts: ContentRunParts): ContentRun {
  const stopFlag = new Int32Array(new SharedArrayBuffer(4));
  const extra = new Int32Array(new SharedArrayBuffer(4)).fill(EXTRA_MIB);
  const all = Promise.withResolvers<void>();
  all.promise.catch(() => undefined); // `finish` may be asked for later, or never
  const isCold = isEmptyCache(cache.words);
  let files: { directory: string; names: string }[] = [];
  let gathered = 0;
  let open = 0;
  let isFinishing = false;
  let stopped = false;
  const settle = (answer: ContentAnswer | Error | null): void => {
    open--;
    if (answer instanceof Error) all.reject(answer);
    else if (answer !== null && !stopped) {
      cache.add(answer.clean);
      parts.onAnswer(answer);
    }
    if (open === 0 && isFinishing) all.resolve();
    parts.onProgress();
  };
  const flush = (): void => {
    if (files.length === 0) return;
    const batch = { batchId: nextBatchId++, cache: cache.words, isCold, stop: stopFlag, extra, files };
    files = [];
    gathered = 0;
    open++;
    jobs.push({ batch, isStopped: () => stopped, settle });
    dispatch();
  };
  return {
    add: (directory, names) => {
      for (let from = 0; from < names.length; from += BATCH_FILES) {
        const part =
          from === 0 && names.length <= BATCH_FILES ? names : names.slice(from, from + BATCH_FILES);
        files.push({ directory, names: part.join("/") });
        gathered += part.length;
        if (gathered >= BATCH_FILES) flush();
      }
    },
    isFull: () => open > MAX_WAITING_BATCHES,
    finish: () => {
      isFinishing = true;
      flush();
      if (open === 0) all.resolve();
      return all.promise;
    },
    stop: () => {
      stopped = true;
      Atomics.store(stopFlag, 0, 1);
      all.resolve();
    },
  };
}

/** The next scan reads everything again. */
export function forgetCleanFiles(): void {
  cache = createContentCache();
}

function dispatch(): void {
  clearTimeout(idleTimer);
  while (jobs.length > 0) {
    const seat = freeSeat();
    if (seat === null) return;
    const job = jobs.shift();
    if (job === undefined) return;
    if (job.isStopped()) {
      job.settle(null);
      continue;
    }
    running.set(job.batch.batchId, job);
    if (seat.running++ === 0) seat.worker.ref();
    seat.worker.postMessage(job.batch, []);
  }
  if (running.size === 0) {
    idleTimer = setTimeout(endWorkers, IDLE_MS);
    idleTimer.unref();
  }
}

/** A seat with nothing to do; else a new one while there are processors for it; else the one with the least to do. */
function freeSeat(): Seat | null {
  let least: Seat | null = null;
  for (const seat of seats) if (least === null || seat.running < least.running) least = seat;
  if (least !== null && least.running === 0) return least;
  if (seats.length < Math.min(MAX_WORKERS, availableParallelism())) return takeSeat();
  return least !== null && least.running < IN_FLIGHT_PER_WORKER ? least : null;
}

function takeSeat(): Seat {
  const seat: Seat = { worker: startContentWorker(), running: 0 };
  seats.push(seat);
  seat.worker.on("message", (answer: ContentAnswer) => {
    if (--seat.running === 0) seat.worker.unref();
    const job = running.get(answer.batchId);
    running.delete(answer.batchId);
    job?.settle(answer);
    dispatch();
  });
  seat.worker.on("error", (error: Error) => {
    loseSeat(seat, error);
  });
  seat.worker.on("exit", () => {
    loseSeat(seat, new Error("the content scan's thread ended"));
  });
  return seat;
}

/** A thread that died takes all that runs with it: which batch it had is not worth knowing, the scan is incomplete. */
function loseSeat(seat: Seat, error: Error): void {
  if (!seats.includes(seat)) return;
  seats = seats.filter((other) => other !== seat);
  const lost = [...running.values()];
  running.clear();
  for (const job of lost) job.settle(error);
  dispatch();
}

function endWorkers(): void {
  const ending = seats;
  seats = [];
  for (const { worker } of ending) void worker.terminate();
}
