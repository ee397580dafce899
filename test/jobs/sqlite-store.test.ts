import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { openJobDatabase, type JobDatabase } from "../../src/jobs/sqlite/database.ts";
import { createSqliteJobStore } from "../../src/jobs/sqlite/job-store.ts";
import { createSqliteThreadStore } from "../../src/jobs/sqlite/thread-store.ts";
import { jobStoreContract } from "../contract/job-store.ts";

const scratch = mkdtempSync(join(tmpdir(), "store-"));
const opened: JobDatabase[] = [];
afterAll(async () => {
  for (const database of opened) await database.close();
  rmSync(scratch, { recursive: true });
});

jobStoreContract({
  name: "the SQLite store",
  async create(limits = {}) {
    const database = await openJobDatabase(mkdtempSync(join(scratch, "db-")), 0);
    if (!database.ok) throw new Error(database.failure);
    opened.push(database.value);
    const { maxFinishedJobs = 1e9, maxFinishedBytes = 1e12, maxThreads = 1e9 } = limits;
    const retention = { maxFinishedJobs, maxFinishedBytes, maxAgeMs: Number.MAX_SAFE_INTEGER };
    return {
      jobs: createSqliteJobStore(database.value, retention, () => 0),
      threads: createSqliteThreadStore(database.value, maxThreads),
    };
  },
});
