/**
 * One bridge for one state directory: a lock that the operating system lets go of when the process ends, however it
 * ends. SQLite's own file lock does that on every platform; nothing is ever stored in the file.
 */
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { fail, ok, type Result } from "../lib/result.ts";

export interface StateLock {
  release(): void;
}

export async function lockStateDirectory(directory: string): Promise<Result<StateLock, "taken">> {
  const { DatabaseSync } = await import("node:sqlite");
  const path = join(directory, "bridge.lock");
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (isBusy(error)) return fail("taken");
    throw error;
  }
  await chmod(path, 0o600);
  return ok({
    release() {
      database.close();
    },
  });
}

const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
}
