/**
 * Moves what was written from the write-ahead log into the database file, on a thread of its own: a checkpoint waits
 * for the disk twice, and on the main thread everybody would wait with it. Both ends: how the thread is asked, and what
 * it does. Reads no record; a thread that fails leaves the work to SQLite's own way.
 */
import { DatabaseSync } from "node:sqlite";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

export interface Checkpointer {
  /** To be called after each transaction; never waits. */
  wrote(): void;
  /** Settles when the thread has let go of the database. */
  close(): Promise<void>;
}

export interface CheckpointerParts {
  /** The database file. */
  readonly path: string;
  /** Told once, when the thread cannot do it: somebody else has to. */
  readonly onFailure: (reason: string) => void;
}

/** About as often as SQLite itself would: a job's transaction writes five pages or so, and SQLite counts to 1,000. */
const EVERY_WRITES = 200;

/** The thread starts with the first checkpoint: a bridge with a job a day has none. */
export function createCheckpointer({ path, onFailure }: CheckpointerParts): Checkpointer {
  let worker: Worker | null = null;
  let ended: Promise<void> = Promise.resolve();
  let writes = 0;
  let isBusy = false;
  let hasFailed = false;
  let isClosing = false;

  function failed(reason: string): void {
    if (hasFailed || isClosing) return;
    hasFailed = true;
    onFailure(reason);
  }

  function start(): Worker {
    const started = new Worker(new URL(import.meta.url), {
      workerData: { role: ROLE, path },
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 },
    });
    started.unref();
    ended = new Promise((resolve) => {
      started.once("exit", () => {
        failed("its thread ended");
        resolve();
      });
    });
    started.on("message", (problem: string | null) => {
      isBusy = false;
      if (problem !== null) failed(problem);
    });
    started.on("error", (error: unknown) => {
      failed(error instanceof Error ? error.message : String(error));
    });
    return started;
  }

  return {
    wrote() {
      writes += 1;
      if (writes < EVERY_WRITES || isBusy || hasFailed || isClosing) return;
      writes = 0;
      isBusy = true;
      worker ??= start();
      worker.postMessage("checkpoint", []);
    },

    async close() {
      isClosing = true;
      worker?.ref();
      worker?.postMessage("close", []);
      await ended;
    },
  };
}

const ROLE = "checkpoint";
/** The main thread goes on writing meanwhile: what came during one checkpoint is in the next. */
const ROUNDS = 3;
/** For the short moment in which the owner's command line writes. */
const BUSY_TIMEOUT_MS = 1_000;

function serve(port: NonNullable<typeof parentPort>, path: string): void {
  const sql = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  sql.exec("PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = NORMAL");
  port.on("message", (order: "checkpoint" | "close") => {
    if (order === "close") {
      sql.close();
      port.close();
      return;
    }
    port.postMessage(checkpoint(sql));
  });
}

/** Passive: it waits for no reader and keeps no writer waiting. null, or what is wrong. */
function checkpoint(sql: DatabaseSync): string | null {
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const row = sql.prepare("PRAGMA wal_checkpoint(PASSIVE)").get();
      if (Number(row?.["log"]) === Number(row?.["checkpointed"])) break;
    }
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

if (!isMainThread && parentPort !== null) {
  const { role, path } = (workerData ?? {}) as { role?: string; path?: string };
  if (role === ROLE && path !== undefined) serve(parentPort, path);
}
