/**
 * The sign-ins as a file: who was let in, the keys that sign tokens, the passcode's hash. Everything that a client
 * could present (codes, refresh tokens) is there as a hash only. One that SQLite cannot read is moved aside.
 */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { fail, ok, type Result } from "../../lib/result.ts";
import { IN_MEMORY, migrate, openSoundFile, type SoundFile } from "../../lib/sqlite-file.ts";

export const OAUTH_DATABASE_FILE = "oauth.sqlite";
// FULL: a refresh token that was given out has to survive a loss of power, and there is one an hour.
const PRAGMAS = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";

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

/** `directory` null: in memory. The failure is one plain line for the owner. */
export function openOAuthDatabase(directory: string | null, now: number): Result<SoundFile, string> {
  try {
    const path = directory === null ? IN_MEMORY : join(directory, OAUTH_DATABASE_FILE);
    const opened = openSoundFile(path, PRAGMAS, now);
    if (migrate(opened.sql, migrations) === null) return ok(opened);
    opened.sql.close();
    return fail(
      "the sign-ins were written by a newer codex-gpt-bridge; update, or choose another --state-dir",
    );
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
