/** Puts the end of every job into the audit log, once: at its end, or at the next start where a kill came between. */
import { toJobEntry } from "../audit/audit-entry.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import { findJobLines } from "../audit/job-lines.ts";
import type { JobRecord } from "../jobs/job.ts";
import type { AuditedEnds } from "../jobs/sqlite/audited-ends.ts";
import type { Log } from "../lib/log.ts";

export interface JobEnds {
  record(job: JobRecord): void;
  /** For the ends of which an earlier bridge did not get to its line. Never rejects. */
  recordMissing(): Promise<void>;
  /** Settles when what was recorded is noted in the store too. Never rejects. */
  settled(): Promise<void>;
}

export function createJobEnds(parts: {
  readonly audit: AuditLog;
  readonly auditDirectory: string;
  readonly ends: AuditedEnds;
  readonly log: Log;
}): JobEnds {
  const { audit, ends, log } = parts;
  let recorded: string[] = [];
  let noting: Promise<void> | null = null;

  /** Only what is on disk is noted: what is not may be written twice to the store, never be lost to the log. */
  async function note(): Promise<void> {
    while (recorded.length > 0) {
      const jobIds = recorded;
      recorded = [];
      await audit.flushed();
      if (!audit.health().ok) continue; // the next start looks whether the log has them
      try {
        ends.note(jobIds);
      } catch (error) {
        log.debug({ error: String(error) }, "it could not be noted that the audit log has the ends of jobs");
      }
    }
    noting = null;
  }

  function record(job: JobRecord): void {
    audit.record(toJobEntry(job));
    recorded.push(job.jobId);
    noting ??= note();
  }

  return {
    record,

    async recordMissing() {
      try {
        const missing = await ends.missing();
        if (missing.length === 0) return;
        const known = await findJobLines(parts.auditDirectory, new Set(missing.map(({ jobId }) => jobId)));
        for (const job of missing) if (!known.has(job.jobId)) record(job);
        ends.note([...known]);
      } catch (error) {
        log.warn(
          { error: String(error) },
          "it could not be told whether the audit log has the ends of all jobs",
        );
      }
    },

    async settled() {
      await noting;
    },
  };
}
