/**
 * One bridge for one state directory: a lock that the operating system lets go of when the process ends, however it
 * ends. SQLite's own file lock does that on every platform; nothing is ever stored in the file.
 */
import { existsSync } from "node:fs";
import { chmod, mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { fail, ok, type Result } from "../lib/result.ts";

export interface StateLock {
  release(): void;
}

/** Where there is none. The failure is one plain line for the owner, as everywhere here. */
export async function makeStateDirectory(directory: string): Promise<Result<null, string>> {
  try {
    await makeDirectory(directory);
    return ok(null);
  } catch (error) {
    return fail(unusable(error));
  }
}

/** With all above it. Not `recursive`: below /proc, where nothing can be made, Node's own never comes back. */
async function makeDirectory(directory: string): Promise<void> {
  const missing: string[] = [];
  for (let path = directory; !(await isDirectory(path)); path = dirname(path)) missing.push(path);
  for (const path of missing.toReversed()) {
    await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error; // another process was faster; what lies there shows when it is used
    });
  }
}

/** Throws where it cannot be told, or where something else has the name. */
async function isDirectory(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
    throw new Error(`${path} is no directory`);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}

export async function lockStateDirectory(directory: string): Promise<Result<StateLock, string>> {
  try {
    return await lock(directory);
  } catch (error) {
    return fail(unusable(error));
  }
}

const LOCK_FILE = "bridge.lock";
/** Whoever only looks whether a bridge works here holds the file for a moment, and so does who tries to take it. */
const PATIENCE_MS = 300;
const TAKEN = "another bridge works on this state directory; choose another with --state-dir";

function unusable(error: unknown): string {
  return `the state directory cannot be used: ${error instanceof Error ? error.message : String(error)}`;
}

async function lock(directory: string): Promise<Result<StateLock, string>> {
  const locked = await lockFile(join(directory, LOCK_FILE));
  return locked === null ? fail(TAKEN) : ok(locked);
}

/** Makes the file where there is none, and leaves it. null: somebody else has it. Throws where it cannot be used. */
export async function lockFile(path: string): Promise<StateLock | null> {
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(path, { timeout: 0 });
  const giveUpAt = performance.now() + PATIENCE_MS;
  try {
    while (!isTaken(database)) {
      if (performance.now() > giveUpAt) {
        database.close();
        return null;
      }
      // Of two that come at the same instant, each holds a part of the lock for a moment. In step they would give up
      // together; and SQLite's own waiting is in step.
      await sleep(5 + Math.random() * 25);
    }
    await chmod(path, 0o600);
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    release() {
      database.close();
    },
  };
}

/** The lock is the open transaction. */
function isTaken(database: DatabaseSync): boolean {
  try {
    database.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (isBusy(error)) return false;
    throw error;
  }
}

/** Does a bridge work on this directory now? Looks only, and never waits. */
export async function isStateLocked(directory: string): Promise<boolean> {
  const path = join(directory, LOCK_FILE);
  if (!existsSync(path)) return false;
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    database.exec("SELECT count(*) FROM sqlite_schema");
    return false;
  } catch (error) {
    if (isBusy(error)) return true;
    throw error;
  } finally {
    database.close();
  }
}

const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
}
