/**
 * The audit log on disk, as the rest of the bridge sees it: entries wait in memory for the next write, one write
 * takes all that wait. Every write is handed to the operating system at once (kill -9 loses at most the batch that
 * is on its way); once a second what was written goes on to the disk itself, so a power cut may cost that second:
 * a sync per call would cost every answer a disk's latency, to guard against what leaves no bridge to ask.
 * Never throws at whoever records, and never holds more than a bounded number of entries.
 */
import { setImmediate as turnOfLoop } from "node:timers/promises";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { toFields, toStoredEntry, toStoredNote, type AuditEntry } from "./audit-entry.ts";
import type { AuditHealth, AuditLog } from "./audit-log.ts";
import { createChainWriter } from "./chain-writer.ts";
import { AuditRefused, codeOf } from "./log-files.ts";
import { newestLines } from "./log-end.ts";
import { createRecentCalls } from "./recent-calls.ts";
import { toRecentCall } from "./recent-entry.ts";
import { createWriteQueue } from "./write-queue.ts";

export interface FileAuditLogOptions {
  readonly directory: string;
  readonly prompts: "hash" | "full";
  readonly redact: (text: string) => string;
  readonly clock: Clock;
  readonly log: Log;
  readonly keepDays?: number;
  readonly keepBytes?: number;
  readonly maxFileBytes?: number;
  /** Entries kept while writing fails; beyond it they are counted as lost. */
  readonly maxWaiting?: number;
}

const DAY_MS = 86_400_000;
const SYNC_EVERY_MS = 1_000;
const RETRY_MS = 1_000;
const PATIENCE_MS = 1_000;
const HANGS_AFTER_MS = 5_000;
const SEEDS = 200;

/** Refuses where a link, or another user's file, lies in the log's place. A full or failing disk is no refusal: see `health`. */
export async function openFileAuditLog(options: FileAuditLogOptions): Promise<Result<AuditLog, string>> {
  const { directory, clock, log } = options;
  const { keepDays = 30, keepBytes = 512 * 1024 * 1024, maxFileBytes = 16 * 1024 * 1024 } = options;
  const writer = createChainWriter({
    directory,
    rules: options,
    now: () => clock.now(),
    maxFileBytes,
    // A file goes as a whole: without this, the first line of a quiet year would stay as long as the last.
    maxFileAgeMs: Math.min(7, keepDays) * DAY_MS,
    keepMs: keepDays * DAY_MS,
    keepBytes,
  });
  const queue = createWriteQueue(options.maxWaiting ?? 10_000);
  const recent = createRecentCalls();
  const waiters = new Set<{ readonly upTo: number; readonly wake: () => void }>();
  let problem: string | null = null;
  let isDraining = false;
  let draining: Promise<void> = Promise.resolve();
  let writingSince: number | null = null;
  let lastSync = clock.monotonic();
  let stopTimer: (() => void) | null = null;
  let isClosed = false;

  try {
    await writer.open();
    const seeds = await newestLines(directory, SEEDS, ({ entry }) => toRecentCall(entry) !== null);
    for (const { line } of seeds.toReversed()) {
      const call = toRecentCall(line.entry);
      if (call !== null) recent.note(call.subject, call.recent);
    }
  } catch (error) {
    if (error instanceof AuditRefused) return fail(error.message);
    fails(error);
  }

  function record(entry: AuditEntry): void {
    if (isClosed) return;
    const at = new Date(clock.now()).toISOString();
    const stored = toStoredEntry(entry, at, options);
    queue.add(toFields(stored), at);
    const call = toRecentCall(stored);
    if (call !== null) recent.note(call.subject, call.recent);
    if (problem === null) wake();
  }

  function wake(): void {
    if (isDraining) return;
    isDraining = true;
    draining = turnOfLoop().then(drain);
  }

  async function drain(): Promise<void> {
    writingSince = clock.monotonic();
    try {
      await writer.open();
      for (let batch = takeBatch(); batch.length > 0; batch = takeBatch()) {
        await writer.append(batch);
        queue.done();
        recovers();
        wakeWaiters();
        writingSince = clock.monotonic();
        if (clock.monotonic() - lastSync >= SYNC_EVERY_MS) await sync();
        else if (queue.size() > 0) await turnOfLoop();
      }
      recovers();
      syncLater();
    } catch (error) {
      fails(error);
    } finally {
      writingSince = null;
      isDraining = false;
    }
  }

  function takeBatch(): readonly string[] {
    return queue.take((lost) => toFields(toStoredNote(lost, new Date(clock.now()).toISOString(), options)));
  }

  async function sync(): Promise<void> {
    lastSync = clock.monotonic();
    await writer.sync();
  }

  /** The last lines before a silence reach the disk too. */
  function syncLater(): void {
    if (isClosed || stopTimer !== null) return;
    stopTimer = clock.after(SYNC_EVERY_MS, () => {
      stopTimer = null;
      if (!isDraining) void sync().catch(fails);
    });
  }

  function fails(error: unknown): void {
    if (problem === null) log.error({ err: error, waiting: queue.size() }, "the audit log cannot be written");
    problem = `the audit log cannot be written (${codeOf(error) ?? "unexpected"})`;
    for (const waiter of waiters) waiter.wake();
    if (isClosed) return;
    stopTimer?.();
    stopTimer = clock.after(RETRY_MS, () => {
      stopTimer = null;
      wake();
    });
  }

  function recovers(): void {
    if (problem !== null) log.warn({}, "the audit log is written again");
    problem = null;
  }

  function wakeWaiters(): void {
    for (const waiter of waiters) if (queue.isWritten(waiter.upTo)) waiter.wake();
  }

  function health(): AuditHealth {
    if (problem !== null) return { ok: false, reason: problem };
    if (writingSince !== null && clock.monotonic() - writingSince > HANGS_AFTER_MS) {
      return { ok: false, reason: "a write to the audit log does not end" };
    }
    return { ok: true };
  }

  async function finish(): Promise<void> {
    await draining;
    if (queue.size() > 0) await drain();
    await writer.sync().catch(fails);
    await writer.close();
  }

  async function passed(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      clock.after(ms, resolve);
    });
  }

  return ok({
    record,
    health,
    recent: (subject, n) => recent.of(subject).slice(0, n),

    async flushed() {
      const upTo = queue.recorded();
      if (problem !== null || queue.isWritten(upTo)) return;
      await new Promise<void>((resolve) => {
        const stop = clock.after(PATIENCE_MS, wakeUp);
        const waiter = { upTo, wake: wakeUp };
        function wakeUp(): void {
          waiters.delete(waiter);
          stop();
          resolve();
        }
        waiters.add(waiter);
      });
    },

    async close() {
      if (isClosed) return;
      isClosed = true;
      stopTimer?.();
      await Promise.race([finish(), passed(PATIENCE_MS)]);
      if (queue.size() > 0) log.error({ lost: queue.size() }, "audit entries could not be kept");
    },
  });
}
