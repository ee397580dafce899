/** The port of the audit log: every call that reached the bridge and every job's end, on record. Decides nothing. */
import type { AuditEntry } from "./audit-entry.ts";
import type { RecentCall } from "./recent-calls.ts";

export interface AuditLog {
  /** Takes an entry in and returns at once. Never throws: what cannot be kept is counted, and `health` tells. */
  record(entry: AuditEntry): void;
  /**
   * Resolves when everything recorded so far has been handed to the operating system, so that not even kill -9 of
   * this process loses it; at once when there is nothing to wait for. Never rejects and never waits longer than a
   * second: where writing fails or hangs it resolves too, and `health` tells.
   */
  flushed(): Promise<void>;
  /** The newest calls of a subject, newest first, at most 20; those of earlier runs included. */
  recent(subject: string, n: number): RecentCall[];
  health(): AuditHealth;
  /** Writes what waits, once, and lets go of the file. Entries recorded later are not kept. Never rejects. */
  close(): Promise<void>;
}

/** `reason` is for the owner and for `bridge_status`: it has no path in it. */
export type AuditHealth = { readonly ok: true } | { readonly ok: false; readonly reason: string };
