/** Whether the log has the ends of certain jobs. Only reads. */
import { newestLines } from "./log-end.ts";

/** An end that is looked for was written in the last moments of an earlier bridge; further back it is not searched. */
const MAX_LINES = 20_000;

/** Those of `jobIds` whose end is among the newest lines. Throws where the log cannot be read. */
export async function findJobLines(
  directory: string,
  jobIds: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  let looked = 0;
  await newestLines(directory, 1, ({ entry: { type, jobId } }) => {
    looked += 1;
    if (type === "job" && typeof jobId === "string" && jobIds.has(jobId)) found.add(jobId);
    return found.size === jobIds.size || looked >= MAX_LINES;
  });
  return found;
}
