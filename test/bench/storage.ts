/**
 * How long the job store keeps the event loop from everything else, while jobs begin, tell and end one after another:
 * with checkpoints on a thread of their own, and with SQLite's own on the main thread. In turns, on the same disk.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { openJobDatabase } from "../../src/jobs/sqlite/database.ts";
import { createSqliteJobStore } from "../../src/jobs/sqlite/job-store.ts";
import { finished, jobRecord } from "../support/job-records.ts";
import { option } from "./support/options.ts";
import { atMost, information, type Row } from "./support/row.ts";
import { median, percentile } from "./support/statistics.ts";

const JOBS = option("stored-jobs", 3_000);
const EVENTS = 20;
const DIFF = "+ a line of a diff that is long enough to count\n".repeat(400);

interface Sample {
  readonly worst: number;
  readonly p999: number;
}

export async function run(): Promise<Row[]> {
  const own: Sample[] = [];
  const sqlites: Sample[] = [];
  for (let round = 0; round < option("rounds", 5); round += 1) {
    own.push(await measure(null));
    sqlites.push(await measure("PRAGMA wal_autocheckpoint = 1000"));
  }
  const worst = (samples: readonly Sample[]): number => median(samples.map((sample) => sample.worst));
  const tail = (samples: readonly Sample[]): string => median(samples.map(({ p999 }) => p999)).toFixed(1);
  return [
    atMost(
      `job store, ${JOBS} jobs: longest hold of the event loop`,
      worst(own),
      20,
      "ms",
      `median of ${own.length} runs; worst of all ${Math.max(...own.map((sample) => sample.worst)).toFixed(1)}; p99.9 ${tail(own)}`,
    ),
    information(
      "the same with checkpoints on the main thread",
      `${worst(sqlites).toFixed(1)} ms; worst of all ${Math.max(...sqlites.map((sample) => sample.worst)).toFixed(1)}; p99.9 ${tail(sqlites)}`,
    ),
  ];
}

/** `pragma` is set after the database was opened. */
async function measure(pragma: string | null): Promise<Sample> {
  const directory = await mkdtemp(join(homedir(), ".cache", "codex-gpt-bridge-bench-store-"));
  const opened = await openJobDatabase(directory, Date.now());
  if (!opened.ok) throw new Error(opened.failure);
  const database = opened.value;
  if (pragma !== null) database.sql.exec(pragma);
  const limits = { maxFinishedJobs: 1e9, maxFinishedBytes: 1e12, maxAgeMs: 1e12 };
  const store = createSqliteJobStore(database, limits, () => 0);
  const holds: number[] = [];
  let last = performance.now();
  /** A turn of the event loop: how long was it held since the last one? */
  const breathe = async (): Promise<void> => {
    await turn();
    const now = performance.now();
    holds.push(now - last);
    last = now;
  };
  for (let n = 0; n < JOBS; n += 1) {
    const job = jobRecord(`job-${n}`);
    void store.insert(job);
    await breathe();
    for (let id = 1; id <= EVENTS; id += 5) {
      const events = Array.from({ length: 5 }, (_, index) => ({
        id: id + index,
        at: 0,
        type: "command",
        text: `Runs: npm test -- --filter part-${index}`,
      }));
      void store.save({ ...job, state: "running", diff: DIFF }, events);
      await breathe();
    }
    void store.save(finished({ ...job, diff: DIFF }), []);
    await breathe();
  }
  await database.close();
  await rm(directory, { recursive: true });
  return { worst: Math.max(...holds), p999: percentile(holds, 0.999) };
}
