/**
 * The audit log on disk, as the rest of the bridge sees it: entries wait in memory for the next write, one write
 * takes all that wait. Every write is handed to the operating system at once (kill -9 loses at most the batch that
 * is on its way); once a second what was written goes on to the disk itself, so a power cut may cost that second:
 * a sync per call would cost every answer a disk's latency, to guard against what leaves no bridge to ask.
 * Never throws at whoever records, and never holds more than a bounded number of entries.
 */
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { toFields, type AuditEntry, type LogEntry } from "./audit-entry.ts";
import type { AuditHealth, AuditLog } from "./audit-log.ts";
import { createChainWriter } from "./chain-writer.ts";
import { AuditRefused, codeOf } from "./log-files.ts";
import { newestLines } from "./log-end.ts";
import { createRecentCalls } from "./recent-calls.ts";
import { toRecentCall } from "./recent-entry.ts";

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
const MAX_BATCH_LINES = 500;
const MAX_BATCH_CHARACTERS = 1024 * 1024;
const MAX_WAITING_CHARACTERS = 32 * 1024 * 1024;
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
  const queue = createQueue(options.maxWaiting ?? 10_000);
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
    const fields = toFields(entry, at, options);
    queue.add(fields, at);
    const call = toRecentCall(JSON.parse(`{${fields}}`));
    if (call !== null) recent.note(call.subject, call.recent);
    if (problem === null) wake();
  }

  function wake(): void {
    if (isDraining) return;
    isDraining = true;
    draining = new Promise<void>((resolve) => {
      setImmediate(resolve);
    }).then(drain);
  }

  async function drain(): Promise<void> {
    writingSince = clock.monotonic();
    try {
      for (let batch = takeBatch(); batch.length > 0; batch = takeBatch()) {
        await writer.append(batch);
        queue.done();
        if (problem !== null) log.warn({}, "the audit log is written again");
        problem = null;
        wakeWaiters();
        writingSince = clock.monotonic();
        if (clock.monotonic() - lastSync >= SYNC_EVERY_MS) await sync();
      }
      syncLater();
    } catch (error) {
      fails(error);
    } finally {
      writingSince = null;
      isDraining = false;
    }
  }

  function takeBatch(): readonly string[] {
    return queue.take((lost) => toFields(lost, new Date(clock.now()).toISOString(), options));
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
      await draining;
      if (queue.size() > 0) await drain();
      await writer.sync().catch(fails);
      await writer.close();
      if (queue.size() > 0) log.error({ lost: queue.size() }, "audit entries could not be kept");
    },
  });
}

/** What waits to be written, in order; a batch stays its head until it is `done`. */
function createQueue(maxWaiting: number) {
  let waiting: string[] = [];
  let batch: readonly string[] = [];
  let batchEntries = 0;
  let characters = 0;
  let recorded = 0;
  let written = 0;
  let lost: { count: number; from: string; to: string } | null = null;
  return {
    add(fields: string, at: string): void {
      if (waiting.length + batchEntries >= maxWaiting || characters > MAX_WAITING_CHARACTERS) {
        lost = { count: (lost?.count ?? 0) + 1, from: lost?.from ?? at, to: at };
        return;
      }
      waiting.push(fields);
      characters += fields.length;
      recorded += 1;
    },
    /** The same batch until it is done; [] when there is nothing to write. */
    take(toLostFields: (entry: LogEntry) => string): readonly string[] {
      if (batch.length > 0) return batch;
      let length = 0;
      let taken = 0;
      while (taken < Math.min(waiting.length, MAX_BATCH_LINES) && length < MAX_BATCH_CHARACTERS) {
        length += waiting[taken++]?.length ?? 0;
      }
      const entries = waiting.slice(0, taken);
      waiting = waiting.slice(taken);
      characters -= length;
      batchEntries = taken;
      batch = entries;
      // What was lost came after all that was kept.
      if (lost !== null && waiting.length === 0) {
        batch = [...entries, toLostFields({ type: "lost", ...lost })];
        lost = null;
      }
      return batch;
    },
    done(): void {
      written += batchEntries;
      batch = [];
      batchEntries = 0;
    },
    size: () => waiting.length + batchEntries + (lost?.count ?? 0),
    recorded: () => recorded,
    isWritten: (upTo: number) => written >= upTo,
  };
}
