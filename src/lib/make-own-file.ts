import { chmodSync, closeSync, openSync } from "node:fs";

/**
 * An empty file for the owner alone, where there is none; for SQLite, which would give it the mode of the day and gives
 * its companion files the mode of this one. A file that is there is not even opened: closing it again would let go of
 * every lock that this process holds on it (POSIX).
 */
export function makeOwnFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    chmodSync(path, 0o600);
  }
}
