/**
 * The job database as a file: opened, checked, brought to today's version, and synced to the disk off the main thread.
 * A database that SQLite cannot read is moved aside, never deleted, and never a reason not to start.
 */
import { closeSync, existsSync, fchmodSync, openSync, renameSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fail, ok, type Result } from "../../lib/result.ts";
import { createCheckpointer } from "./checkpointer.ts";
import type { Salvaged } from "./salvage.ts";
import { migrations } from "./schema.ts";

export interface JobDatabase {
  readonly sql: DatabaseSync;
  /** Name of the file that an unreadable database was moved to at this start, or null. */
  readonly movedAside: string | null;
  /** What could still be read of it and is in the new database; null: nothing was moved. */
  readonly salvaged: Salvaged | null;
  /** Settles when everything written so far would survive a loss of power too; until then it survives kill -9. */
  synced(): Promise<void>;
  /** To be called after each transaction, so that the write-ahead log does not grow for ever. */
  wrote(): void;
  close(): Promise<void>;
}

export const DATABASE_FILE = "jobs.sqlite";
const COMPANIONS = ["", "-wal", "-shm"];
/** The owner's command line writes for a millisecond at most. */
const BUSY_TIMEOUT_MS = 250;
/** After so many pages SQLite checkpoints by itself, where nobody else does. */
const SQLITES_OWN_PAGES = 1_000;

/** The failure is one plain line for the owner. `now` names the file of an unreadable database. */
export async function openJobDatabase(directory: string, now: number): Promise<Result<JobDatabase, string>> {
  const path = join(directory, DATABASE_FILE);
  let movedAside: string | null = null;
  try {
    let sql: DatabaseSync;
    try {
      sql = openAndCheck(path);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      movedAside = moveAside(directory, now);
      sql = openAndCheck(path);
    }
    const problem = migrate(sql);
    if (problem !== null) {
      sql.close();
      return fail(problem);
    }
    const salvaged = movedAside === null ? null : await takeOver(join(directory, movedAside), sql);
    const wal = await open(`${path}-wal`, "r+");
    const checkpointer = createCheckpointer({
      path,
      onFailure() {
        if (sql.isOpen) sql.exec(`PRAGMA wal_autocheckpoint = ${SQLITES_OWN_PAGES}`);
      },
    });
    const synced = createSync(async () => wal.datasync());
    return ok({
      sql,
      movedAside,
      salvaged,
      synced,
      wrote: () => {
        checkpointer.wrote();
      },
      async close() {
        await checkpointer.close();
        await synced().catch(() => {}); // whoever waits for one has it before the file goes
        await wal.close();
        sql.close(); // the last connection: SQLite empties the log and removes it
      },
    });
  } catch (error) {
    return fail(
      `the job database cannot be opened: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

async function takeOver(broken: string, sql: DatabaseSync): Promise<Salvaged> {
  const { salvage } = await import("./salvage.ts");
  return salvage(broken, sql);
}

/** Throws `Unreadable` where the file is no sound database. */
function openAndCheck(path: string): DatabaseSync {
  // SQLite gives its companion files the mode of this one.
  const file = openSync(path, "a", 0o600);
  fchmodSync(file, 0o600);
  closeSync(file);
  const sql = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    // NORMAL: a commit survives the end of the process at once; `synced` makes it survive the loss of power.
    sql.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON");
    sql.exec("PRAGMA wal_autocheckpoint = 0");
    const verdict = sql.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
    if (verdict !== "ok") throw new Unreadable(String(verdict));
    return sql;
  } catch (error) {
    sql.close();
    throw error;
  }
}

/** null, or why this database is not for this version. */
function migrate(sql: DatabaseSync): string | null {
  const version = Number(sql.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (version > migrations.length) {
    return (
      `the job database was written by a newer codex-gpt-bridge (its version ${version}, known here up to ` +
      `${migrations.length}); update, or choose another --state-dir`
    );
  }
  sql.exec("BEGIN IMMEDIATE");
  for (const step of migrations.slice(version)) sql.exec(step);
  sql.exec(`PRAGMA user_version = ${migrations.length}; COMMIT`);
  return null;
}

class Unreadable extends Error {}

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

function isUnreadable(error: unknown): boolean {
  if (error instanceof Unreadable) return true;
  if (!(error instanceof Error && "errcode" in error && typeof error.errcode === "number")) return false;
  const code = error.errcode & 0xff;
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

function moveAside(directory: string, now: number): string {
  const name = `${DATABASE_FILE}.unreadable-${new Date(now).toISOString().replaceAll(/[:.]/g, "-")}`;
  for (const companion of COMPANIONS) {
    const from = join(directory, `${DATABASE_FILE}${companion}`);
    if (existsSync(from)) renameSync(from, join(directory, `${name}${companion}`));
  }
  return name;
}

/** Whoever asks while one sync runs shares the next one: what they wrote may have come too late for the first. */
function createSync(syncOnce: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  async function start(): Promise<void> {
    const sync = syncOnce().finally(() => {
      if (running === sync) running = null;
    });
    running = sync;
    return sync;
  }
  return async () => {
    if (running === null) return start();
    next ??= running
      .catch(() => {})
      .then(async () => {
        next = null;
        return start();
      });
    return next;
  };
}
