/**
 * A SQLite file of ours: made for the owner alone, opened, checked, brought to today's version; one that SQLite cannot
 * read is moved aside, never deleted. Knows no table. Never opens the file beside SQLite: see make-own-file.ts.
 */
import { existsSync, renameSync } from "node:fs";
import { basename } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { makeOwnFile } from "./make-own-file.ts";

/** The owner's command line writes for a millisecond at most. */
const BUSY_TIMEOUT_MS = 250;
export const IN_MEMORY = ":memory:";

/** Throws what SQLite throws, or `prepare`; nothing stays open then. */
export function openSqliteFile(
  path: string,
  prepare: (sql: DatabaseSync) => void,
  timeoutMs = BUSY_TIMEOUT_MS,
): DatabaseSync {
  if (path !== IN_MEMORY) makeOwnFile(path);
  const sql = new DatabaseSync(path, { timeout: timeoutMs });
  try {
    prepare(sql);
    return sql;
  } catch (error) {
    sql.close();
    throw error;
  }
}

export interface SoundFile {
  readonly sql: DatabaseSync;
  /** Name of the file that an unreadable database was moved to, or null. */
  readonly movedAside: string | null;
}

/** A database that is whole: what cannot be read gets a name with `now` in it, and an empty one takes its place. */
export function openSoundFile(path: string, pragmas: string, now: number): SoundFile {
  const open = (): DatabaseSync =>
    openSqliteFile(path, (sql) => {
      sql.exec(pragmas);
      const verdict = sql.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
      if (verdict !== "ok") throw new Unreadable(String(verdict));
    });
  try {
    return { sql: open(), movedAside: null };
  } catch (error) {
    if (path === IN_MEMORY || !isUnreadable(error)) throw error;
    const aside = `${path}.unreadable-${new Date(now).toISOString().replaceAll(/[:.]/g, "-")}`;
    for (const companion of ["", "-wal", "-shm"]) {
      if (existsSync(`${path}${companion}`)) renameSync(`${path}${companion}`, `${aside}${companion}`);
    }
    return { sql: open(), movedAside: basename(aside) };
  }
}

/**
 * Step n brings a database of version n to version n + 1; a step that was released is never changed. null, or the
 * version of a newer program, whose database is left as it is.
 */
export function migrate(sql: DatabaseSync, steps: readonly string[]): number | null {
  return inTransaction(sql, () => {
    const version = Number(sql.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (version > steps.length) return version;
    for (const step of steps.slice(version)) sql.exec(step);
    sql.exec(`PRAGMA user_version = ${steps.length}`);
    return null;
  });
}

/** All or nothing; throws what `work` threw, or what the commit did. */
export function inTransaction<T>(sql: DatabaseSync, work: () => T): T {
  sql.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    sql.exec("COMMIT");
    return result;
  } catch (error) {
    if (sql.isTransaction) sql.exec("ROLLBACK"); // SQLite itself rolls back where the disk is full
    throw error;
  }
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
