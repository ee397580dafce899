/** Where the bridge keeps jobs and threads: the database in the state directory, or memory alone (`--ephemeral`). */
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/load.ts";
import { createMemoryJobStore, createMemoryThreadStore } from "../jobs/memory-store.ts";
import { createPatientStore } from "../jobs/patient-store.ts";
import type { Runner } from "../jobs/runner.ts";
import type { AuditedEnds } from "../jobs/sqlite/audited-ends.ts";
import type { JobStore, ThreadStore } from "../jobs/store.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { ok, type Result } from "../lib/result.ts";

export interface Storage {
  readonly jobs: JobStore;
  readonly threads: ThreadStore;
  readonly ends: AuditedEnds;
  /** For bridge_status: "ok", or what is wrong, in plain words and without a path. */
  state(): string;
  /** Lets the owner's command line end this runner's jobs. */
  hearOwner(runner: Runner): void;
  close(): Promise<void>;
}

const MAX_THREADS = 100_000;
const DAY_MS = 86_400_000;
const HEAR_OWNER_EVERY_MS = 300;
const PRUNE_EVERY_MS = 3_600_000;
/** A few at a time: nobody waits for it, and nobody should wait because of it. */
const PRUNE_ON_MS = 1_000;

/** The failure is one plain line for the owner. */
export async function openStorage(config: Config, clock: Clock, log: Log): Promise<Result<Storage, string>> {
  if (config.ephemeral) {
    return ok({
      jobs: createMemoryJobStore(),
      threads: createMemoryThreadStore(),
      ends: { missing: async () => [], note() {} },
      state: () => "ok; in memory only, jobs are forgotten when the bridge ends",
      hearOwner() {},
      async close() {},
    });
  }
  // Loaded here: the owner's other commands and an ephemeral bridge need no SQLite.
  const { DATABASE_FILE, openJobDatabase } = await import("../jobs/sqlite/database.ts");
  const { createSqliteJobStore } = await import("../jobs/sqlite/job-store.ts");
  const { createSqliteThreadStore } = await import("../jobs/sqlite/thread-store.ts");
  const { createAuditedEnds } = await import("../jobs/sqlite/audited-ends.ts");
  const { takeCancelRequests } = await import("../jobs/sqlite/cancel-requests.ts");
  const opened = await openJobDatabase(config.stateDir, clock.now());
  if (!opened.ok) return opened;
  const database = opened.value;
  const { movedAside, salvaged } = database;
  /** A file that was removed or emptied under us takes writes without an error, and keeps none of them. */
  const lookAtFile = () => statSync(join(config.stateDir, DATABASE_FILE), { throwIfNoEntry: false });
  const inode = lookAtFile()?.ino;
  const isStillThere = (): boolean => {
    const file = lookAtFile();
    return file !== undefined && file.ino === inode && file.size > 0;
  };
  if (movedAside !== null)
    log.error(
      { movedAside, ...salvaged },
      "the job database is broken; it was moved aside, and a new one begun with what could still be read",
    );
  const limits = {
    maxFinishedJobs: config.jobKeepCount,
    maxFinishedBytes: config.jobKeepMb * 1024 * 1024,
    maxAgeMs: config.jobKeepDays * DAY_MS,
  };
  const stored = createSqliteJobStore(database, limits, () => clock.now());
  const jobs = createPatientStore(stored, clock, log);
  const threads = createSqliteThreadStore(database, MAX_THREADS);
  let stopHearing = (): void => {};
  let stopPruning = (): void => {};
  /** Age comes to jobs without anything happening. */
  const pruneLater = (waitMs: number): void => {
    stopPruning = clock.after(waitMs, () => {
      let hasMore = false;
      try {
        hasMore = stored.prune();
      } catch (error) {
        log.debug({ error: String(error) }, "old jobs could not be removed");
      }
      pruneLater(hasMore ? PRUNE_ON_MS : PRUNE_EVERY_MS);
    });
  };
  pruneLater(PRUNE_EVERY_MS);

  return ok({
    jobs,
    threads,
    ends: createAuditedEnds(database),

    state() {
      const trouble = jobs.trouble();
      if (trouble !== null) return `degraded: jobs cannot be kept (${trouble})`;
      if (!isStillThere())
        return "degraded: jobs cannot be kept (the database was removed; restart the bridge)";
      return movedAside === null ? "ok" : brokenDatabase(salvaged?.jobs ?? 0);
    },

    hearOwner(runner) {
      const listen = (): void => {
        stopHearing = clock.after(HEAR_OWNER_EVERY_MS, () => {
          if (runner.hasJobs()) hear();
          listen();
        });
      };
      function hear(): void {
        try {
          for (const jobId of takeCancelRequests(database)) runner.cancel(jobId, "owner");
        } catch (error) {
          log.debug({ error: String(error) }, "the owner's requests could not be read");
        }
      }
      listen();
    },

    async close() {
      stopHearing();
      stopPruning();
      const left = await jobs.flush();
      if (left > 0) log.error({ jobs: left }, "finished jobs could not be kept; Codex's threads have them");
      await database.close();
    },
  });
}

function brokenDatabase(jobs: number): string {
  return `ok; the earlier database was broken and was moved aside, ${jobs} of its jobs could be read`;
}
