import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openJobDatabase, type JobDatabase } from "../../src/jobs/sqlite/database.ts";
import { createSqliteJobStore } from "../../src/jobs/sqlite/job-store.ts";
import { createSqliteThreadStore } from "../../src/jobs/sqlite/thread-store.ts";
import { finished, jobRecord } from "../support/job-records.ts";

const JOBS = 300;
const limits = { maxFinishedJobs: 1e9, maxFinishedBytes: 1e12, maxAgeMs: 1e15 };
let directory = "";
let file = "";

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "salvage-"));
  file = join(directory, "jobs.sqlite");
  const { database, jobs, threads } = await open();
  for (let n = 0; n < JOBS; n += 1) {
    const job = jobRecord(`job-${n}`);
    await jobs.insert(job);
    if (n === JOBS - 1) break; // the last one was running
    await jobs.save(finished(job, { answer: `answer ${n} `.repeat(100) }), [
      { id: 1, at: 1, type: "message", text: `event of ${n}` },
    ]);
  }
  await threads.save({
    version: 1,
    threadId: "thread",
    caller: "alice",
    project: "sample",
    cwd: "",
    sandbox: "read-only",
    model: null,
    effort: null,
    createdAt: 1,
    usedAt: 1,
  });
  await database.close();
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

async function open() {
  const opened = await openJobDatabase(directory, 0);
  if (!opened.ok) throw new Error(opened.failure);
  const database: JobDatabase = opened.value;
  return {
    database,
    jobs: createSqliteJobStore(database, limits, () => 2),
    threads: createSqliteThreadStore(database, 1e9),
  };
}

/** Garbage over some pages in the middle. */
function spoil(from: number, to: number): void {
  const { size } = statSync(file);
  const start = Math.floor((size * from) / 4096) * 4096;
  const handle = openSync(file, "r+");
  writeSync(handle, Buffer.alloc(Math.floor(size * (to - from)), 0xa5), 0, null, start);
  closeSync(handle);
}

test("of a database that is broken in places, what can be read is kept, in its order and with its ends", async () => {
  spoil(0.4, 0.6);
  const { database, jobs, threads } = await open();
  expect(database.movedAside).toContain("jobs.sqlite.unreadable-");
  const { jobs: saved = 0 } = database.salvaged ?? {};
  expect(saved).toBeGreaterThan(JOBS / 4);
  expect(saved).toBeLessThan(JOBS);
  expect(await jobs.count()).toBe(saved);
  const found = await jobs.find({ caller: "alice", limit: JOBS });
  expect(found).toHaveLength(saved);
  const numbers = found.map(({ jobId }) => Number(jobId.slice(4)));
  expect(numbers).toEqual(numbers.toSorted((a, b) => b - a));
  for (const { jobId, answer, state } of found) {
    if (state === "completed") expect(answer).toBe(`answer ${jobId.slice(4)} `.repeat(100));
  }
  const first = found.find(({ state }) => state === "completed");
  expect((await jobs.events(first?.jobId ?? "", 0, 10)).length).toBeLessThan(2);
  expect((await jobs.unfinished()).length).toBeLessThan(2);
  expect([null, "thread"]).toContain((await threads.get("thread"))?.threadId ?? null);
  expect(await jobs.insert(jobRecord("a new one"))).toMatchObject({ ok: true });
  await database.close();
  const again = await open();
  expect(again.database.movedAside).toBeNull();
  await again.database.close();
});

test("of one that is no database any more nothing is, and it stays where it was moved", async () => {
  for (const garbage of ["", "this is no database. ".repeat(500), "SQLite format 3\0".repeat(1_000)]) {
    writeFileSync(file, garbage);
    const { database, jobs } = await open();
    expect(await jobs.count()).toBe(0);
    if (garbage !== "") expect(database.salvaged).toEqual({ jobs: 0, threads: 0 });
    await database.close();
    rmSync(file);
  }
  expect(readdirSync(directory).filter((name) => name.includes("unreadable"))).not.toEqual([]);
});
