/** Jobs in SQLite, behind the JobStore port. Every write is one transaction. The oldest finished jobs go first. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { fail, ok } from "../../lib/result.ts";
import { isFinal, type JobEvent, type JobRecord } from "../job.ts";
import type { JobStore } from "../store.ts";
import { parseJobRecord } from "../stored.ts";
import type { JobDatabase } from "./database.ts";
import { createRetention, type RetentionLimits } from "./retention.ts";
import { inTransaction } from "../../lib/sqlite-file.ts";

export interface SqliteJobStore extends JobStore {
  /** Removes what is too old or too much, a few at most; true: there may be more. Throws as SQLite does. */
  prune(): boolean;
}

export function createSqliteJobStore(
  database: JobDatabase,
  limits: RetentionLimits,
  now: () => number,
): SqliteJobStore {
  const { sql } = database;
  const statements = prepare(sql);
  const retention = createRetention(sql, limits);
  let total = Number(sql.prepare("SELECT count(*) AS n FROM jobs").get()?.["n"]);
  total -= inTransaction(sql, () => retention.prune(now(), AT_START));
  retention.settle();

  async function recordOf(row: Row | undefined): Promise<JobRecord | null> {
    return row === undefined ? null : parseJobRecord(String(row["record"]));
  }

  return {
    prune() {
      const removed = inTransaction(sql, () => retention.prune(now(), AT_END));
      retention.settle();
      total -= removed;
      if (removed > 0) database.wrote();
      return removed === AT_END;
    },

    async insert(job) {
      const { jobId, caller, conversation, requestId, createdAt, finishedAt } = job;
      const ended = isFinal(job.state) ? retention.nextEnd() : null;
      const stored = JSON.stringify(job);
      const { changes } = statements.insert.run(
        jobId,
        caller,
        conversation,
        requestId,
        createdAt,
        finishedAt,
        ended,
        stored,
      );
      if (changes === 0) {
        const twin = await recordOf(statements.byRequest.get(caller, requestId));
        if (twin === null) throw new Error("a job was not inserted, and there is no twin");
        return fail({ twin });
      }
      database.wrote();
      if (ended !== null) retention.add({ jobs: 1, bytes: 0 });
      total += 1;
      await database.synced();
      return ok(job);
    },

    async save(job, events) {
      const known = statements.key.get(job.jobId);
      if (known === undefined) return;
      const isEnd = isFinal(job.state);
      const endsNow = isEnd && known["ended"] === null;
      const seq = Number(known["seq"]);
      const removed = inTransaction(sql, () => {
        write(seq, job, events);
        if (isEnd) statements.trim.run(seq, seq, KEPT_EVENTS - 1);
        if (!endsNow) return 0;
        const bytes = sizeOf(job) + Number(statements.eventBytes.get(seq)?.["bytes"] ?? 0);
        statements.end.run(job.finishedAt, retention.nextEnd(), bytes, seq);
        return retention.prune(now(), AT_END, { jobs: 1, bytes });
      });
      database.wrote();
      total -= removed;
      if (endsNow) retention.settle();
      // Nobody waits: until it is there, the answer survives kill -9, and Codex's own thread has it too.
      if (isEnd) void database.synced().catch(() => {});
    },

    async findByRequest(caller, requestId) {
      return recordOf(statements.byRequest.get(caller, requestId));
    },

    async get(jobId) {
      return recordOf(statements.get.get(jobId));
    },

    async find({ caller, conversation, limit }) {
      const rows =
        conversation === undefined
          ? statements.newest.all(caller, limit)
          : statements.newestOfConversation.all(caller, conversation, limit);
      return recordsOf(rows);
    },

    async events(jobId, after, limit) {
      return statements.events.all(jobId, after, limit).map(toEvent);
    },

    async count() {
      return total;
    },

    async unfinished() {
      return recordsOf(statements.unfinished.all());
    },

    async countStarted(caller, after, until) {
      const row = statements.started.get(caller, after, until);
      const firstAt = row?.["first"] ?? null;
      return { count: Number(row?.["n"] ?? 0), firstAt: firstAt === null ? null : Number(firstAt) };
    },
  };

  function write(seq: number, job: JobRecord, events: readonly JobEvent[]): void {
    statements.update.run(JSON.stringify(job), seq);
    for (const { id, at, type, text } of events) statements.addEvent.run(seq, id, at, type, text);
  }
}

/** A finished job keeps the end of its story. */
const KEPT_EVENTS = 200;
const EVENT_BYTES = 40;
/** At most so many jobs go at once: a save must stay short. */
const AT_START = 2_000;
const AT_END = 20;

type Row = ReturnType<StatementSync["get"]>;

function prepare(sql: DatabaseSync) {
  return {
    insert: sql.prepare(
      `INSERT INTO jobs (job_id, caller, conversation, request_id, created_at, finished_at, ended, record)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (caller, request_id) WHERE request_id IS NOT NULL DO NOTHING`,
    ),
    key: sql.prepare("SELECT seq, ended FROM jobs WHERE job_id = ?"),
    update: sql.prepare("UPDATE jobs SET record = ? WHERE seq = ?"),
    end: sql.prepare("UPDATE jobs SET finished_at = ?, ended = ?, bytes = ?, is_audited = 0 WHERE seq = ?"),
    addEvent: sql.prepare("INSERT OR IGNORE INTO events (job, id, at, type, text) VALUES (?, ?, ?, ?, ?)"),
    trim: sql.prepare(
      `DELETE FROM events WHERE job = ? AND id <
       (SELECT id FROM events WHERE job = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
    ),
    eventBytes: sql.prepare(`SELECT total(length(text) + ${EVENT_BYTES}) AS bytes FROM events WHERE job = ?`),
    byRequest: sql.prepare("SELECT record FROM jobs WHERE caller = ? AND request_id = ?"),
    get: sql.prepare("SELECT record FROM jobs WHERE job_id = ?"),
    newest: sql.prepare("SELECT record FROM jobs WHERE caller = ? ORDER BY seq DESC LIMIT ?"),
    newestOfConversation: sql.prepare(
      "SELECT record FROM jobs WHERE caller = ? AND conversation = ? ORDER BY seq DESC LIMIT ?",
    ),
    events: sql.prepare(
      `SELECT id, at, type, text FROM events
       WHERE job = (SELECT seq FROM jobs WHERE job_id = ?) AND id > ? ORDER BY id LIMIT ?`,
    ),
    unfinished: sql.prepare("SELECT record FROM jobs WHERE ended IS NULL ORDER BY seq"),
    started: sql.prepare(
      `SELECT count(*) AS n, min(created_at) AS first FROM jobs
       WHERE caller = ? AND created_at > ? AND created_at <= ?`,
    ),
  };
}

/** In their order. */
export async function recordsOf(rows: readonly Readonly<Record<string, unknown>>[]): Promise<JobRecord[]> {
  return Promise.all(rows.map(async (row) => parseJobRecord(String(row["record"]))));
}

function sizeOf(job: JobRecord): number {
  return Buffer.byteLength(JSON.stringify(job));
}

export function toEvent(row: Readonly<Record<string, unknown>>): JobEvent {
  return {
    id: Number(row["id"]),
    at: Number(row["at"]),
    type: String(row["type"]),
    text: String(row["text"]),
  };
}
