/**
 * The job database as a file: opened, checked, brought to today's version, and synced to the disk off the main thread.
 * A database that SQLite cannot read is moved aside, never deleted, and never a reason not to start.
 */
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { fail, ok, type Result } from "../../lib/result.ts";
import { migrate, openSoundFile, type SoundFile } from "../../lib/sqlite-file.ts";
import { createCheckpointer } from "./checkpointer.ts";
import type { Salvaged } from "./salvage.ts";
import { migrations } from "./schema.ts";

export interface JobDatabase extends SoundFile {
  /** What could still be read of it and is in the new database; null: nothing was moved. */
  readonly salvaged: Salvaged | null;
  /** Settles when everything written so far would survive a loss of power too; until then it survives kill -9. */
  synced(): Promise<void>;
  /** To be called after each transaction, so that the write-ahead log does not grow for ever. */
  wrote(): void;
  close(): Promise<void>;
}

export const DATABASE_FILE = "jobs.sqlite";
// NORMAL: a commit survives the end of the process at once; `synced` makes it survive the loss of power.
const PRAGMAS =
  "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0";
/** After so many pages SQLite checkpoints by itself, where nobody else does. */
const SQLITES_OWN_PAGES = 1_000;

/** The failure is one plain line for the owner. `now` names the file of an unreadable database. */
export async function openJobDatabase(directory: string, now: number): Promise<Result<JobDatabase, string>> {
  const path = join(directory, DATABASE_FILE);
  try {
    const { sql, movedAside } = openSoundFile(path, PRAGMAS, now);
    const newer = migrate(sql, migrations);
    if (newer !== null) {
      sql.close();
      return fail(
        `the job database was written by a newer codex-gpt-bridge (its version ${newer}, known here up to ` +
          `${migrations.length}); update, or choose another --state-dir`,
      );
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
