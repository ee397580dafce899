/**
 * Scans names and content below a root on worker threads. The threads start with the first run and end a while after
 * the last; what they found clean, and what directories held, is remembered as long as the process lives. Never touches
 * a disk on the calling thread.
 */
import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { createContentCache, isEmptyCache } from "./content-cache.ts";
import { type ContentAnswer, type ContentBatch, type Place, startContentWorker } from "./content-worker.ts";
import { createDirectoryMemory } from "./directory-memory.ts";
import { below, namesIn } from "./walk.ts";

export interface ContentRun {
  /** Settles when all below the root has been judged, or after `stop`; rejects when a thread died. */
  readonly done: Promise<void>;
  readonly stop: () => void;
}

/** One answer must not keep the event loop long, nor a thread wait for the other at the end. */
const MAX_PLACES = 48;
const MAX_WORKERS = 2;
const IN_FLIGHT_PER_WORKER = 2;
const IDLE_MS = 15_000;
/** A file that is blocked is read on for the values in it; a project full of such files must not take all the time. */
const EXTRA_MIB = 64;

interface Seat {
  readonly worker: Worker;
  running: number;
}

interface Run {
  readonly isWaiting: () => boolean;
  /** To be asked only while it is waiting. */
  readonly nextBatch: () => ContentBatch;
  readonly settle: (answer: ContentAnswer | Error) => void;
}

let cache = createContentCache();
let directories = createDirectoryMemory();
let seats: Seat[] = [];
const runs = new Set<Run>();
const running = new Map<number, Run>();
let nextBatchId = 1;
let idleTimer: NodeJS.Timeout | undefined;

/** `root` is a real, absolute path as bytes. `onAnswer` is called for each part of the tree, in any order. */
export function startContentRun(root: string, onAnswer: (answer: ContentAnswer) => void): ContentRun {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const extra = new Int32Array(new SharedArrayBuffer(4)).fill(EXTRA_MIB);
  const all = Promise.withResolvers<void>();
  const isCold = isEmptyCache(cache.words);
  const waiting: Omit<Place, "known">[] = [{ directory: root, files: null }];
  let open = 0;
  const end = (): void => {
    runs.delete(run);
    waiting.length = 0;
    all.resolve();
  };
  const run: Run = {
    isWaiting: () => waiting.length > 0,
    nextBatch: () => {
      // a few of many, one of a few: so all threads have something to do
      const count = Math.min(MAX_PLACES, Math.ceil(waiting.length / (MAX_WORKERS * IN_FLIGHT_PER_WORKER)));
      open++;
      const places = waiting.splice(-count).map(({ directory, files }) => ({
        directory,
        files,
        known: files === null ? directories.recall(directory) : null,
      }));
      return { batchId: nextBatchId++, root, cache: cache.words, isCold, stop, extra, places };
    },
    settle: (answer) => {
      open--;
      if (!runs.has(run)) return;
      if (answer instanceof Error) {
        all.reject(answer);
        end();
        return;
      }
      cache.add(answer.clean);
      for (const [path, listing] of answer.learned) directories.learn(path, listing);
      for (const { directory, directories: inside, parts } of answer.left) {
        for (const name of namesIn(inside)) waiting.push({ directory: below(directory, name), files: null });
        for (const files of parts) waiting.push({ directory, files });
      }
      onAnswer(answer);
      if (open === 0 && waiting.length === 0) end();
    },
  };
  runs.add(run);
  dispatch();
  return {
    done: all.promise,
    stop: () => {
      Atomics.store(stop, 0, 1);
      end();
    },
  };
}

/** The next scan reads everything again. */
export function forgetCleanFiles(): void {
  cache = createContentCache();
  directories = createDirectoryMemory();
}

function dispatch(): void {
  clearTimeout(idleTimer);
  for (let run = nextRun(); run !== null; run = nextRun()) {
    const seat = freeSeat();
    if (seat === null) return;
    const batch = run.nextBatch();
    running.set(batch.batchId, run);
    if (seat.running++ === 0) seat.worker.ref();
    seat.worker.postMessage(batch, []);
  }
  if (running.size === 0) {
    idleTimer = setTimeout(endWorkers, IDLE_MS);
    idleTimer.unref();
  }
}

/** All runs take turns. */
function nextRun(): Run | null {
  for (const run of runs) {
    if (!run.isWaiting()) continue;
    runs.delete(run);
    runs.add(run);
    return run;
  }
  return null;
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
    const run = running.get(answer.batchId);
    running.delete(answer.batchId);
    run?.settle(answer);
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
  for (const run of lost) run.settle(error);
  dispatch();
}

function endWorkers(): void {
  const ending = seats;
  seats = [];
  for (const { worker } of ending) void worker.terminate();
}
