/** How the owner's command line asks the running bridge to end a job: a row that the bridge takes out. */
import type { JobDatabase } from "./database.ts";

/** Job ids that the owner wants ended, each given once. */
export function takeCancelRequests({ sql }: JobDatabase): string[] {
  // Looked at first: a read never waits for a writer.
  if (sql.prepare("SELECT 1 FROM cancel_requests LIMIT 1").get() === undefined) return [];
  const rows = sql.prepare("DELETE FROM cancel_requests RETURNING job_id").all();
  return rows.map((row) => String(row["job_id"]));
}
