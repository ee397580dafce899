/**
 * What waits to be written to the audit log, in order and in memory. A batch stays at the head until it is `done`;
 * what there is no room for is counted, and the count is written as an entry of its own.
 */
import type { LogEntry } from "./audit-entry.ts";

/** Small enough that making its lines keeps the process from nothing else for more than a few milliseconds. */
const MAX_BATCH_LINES = 500;
const MAX_BATCH_CHARACTERS = 1024 * 1024;
const MAX_WAITING_CHARACTERS = 32 * 1024 * 1024;

/** `maxWaiting` entries are held at most. */
export function createWriteQueue(maxWaiting: number) {
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
