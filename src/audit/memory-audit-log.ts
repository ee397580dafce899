/** The audit log in memory: for tests and for the demo. Keeps nothing across a restart. */
import type { Clock } from "../lib/clock.ts";
import { toFields, toStoredEntry, type AuditEntry, type EntryRules } from "./audit-entry.ts";
import type { AuditLog } from "./audit-log.ts";
import { GENESIS, seal, type Link } from "./chain.ts";
import { createRecentCalls } from "./recent-calls.ts";
import { toRecentCall } from "./recent-entry.ts";

export interface MemoryAuditLog extends AuditLog {
  /** The lines as they would stand in the file, oldest first. */
  lines(): readonly string[];
}

const MAX_LINES = 10_000;

export function createMemoryAuditLog(rules: EntryRules, clock: Clock): MemoryAuditLog {
  const recent = createRecentCalls();
  let lines: string[] = [];
  let head: Link = GENESIS;
  let isClosed = false;
  return {
    record(entry: AuditEntry) {
      if (isClosed) return;
      const stored = toStoredEntry(entry, new Date(clock.now()).toISOString(), rules);
      const { line, link } = seal(head, toFields(stored));
      head = link;
      lines.push(line);
      if (lines.length > MAX_LINES) lines = lines.slice(-MAX_LINES / 2);
      const call = toRecentCall(stored);
      if (call !== null) recent.note(call.subject, call.recent);
    },
    flushed: async () => {},
    recent: (subject, n) => recent.of(subject).slice(0, n),
    health: () => ({ ok: true }),
    close: async () => {
      isClosed = true;
    },
    lines: () => lines,
  };
}
