/**
 * The ledger in SQLite. Whoever reserves reads what was spent and writes what it holds in one transaction that excludes
 * all others. A reservation belongs to a process as long as it renews it: what a killed one left is released when it was
 * never sent, and counts as what it held when it may have been paid for. Nothing of it is ever forgotten within its month.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { fail, ok } from "../../lib/result.ts";
import { inTransaction, migrate, openSqliteFile } from "../../lib/sqlite-file.ts";
import { decideSpend, periodsOf, type Spent } from "../budget.ts";
import type { Ledger, StoredAsk } from "../ledger.ts";

export const LEDGER_FILE = "chatgpt.sqlite";

/** How long a reservation holds without being renewed. */
export const LEASE_MS = 45_000;
const BUSY_TIMEOUT_MS = 3_000;
/** Longer than OpenAI keeps a response, and longer than any month. */
const KEEP_MS = 62 * 86_400_000;

const MIGRATIONS: readonly string[] = [
  `
  -- held: money that the call may cost. cost: what it did, NULL where there is no price.
  CREATE TABLE asks (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    call_id TEXT NOT NULL UNIQUE,
    response_id TEXT,
    project TEXT,
    model TEXT NOT NULL,
    effort TEXT,
    background INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'sent', 'settled')),
    created_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    held_usd REAL NOT NULL,
    cost_usd REAL,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX asks_by_time ON asks (created_at);
  CREATE INDEX asks_by_project ON asks (project, seq) WHERE response_id IS NOT NULL;
  CREATE UNIQUE INDEX asks_by_response ON asks (response_id) WHERE response_id IS NOT NULL;
  `,
];

/** Throws where there is no ledger to be had. */
export function openLedger(directory: string): Ledger {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return createLedger(openSqliteFile(join(directory, LEDGER_FILE), prepare, BUSY_TIMEOUT_MS));
}

function prepare(sql: DatabaseSync): void {
  // A commit survives the end of the process at once; NORMAL leaves the moment of a power cut to chance.
  switchToWal(sql);
  sql.exec("PRAGMA synchronous = NORMAL");
  if (migrate(sql, MIGRATIONS) !== null)
    throw new Error(`${LEDGER_FILE} was written by a newer version; update`);
}

const WAL_TRIES = 50;

/** The one statement that does not wait its turn by itself where several processes open a new file at once. */
function switchToWal(sql: DatabaseSync): void {
  for (let tries = 1; ; tries++) {
    try {
      sql.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (tries === WAL_TRIES) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

function createLedger(sql: DatabaseSync): Ledger {
  const releaseUnsent = sql.prepare("DELETE FROM asks WHERE state = 'reserved' AND lease_until < ?");
  const prune = sql.prepare("DELETE FROM asks WHERE created_at < ?");
  const spentSince = sql.prepare(
    `SELECT total(CASE WHEN state = 'settled' THEN coalesce(cost_usd, 0)
                       WHEN state = 'sent' AND lease_until < :now THEN held_usd ELSE 0 END) AS usd,
            total(CASE WHEN state = 'settled' OR (state = 'sent' AND lease_until < :now) THEN 0 ELSE held_usd END) AS held
     FROM asks WHERE created_at >= :since`,
  );
  const insert = sql.prepare(
    `INSERT INTO asks (call_id, project, model, effort, background, state, created_at, lease_until, held_usd)
     VALUES (?, ?, ?, ?, ?, 'reserved', ?, ?, ?)`,
  );
  const markSent = sql.prepare("UPDATE asks SET state = 'sent' WHERE call_id = ? AND state = 'reserved'");
  const extend = sql.prepare("UPDATE asks SET lease_until = ? WHERE call_id = ? AND state <> 'settled'");
  const markAccepted = sql.prepare(
    "UPDATE OR IGNORE asks SET state = 'sent', response_id = ? WHERE call_id = ?",
  );
  const markSettled = sql.prepare(
    `UPDATE asks SET state = 'settled', cost_usd = ?, input_tokens = coalesce(?, input_tokens),
     output_tokens = coalesce(?, output_tokens) WHERE call_id = ?`,
  );
  const newest = sql.prepare(
    "SELECT * FROM asks WHERE project IS ? AND response_id IS NOT NULL ORDER BY seq DESC LIMIT 1",
  );
  const byResponse = sql.prepare("SELECT * FROM asks WHERE response_id = ?");

  const spent = (since: number, now: number): Spent => {
    const row = spentSince.get({ since, now });
    return { usd: Number(row?.["usd"]), heldUsd: Number(row?.["held"]) };
  };

  return {
    reserve(ask, caps) {
      const { callId, project, model, effort, background, heldUsd, now } = ask;
      return inTransaction(sql, () => {
        releaseUnsent.run(now);
        prune.run(now - KEEP_MS);
        const { dayStart, monthStart } = periodsOf(now);
        const all = { day: spent(dayStart, now), month: spent(monthStart, now) };
        const refusal = decideSpend(caps, all, now, model);
        if (refusal !== null) return fail(refusal);
        insert.run(callId, project, model, effort, background ? 1 : 0, now, now + LEASE_MS, heldUsd);
        return ok(null);
      });
    },
    sent(callId) {
      if (markSent.run(callId).changes === 0) throw new Error("the reservation is gone");
    },
    renew(callIds, now) {
      inTransaction(sql, () => {
        for (const callId of callIds) extend.run(now + LEASE_MS, callId);
      });
    },
    accepted(callId, responseId) {
      markAccepted.run(responseId, callId);
    },
    settle(callId, { costUsd, usage }) {
      markSettled.run(costUsd, usage?.inputTokens ?? null, usage?.outputTokens ?? null, callId);
    },
    newest: (project) => toStored(newest.get(project)),
    byResponse: (responseId) => toStored(byResponse.get(responseId)),
    close() {
      sql.close();
    },
  };
}

type Row = ReturnType<ReturnType<DatabaseSync["prepare"]>["get"]>;

function toStored(row: Row): StoredAsk | null {
  if (row === undefined) return null;
  const text = (name: string): string | null => (row[name] === null ? null : String(row[name]));
  return {
    callId: String(row["call_id"]),
    responseId: String(row["response_id"]),
    project: text("project"),
    model: String(row["model"]),
    effort: text("effort"),
    background: row["background"] === 1,
    heldUsd: Number(row["held_usd"]),
    createdAt: Number(row["created_at"]),
    isSettled: row["state"] === "settled",
    inputTokens: Number(row["input_tokens"]),
    outputTokens: Number(row["output_tokens"]),
  };
}
