/** `codex_job_status` over HTTP on a store with 100,000 finished jobs against one with a few. */
import { mkdtemp, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { say } from "../../src/demo/scripted-model/steps.ts";
import { openJobDatabase } from "../../src/jobs/sqlite/database.ts";
import { createSqliteJobStore } from "../../src/jobs/sqlite/job-store.ts";
import { finished, jobRecord } from "../support/job-records.ts";
import { codexBinaries } from "../support/scripted-codex.ts";
import { createMcpCaller, mustBeCompleted, type Answer, type McpCaller } from "./support/mcp-caller.ts";
import { token } from "./support/door.ts";
import { option } from "./support/options.ts";
import { atMost, type Row } from "./support/row.ts";
import { withStage } from "./support/stage.ts";
import { inTurns, median, medianOfRatios, timed } from "./support/statistics.ts";

const JOBS = option("stored-jobs", 100_000);
const CALLS = 100;
const PROMPT = "bench: the newest of many";
const ANSWER = "The answer of a job says something. ".repeat(50);
/** Whom a static token stands for. */
const CALLER = "owner";
/** As many as `recentJobs` lists: both answers are of one length. */
const RECENT = 5;

export async function run(): Promise<Row[]> {
  const directory = await mkdtemp(join(homedir(), ".cache", "codex-gpt-bridge-bench-store-"));
  try {
    await fill(directory);
    return await withStage(async (stage) => {
      stage.model.script(PROMPT, [say(ANSWER)]);
      const codex = codexBinaries["0.169.0"];
      const keep = ["--job-keep-count=1000000", "--job-keep-mb=10000", "--job-keep-days=3650"];
      const [full, empty] = await Promise.all([
        stage.bridge(codex, { flags: keep, stateDir: directory }),
        stage.bridge(codex, { flags: keep }),
      ]);
      const callers = [full, empty].map(({ port }) => createMcpCaller(port, token, 1));
      const [ofFull, ofEmpty] = callers;
      if (ofFull === undefined || ofEmpty === undefined) throw new Error("no callers");
      const rows = [];
      for (const [name, isNamed] of [
        ["by its id", true],
        ["the newest, without an id", false],
      ] as const) {
        const ask = async (caller: McpCaller): Promise<() => Promise<number>> => {
          let answer: Answer = {};
          for (let n = 0; n < RECENT; n += 1)
            answer = mustBeCompleted(await caller.call("codex_read", { prompt: `${PROMPT}, ${name} ${n}` }));
          const args = isNamed ? { jobId: answer["jobId"] } : {};
          return () =>
            timed(async () => {
              for (let n = 0; n < CALLS; n += 1) await caller.call("codex_job_status", args);
            });
        };
        const [ours, reference] = [await ask(ofFull), await ask(ofEmpty)];
        await inTurns(3, ours, reference);
        const times = await inTurns(option("rounds", 30), ours, reference);
        const each = (values: readonly number[]): string => (median(values) / CALLS).toFixed(2);
        const detail = `${each(times.ours)} against ${each(times.reference)} ms`;
        const ratio = medianOfRatios(times.ours, times.reference);
        rows.push(atMost(`codex_job_status, ${name}, ${JOBS} jobs against a few`, ratio, 1.2, "×", detail));
      }
      for (const caller of callers) caller.close();
      return rows;
    });
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function fill(directory: string): Promise<void> {
  const opened = await openJobDatabase(directory, Date.now());
  if (!opened.ok) throw new Error(opened.failure);
  const { sql } = opened.value;
  const limits = { maxFinishedJobs: 1e9, maxFinishedBytes: 1e12, maxAgeMs: 1e12 };
  const unsynced = { ...opened.value, async synced() {}, wrote() {} };
  const store = createSqliteJobStore(unsynced, limits, () => Date.now());
  for (let n = 0; n < JOBS; n += 1) {
    const at = Date.now() - (JOBS - n) * 1_000;
    const job = jobRecord(`stored-job-${n}`, { caller: CALLER, createdAt: at, startedAt: at });
    await store.insert(job);
    const events = [1, 2, 3, 4].map((id) => ({ id, at, type: "command", text: `Runs: npm test ${id}` }));
    await store.save(finished(job, { answer: ANSWER }), events);
  }
  sql.exec("UPDATE jobs SET is_audited = 1");
  await opened.value.close();
}
