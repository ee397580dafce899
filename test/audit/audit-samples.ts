/** Entries and logs for the tests of the audit log. */
import { mkdtempSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CallEntry } from "../../src/audit/audit-entry.ts";
import type { AuditLog } from "../../src/audit/audit-log.ts";
import { openFileAuditLog, type FileAuditLogOptions } from "../../src/audit/file-audit-log.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";

export function makeDirectory(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), "audit-")));
}

export function call(more: Partial<CallEntry> = {}): CallEntry {
  return {
    type: "call",
    requestId: "V1StGXR8_Z5jdHi6B-myT",
    subject: "owner",
    via: "static-token",
    tool: "codex_run",
    http: null,
    outcome: "answered",
    project: "app",
    sandbox: "read-only",
    jobId: "job-1",
    threadId: null,
    conversation: null,
    prompt: null,
    durationMs: 12,
    redactions: 0,
    ...more,
  };
}

export async function openLog(directory: string, more: Partial<FileAuditLogOptions> = {}): Promise<AuditLog> {
  const opened = await openFileAuditLog({
    directory,
    prompts: "hash",
    redact: (text) => text,
    clock: systemClock,
    log: silentLog,
    ...more,
  });
  if (!opened.ok) throw new Error(opened.failure);
  return opened.value;
}

/** Every file of the log, oldest first, `audit.log` last. */
export function filesOf(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith(".log"))
    .toSorted((a, b) => Number(a === "audit.log") - Number(b === "audit.log") || (a < b ? -1 : 1));
}

export function linesOf(directory: string): Record<string, unknown>[] {
  return filesOf(directory)
    .flatMap((name) => readFileSync(join(directory, name), "utf8").split("\n"))
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
