/**
 * The sign-ins as a file: who was let in, the keys that sign tokens, the passcode's hash. Everything that a client
 * could present (codes, refresh tokens) is there as a hash only. One that SQLite cannot read is moved aside.
 */
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { makeOwnFile } from "../../lib/make-own-file.ts";
import { fail, ok, type Result } from "../../lib/result.ts";

export const OAUTH_DATABASE_FILE = "oauth.sqlite";
const COMPANIONS = ["", "-wal", "-shm"];
/** The owner's command line writes for a millisecond at most. */
const BUSY_TIMEOUT_MS = 250;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** Step n brings a database of version n to version n + 1. A step that was released is never changed. */
const migrations: readonly string[] = [
  `
  -- What the authorization server keeps. id and grant_id are hashes; payload is the library's own record as JSON.
  CREATE TABLE records (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    uid TEXT,
    grant_id TEXT,
    consumed_at INTEGER,
    expires_at INTEGER,
    payload TEXT NOT NULL,
    UNIQUE (kind, id)
  ) STRICT;
  CREATE INDEX records_by_grant ON records (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX records_by_uid ON records (kind, uid) WHERE uid IS NOT NULL;
  CREATE INDEX records_by_end ON records (expires_at) WHERE expires_at IS NOT NULL;

  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
];

export interface OAuthDatabase {
  readonly sql: DatabaseSync;
  /** Name of the file that an unreadable database was moved to, or null. */
  readonly movedAside: string | null;
}

/** `directory` null: in memory. The failure is one plain line for the owner. */
export function openOAuthDatabase(directory: string | null, now: number): Result<OAuthDatabase, string> {
  const path = directory === null ? ":memory:" : join(directory, OAUTH_DATABASE_FILE);
  let movedAside: string | null = null;
  try {
    let sql: DatabaseSync;
    try {
      sql = openAndCheck(path);
    } catch (error) {
      if (directory === null || !isUnreadable(error)) throw error;
      movedAside = moveAside(directory, now);
      sql = openAndCheck(path);
    }
    const version = Number(sql.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (version > migrations.length) {
      sql.close();
      return fail(
        "the sign-ins were written by a newer codex-gpt-bridge; update, or choose another --state-dir",
      );
    }
    sql.exec("BEGIN IMMEDIATE");
    for (const step of migrations.slice(version)) sql.exec(step);
    sql.exec(`PRAGMA user_version = ${migrations.length}; COMMIT`);
    return ok({ sql, movedAside });
  } catch (error) {
    return fail(`the sign-ins cannot be opened: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function readFact(sql: DatabaseSync, name: string): string | null {
  const value = sql.prepare("SELECT value FROM facts WHERE name = ?").get(name)?.["value"];
  return typeof value === "string" ? value : null;
}

export function writeFact(sql: DatabaseSync, name: string, value: string): void {
  sql
    .prepare("INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value")
    .run(name, value);
}

function openAndCheck(path: string): DatabaseSync {
  if (path !== ":memory:") makeOwnFile(path);
  const sql = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    // FULL: a refresh token that was given out has to survive a loss of power, and there is one an hour.
    sql.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    const verdict = sql.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
    if (verdict !== "ok") throw new Unreadable(String(verdict));
    return sql;
  } catch (error) {
    sql.close();
    throw error;
  }
}

class Unreadable extends Error {}

function isUnreadable(error: unknown): boolean {
  if (error instanceof Unreadable) return true;
  if (!(error instanceof Error && "errcode" in error && typeof error.errcode === "number")) return false;
  const code = error.errcode & 0xff;
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

function moveAside(directory: string, now: number): string {
  const name = `${OAUTH_DATABASE_FILE}.unreadable-${new Date(now).toISOString().replaceAll(/[:.]/g, "-")}`;
  for (const companion of COMPANIONS) {
    const from = join(directory, `${OAUTH_DATABASE_FILE}${companion}`);
    if (existsSync(from)) renameSync(from, join(directory, `${name}${companion}`));
  }
  return name;
}
