/**
 * An audit log that several processes write at once: one chain, and each of them finds its end anew, behind a lock that
 * the operating system lets go of when its holder dies. For a few lines a minute; who writes many has a log of his own.
 */
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { makeOwnFile } from "../lib/make-own-file.ts";
import { pause } from "../lib/pause.ts";
import { toFields, toStoredEntry, type AuditEntry, type EntryRules } from "./audit-entry.ts";
import { createChainWriter } from "./chain-writer.ts";
import { prepareDirectory } from "./log-files.ts";

export interface SharedAuditLogOptions extends EntryRules {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly keepDays: number;
  readonly keepBytes: number;
}

const DAY_MS = 86_400_000;
const MAX_FILE_BYTES = 16 * 1024 * 1024;
const LOCK_FILE = "lock.sqlite";
const LOCK_PATIENCE_MS = 5_000;
const LOCK_RETRY_MS = 10;
const SQLITE_BUSY = 5;

/** Resolves when the line is on its way to the disk; never rejects: what cannot be kept is told to the owner's log. */
export type RecordShared = (entry: AuditEntry) => Promise<void>;

export function createSharedAuditLog(options: SharedAuditLogOptions): RecordShared {
  const { directory, clock, log, keepDays, keepBytes } = options;
  let turn: Promise<void> = Promise.resolve();

  async function write(entry: AuditEntry): Promise<void> {
    await prepareDirectory(directory);
    const release = await lock(directory, clock);
    // Made anew for each line: the end of the chain may be another process's.
    const writer = createChainWriter({
      directory,
      rules: options,
      now: () => clock.now(),
      maxFileBytes: MAX_FILE_BYTES,
      maxFileAgeMs: Math.min(7, keepDays) * DAY_MS,
      keepMs: keepDays * DAY_MS,
      keepBytes,
    });
    try {
      await writer.append([toFields(toStoredEntry(entry, new Date(clock.now()).toISOString(), options))]);
    } finally {
      await writer.close();
      release();
    }
  }

  return async (entry) => {
    turn = turn.then(async () =>
      write(entry).catch((error: unknown) => {
        log.error(
          { err: error, outcome: "outcome" in entry ? entry.outcome : null },
          "an audit line could not be kept",
        );
      }),
    );
    await turn;
  };
}

async function lock(directory: string, clock: Clock): Promise<() => void> {
  const { DatabaseSync } = await import("node:sqlite");
  const path = join(directory, LOCK_FILE);
  makeOwnFile(path);
  const database = new DatabaseSync(path, { timeout: 0 });
  const deadline = clock.monotonic() + LOCK_PATIENCE_MS;
  for (;;) {
    try {
      database.exec("BEGIN EXCLUSIVE");
      return () => {
        database.close();
      };
    } catch (error) {
      const isBusy = error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
      if (!isBusy || clock.monotonic() > deadline) {
        database.close();
        throw error;
      }
      await pause(clock, LOCK_RETRY_MS, new AbortController().signal);
    }
  }
}
