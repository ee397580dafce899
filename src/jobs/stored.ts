/**
 * Records as they are stored: JSON text in, a record or an error out. The one place where stored text becomes a
 * record; docs/storage.md shows each as an example, and a test reads those examples through here. The schemas are
 * loaded with the first record: where no job was cut off, the start reads none.
 */
import type { JobRecord, ThreadRecord } from "./job.ts";

/** Rejects where the text is no such record. */
export async function parseJobRecord(stored: string): Promise<JobRecord> {
  const { jobRecord } = await import("./stored-schemas.ts");
  return jobRecord.parse(JSON.parse(stored));
}

/** Rejects where the text is no such record. */
export async function parseThreadRecord(stored: string): Promise<ThreadRecord> {
  const { threadRecord } = await import("./stored-schemas.ts");
  return threadRecord.parse(JSON.parse(stored));
}
