/** `jobs` as its owner sees it: on a terminal with a progress line, elsewhere without a single control character. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { run } from "../../src/cli/jobs.ts";
import { JOB_ID_LENGTH, type JobRecord } from "../../src/jobs/job.ts";
import { openJobDatabase, type JobDatabase } from "../../src/jobs/sqlite/database.ts";
import { createSqliteJobStore, type SqliteJobStore } from "../../src/jobs/sqlite/job-store.ts";
import { finished, jobRecord } from "../support/job-records.ts";
import { createFakeTerminal } from "./fake-terminal.ts";

const ESCAPE = "\u001B";
const PATIENCE = { timeout: 15_000 };
let stateDir = "";
let database: JobDatabase;
let store: SqliteJobStore;

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), "cli-jobs-"));
  const opened = await openJobDatabase(stateDir, 0);
  if (!opened.ok) throw new Error(opened.failure);
  database = opened.value;
  const limits = { maxFinishedJobs: 1e9, maxFinishedBytes: 1e12, maxAgeMs: 1e15 };
  store = createSqliteJobStore(database, limits, () => 0);
});
afterEach(async () => {
  await database.close();
  rmSync(stateDir, { recursive: true });
});

const terminalOf = (isTTY: boolean, environment: Record<string, string> = {}) =>
  createFakeTerminal(
    { HOME: stateDir, CODEX_GPT_BRIDGE_STATE_DIR: stateDir, ...environment },
    "/usr/share",
    isTTY,
  );

const running = jobRecord("long-job", {
  state: "running",
  startedAt: Date.now(),
  createdAt: Date.now(),
  progress: { phase: "running a command", commands: 3, filesChanged: 1, lastEvent: "Runs: npm test" },
});

async function save(job: JobRecord, text: string, id: number): Promise<void> {
  await store.save(job, [{ id, at: Date.now(), type: "command", text }]);
}

describe("jobs list", () => {
  test("shows a whole id, to be copied from there", async () => {
    const jobId = "x".repeat(JOB_ID_LENGTH);
    await store.insert(jobRecord(jobId));
    const terminal = terminalOf(false);
    expect(await run(terminal, ["list"])).toBe(0);
    expect(terminal.out()).toContain(`${jobId} `);
  });
});

describe("jobs watch", () => {
  test("on a terminal shows one progress line that gives way to what happens", async () => {
    await store.insert(jobRecord("long-job"));
    await save(running, "Runs: npm test", 1);
    const terminal = terminalOf(true);
    const code = run(terminal, ["watch"]);
    await expect
      .poll(() => terminal.out(), PATIENCE)
      .toContain("running a command, 3 commands, 1 file changed");
    await save(running, `Runs: evil ${ESCAPE}[31m`, 2);
    await expect.poll(() => terminal.out(), PATIENCE).toContain("evil");
    await save(finished(running), "Completed.", 3);
    expect(await code).toBe(0);
    const lines = terminal.out().split("\n");
    expect(lines.at(-1)).toBe("");
    expect(lines.at(-2)).toBe(`long-job completed`);
    const pieces = terminal.out().split(`\r${ESCAPE}[K`);
    expect(pieces.length).toBeGreaterThan(3);
    for (const piece of pieces) {
      expect(piece).not.toContain(ESCAPE); // neither a colour nor what a job brought along
      for (const line of piece.split("\n")) expect(line.length).toBeLessThan(80);
    }
  });

  test.each([["long-job"], ["long-job", "--json"]])(
    "into a pipe, and as JSON, has no control character (%s %s)",
    async (...argv) => {
      await store.insert(jobRecord("long-job"));
      await save(running, "Runs: npm test", 1);
      const terminal = terminalOf(argv.includes("--json"));
      const code = run(terminal, ["watch", ...argv]);
      await expect.poll(() => terminal.out(), PATIENCE).toContain("Runs: npm test");
      await save(finished(running, { state: "failed", failure: { code: "internal" } }), "Ended.", 2);
      expect(await code).toBe(1);
      expect(terminal.out()).not.toContain("\r");
      expect(terminal.out()).not.toContain(ESCAPE);
      expect(terminal.out()).not.toContain("3 commands,");
    },
  );

  test("ends on a signal without ending the job", async () => {
    await store.insert(jobRecord("long-job"));
    await save(running, "Runs: npm test", 1);
    const interrupt: (() => void)[] = [];
    const terminal = { ...terminalOf(true), onSignal: (listener: () => void) => interrupt.push(listener) };
    const code = run(terminal, ["watch"]);
    await expect.poll(() => terminal.out(), PATIENCE).toContain("3 commands");
    for (const listener of interrupt) listener();
    expect(await code).toBe(0);
    expect(await store.get("long-job")).toMatchObject({ state: "running" });
  });
});

test("list and show have no colours, NO_COLOR or not, terminal or not", async () => {
  await store.insert(jobRecord("long-job"));
  await save(running, "Runs: npm test", 1);
  for (const isTTY of [true, false]) {
    for (const environment of [{}, { NO_COLOR: "1" }]) {
      for (const argv of [["list"], ["show", "long"]]) {
        const terminal = terminalOf(isTTY, environment);
        expect(await run(terminal, argv)).toBe(0);
        expect(terminal.out()).toContain("long-job");
        expect(terminal.out()).not.toContain(ESCAPE);
      }
    }
  }
});
