/**
 * What can still be read of a database that was moved aside comes into the new one: jobs one by one, with their events,
 * and threads. A row that cannot be read, or that is no record, is left out. Never writes to the old file's tables.
 */
import { DatabaseSync } from "node:sqlite";
import { jobRecord, threadRecord } from "../stored-schemas.ts";
import { inTransaction } from "../../lib/sqlite-file.ts";

export interface Salvaged {
  readonly jobs: number;
  readonly threads: number;
}

/** In a broken tree every step may fail: it is tried this often and no more. */
const MOST_ROWS = 200_000;
const MOST_FAILURES = 5_000;

/** Never throws for what is wrong with the old file; throws where the new one cannot be written. */
export function salvage(path: string, into: DatabaseSync): Salvaged {
  let old: DatabaseSync;
  try {
    old = new DatabaseSync(path);
  } catch {
    return { jobs: 0, threads: 0 };
  }
  try {
    return inTransaction(into, () => ({ jobs: copyJobs(old, into), threads: copyThreads(old, into) }));
  } finally {
    old.close();
  }
}

function copyJobs(old: DatabaseSync, into: DatabaseSync): number {
  const addJob = into.prepare(
    `INSERT OR IGNORE INTO jobs
       (seq, job_id, caller, conversation, request_id, created_at, finished_at, ended, bytes, record)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const addEvent = into.prepare(
    "INSERT OR IGNORE INTO events (job, id, at, type, text) VALUES (?, ?, ?, ?, ?)",
  );
  return eachRow(old, "jobs", (row) => {
    const job = jobRecord.parse(JSON.parse(String(row["record"])));
    const seq = Number(row["seq"]);
    const { jobId, caller, conversation, requestId, createdAt, finishedAt } = job;
    // `ended` is the order of the ends; of a row that does not say, its own place.
    const ended = finishedAt === null ? null : Number(row["ended"] ?? seq);
    const bytes = Number(row["bytes"] ?? 0);
    const record = JSON.stringify(job);
    addJob.run(seq, jobId, caller, conversation, requestId, createdAt, finishedAt, ended, bytes, record);
    try {
      const events = old.prepare("SELECT id, at, type, text FROM events WHERE job = ? ORDER BY id");
      for (const { id, at, type, text } of events.iterate(seq))
        addEvent.run(seq, Number(id), Number(at), String(type), String(text));
    } catch {
      return; // the job is worth more than its story
    }
  });
}

function copyThreads(old: DatabaseSync, into: DatabaseSync): number {
  const add = into.prepare("INSERT OR IGNORE INTO threads (seq, thread_id, record) VALUES (?, ?, ?)");
  return eachRow(old, "threads", (row) => {
    const thread = threadRecord.parse(JSON.parse(String(row["record"])));
    add.run(Number(row["seq"]), thread.threadId, JSON.stringify(thread));
  });
}

/** Newest first, one at a time: behind a page that cannot be read there may be others. Gives back how many `take` took. */
function eachRow(
  old: DatabaseSync,
  table: "jobs" | "threads",
  take: (row: Readonly<Record<string, unknown>>) => void,
): number {
  let taken = 0;
  let failures = 0;
  let below = newestOf(old, table);
  for (let rows = 0; below > 0 && rows < MOST_ROWS && failures < MOST_FAILURES; rows += 1) {
    try {
      const row = old.prepare(`SELECT * FROM ${table} WHERE seq = ?`).get(below);
      if (row !== undefined) {
        take(row);
        taken += 1;
      }
    } catch {
      failures += 1;
    }
    below -= 1;
  }
  return taken;
}

/** The number of the newest row, as far as anything still tells it. */
function newestOf(old: DatabaseSync, table: string): number {
  for (const question of [
    `SELECT max(seq) AS newest FROM ${table}`,
    `SELECT seq AS newest FROM sqlite_sequence WHERE name = '${table}'`,
  ]) {
    try {
      const newest = Number(old.prepare(question).get()?.["newest"] ?? 0);
      if (newest > 0) return newest;
    } catch {
      continue; // that part is broken
    }
  }
  return 0;
}
