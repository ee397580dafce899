/** Which ends of jobs the audit log has: a kill between a job's last save and its line would lose the line for ever. */
import type { JobRecord } from "../job.ts";
import type { JobDatabase } from "./database.ts";
import { recordsOf } from "./job-store.ts";

export interface AuditedEnds {
  /** Jobs that have ended and of which nobody has said that the log has them; the first to end first. */
  missing(): Promise<JobRecord[]>;
  /** The log has their ends. Throws where the database cannot be written. */
  note(jobIds: readonly string[]): void;
}

export function createAuditedEnds(database: JobDatabase): AuditedEnds {
  const { sql } = database;
  const missing = sql.prepare(
    "SELECT record FROM jobs WHERE is_audited = 0 AND ended IS NOT NULL ORDER BY ended",
  );
  const note = sql.prepare("UPDATE jobs SET is_audited = 1 WHERE job_id IN (SELECT value FROM json_each(?))");
  return {
    missing: async () => recordsOf(missing.all()),
    note(jobIds) {
      note.run(JSON.stringify(jobIds));
      database.wrote();
    },
  };
}
