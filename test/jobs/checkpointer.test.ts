import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createCheckpointer } from "../../src/jobs/sqlite/checkpointer.ts";
import { openJobDatabase } from "../../src/jobs/sqlite/database.ts";
import { createSqliteJobStore } from "../../src/jobs/sqlite/job-store.ts";
import { jobRecord } from "../support/job-records.ts";

const PATIENCE = { timeout: 15_000 };
const limits = { maxFinishedJobs: 1e9, maxFinishedBytes: 1e12, maxAgeMs: 1e12 };
let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "checkpoint-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

test("what was written moves into the database file by itself, and nothing is left beside it at the end", async () => {
  const opened = await openJobDatabase(directory, 0);
  if (!opened.ok) throw new Error(opened.failure);
  const file = join(directory, "jobs.sqlite");
  const before = statSync(file).size;
  const store = createSqliteJobStore(opened.value, limits, () => 0);
  for (let n = 0; n < 250; n += 1) await store.insert(jobRecord(`job-${n}`));
  await expect.poll(() => statSync(file).size, PATIENCE).toBeGreaterThan(before + 50_000);
  expect(await store.count()).toBe(250);
  await opened.value.close();
  expect(existsSync(`${file}-wal`)).toBe(false);
});

test("a thread that cannot do it says so once, and lets go", async () => {
  const problems: string[] = [];
  const checkpointer = createCheckpointer({
    path: join(directory, "nowhere", "jobs.sqlite"),
    onFailure: (reason) => problems.push(reason),
  });
  for (let n = 0; n < 500; n += 1) checkpointer.wrote();
  await expect.poll(() => problems, PATIENCE).toHaveLength(1);
  checkpointer.wrote();
  await checkpointer.close();
  expect(problems[0]).toContain("unable to open database file");
});
