/**
 * One bridge for one state directory: a lock that the operating system lets go of when the process ends, however it
 * ends. SQLite's own file lock does that on every platform; nothing is ever stored in the file.
 */
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fail, ok, type Result } from "../lib/result.ts";

export interface StateLock {
  release(): void;
}

/** Where there is none. The failure is one plain line for the owner, as everywhere here. */
export async function makeStateDirectory(directory: string): Promise<Result<null, string>> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return ok(null);
  } catch (error) {
    return fail(unusable(error));
  }
}

export async function lockStateDirectory(directory: string): Promise<Result<StateLock, string>> {
  try {
    return await lock(directory);
  } catch (error) {
    return fail(unusable(error));
  }
}

const TAKEN = "another bridge works on this state directory; choose another with --state-dir";

function unusable(error: unknown): string {
  return `the state directory cannot be used: ${error instanceof Error ? error.message : String(error)}`;
}

async function lock(directory: string): Promise<Result<StateLock, string>> {
  const { DatabaseSync } = await import("node:sqlite");
  const path = join(directory, "bridge.lock");
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (isBusy(error)) return fail(TAKEN);
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
