/**
 * The job database as the owner's command line sees it, whether a bridge works on it or not. Reads only, save for
 * asking the running bridge to end a job.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { JobEvent, JobRecord } from "../job.ts";
import { parseJobRecord } from "../stored.ts";
import { DATABASE_FILE } from "./database.ts";
import { recordsOf, toEvent } from "./job-store.ts";

export interface JobView {
  /** Newest first, of all callers. */
  newest(limit: number): Promise<JobRecord[]>;
  /** By its id, or by the beginning of its id where no other job has the same. */
  find(jobId: string): Promise<JobRecord | null>;
  events(jobId: string, after: number): JobEvent[];
  close(): void;
}

const BUSY_TIMEOUT_MS = 2_000;

/** null: there is no database yet. Throws where it cannot be read. */
export function openJobView(directory: string): JobView | null {
  const path = join(directory, DATABASE_FILE);
  if (!existsSync(path)) return null;
  const sql = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  const newest = sql.prepare("SELECT record FROM jobs ORDER BY seq DESC LIMIT ?");
  const find = sql.prepare("SELECT job_id, record FROM jobs WHERE job_id >= ? AND job_id < ? LIMIT 2");
  const events = sql.prepare(
    `SELECT id, at, type, text FROM events
     WHERE job = (SELECT seq FROM jobs WHERE job_id = ?) AND id > ? ORDER BY id`,
  );
  return {
    newest: async (limit) => recordsOf(newest.all(limit)),

    async find(jobId) {
      const [first, second] = find.all(jobId, `${jobId}\u{10FFFF}`);
      if (first === undefined) return null;
      const isClear = second === undefined || first["job_id"] === jobId;
      return isClear ? parseJobRecord(String(first["record"])) : null;
    },

    events: (jobId, after) => events.all(jobId, after).map(toEvent),

    close() {
      sql.close();
    },
  };
}

/** Asks whichever bridge works on this directory; it looks every 300 ms while jobs run. */
export function requestCancel(directory: string, jobId: string): void {
  withDatabase(directory, (sql) => {
    sql.prepare("INSERT OR IGNORE INTO cancel_requests (job_id) VALUES (?)").run(jobId);
  });
}

/** Nobody took it. */
export function withdrawCancel(directory: string, jobId: string): void {
  withDatabase(directory, (sql) => {
    sql.prepare("DELETE FROM cancel_requests WHERE job_id = ?").run(jobId);
  });
}

function withDatabase(directory: string, work: (sql: DatabaseSync) => void): void {
  const sql = new DatabaseSync(join(directory, DATABASE_FILE), { timeout: BUSY_TIMEOUT_MS });
  try {
    work(sql);
  } finally {
    sql.close();
  }
}
