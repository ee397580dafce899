import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AuditLog } from "../../src/audit/audit-log.ts";
import { createJobEnds } from "../../src/cli/job-ends.ts";
import { createAuditedEnds, type AuditedEnds } from "../../src/jobs/sqlite/audited-ends.ts";
import { openJobDatabase, type JobDatabase } from "../../src/jobs/sqlite/database.ts";
import { createSqliteJobStore, type SqliteJobStore } from "../../src/jobs/sqlite/job-store.ts";
import { silentLog } from "../../src/lib/log.ts";
import { openLog } from "../audit/audit-samples.ts";
import { finished, jobRecord } from "../support/job-records.ts";

let base = "";
let database: JobDatabase;
let store: SqliteJobStore;
let ends: AuditedEnds;
let audit: AuditLog;

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), "job-ends-"));
  await open();
});
afterEach(async () => {
  await close();
  rmSync(base, { recursive: true });
});

async function open(): Promise<void> {
  const opened = await openJobDatabase(base, 0);
  if (!opened.ok) throw new Error(opened.failure);
  database = opened.value;
  const limits = { maxFinishedJobs: 1e9, maxFinishedBytes: 1e12, maxAgeMs: 1e15 };
  store = createSqliteJobStore(database, limits, () => 0);
  ends = createAuditedEnds(database);
  audit = await openLog(join(base, "audit"));
}

async function close(): Promise<void> {
  await audit.close();
  await database.close();
}

function start() {
  return createJobEnds({ audit, auditDirectory: join(base, "audit"), ends, log: silentLog });
}

/** Its last save, as far as a killed bridge came. */
async function endOf(jobId: string) {
  const job = finished(jobRecord(jobId));
  await store.insert(jobRecord(jobId));
  await store.save(job, []);
  return job;
}

async function lines(): Promise<string[]> {
  await audit.flushed();
  return readFileSync(join(base, "audit", "audit.log"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string; jobId?: string; state?: string })
    .filter(({ type }) => type === "job")
    .map(({ jobId, state }) => `${jobId} ${state}`);
}

test("an end that was recorded is noted, and is not recorded again at the next start", async () => {
  const jobEnds = start();
  for (const jobId of ["a", "b", "c"]) jobEnds.record(await endOf(jobId));
  await jobEnds.settled();
  expect(await ends.missing()).toEqual([]);
  await close();
  await open();
  await start().recordMissing();
  expect(await lines()).toEqual(["a completed", "b completed", "c completed"]);
});

test("an end whose line a kill prevented is recorded at the next start, once", async () => {
  await endOf("a");
  await endOf("b");
  await store.insert(jobRecord("still running"));
  await close();
  for (let starts = 0; starts < 3; starts += 1) {
    await open();
    const jobEnds = start();
    await jobEnds.recordMissing();
    await jobEnds.settled();
    expect(await lines()).toEqual(["a completed", "b completed"]);
    if (starts < 2) await close();
  }
});

test("an end whose line was written, but not noted, is not recorded twice", async () => {
  const job = await endOf("a");
  audit.record({ type: "start", version: "0", projects: [] });
  createJobEnds({
    audit,
    auditDirectory: "",
    ends: { missing: async () => [], note() {} },
    log: silentLog,
  }).record(job);
  await endOf("b");
  await close();
  await open();
  expect(await ends.missing()).toHaveLength(2);
  const jobEnds = start();
  await jobEnds.recordMissing();
  await jobEnds.settled();
  expect(await lines()).toEqual(["a completed", "b completed"]);
  expect(await ends.missing()).toEqual([]);
});

test("while the log cannot be written, nothing is noted", async () => {
  const broken: AuditLog = { ...audit, health: () => ({ ok: false, reason: "full" }) };
  const jobEnds = createJobEnds({ audit: broken, auditDirectory: "", ends, log: silentLog });
  jobEnds.record(await endOf("a"));
  await jobEnds.settled();
  expect((await ends.missing()).map(({ jobId }) => jobId)).toEqual(["a"]);
});
