/**
 * Jobs in flight while the bridge and its Codex are killed with -9 at random. `FAULT_JOBS=200 FAULT_KILLS=20` is the
 * full run; `FAULT_SEED` repeats the moments of an earlier one as far as the machine allows.
 */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { say, shell } from "../../src/demo/scripted-model/steps.ts";
import {
  runDoor,
  startBridge,
  type AnswerContent,
  type Caller,
  type RunningBridge,
} from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  type ScratchCodexHome,
  type ScratchProject,
} from "../support/scripted-codex.ts";
import { createSeededRandom } from "../support/seeded-random.ts";

const JOBS = Number(process.env["FAULT_JOBS"] ?? 40);
const KILLS = Number(process.env["FAULT_KILLS"] ?? 4);
const SEED = Number(process.env["FAULT_SEED"] ?? Date.now() % 1_000_000);
const LIMIT_MS = 60_000 + JOBS * 1_000 + KILLS * 10_000;
/** More than run at once: some wait in the queue when the bridge dies. */
const IN_FLIGHT = Math.min(JOBS, 12);
const FINAL = new Set(["completed", "failed", "cancelled"]);

let model: ScriptedModel;
let home: ScratchCodexHome;
let project: ScratchProject;
let stateDir: string;
let bridge: RunningBridge;
let caller: Caller;

beforeAll(async () => {
  model = await startScriptedModel();
  home = await createCodexHome({ modelUrl: model.url });
  project = await createProject({ "readme.txt": "hello\n" });
  stateDir = join(home.path, "state-of-the-bridge");
  await mkdir(stateDir, { mode: 0o700 });
  await start();
});
afterAll(async () => {
  await caller.close();
  await bridge.stop();
  await model.close();
  await rm(stateDir, { recursive: true, force: true });
  await home.dispose();
  await project.dispose();
});

async function start(): Promise<void> {
  bridge = await startBridge({
    codex: codexBinaries["0.169.0"],
    codexHome: home.path,
    roots: [project.path],
    stateDir,
    flags: ["--max-concurrent=8", `--queue=${Math.min(1_000, JOBS)}`, "--fast-return-ms=1000"],
  });
  caller = await bridge.connect();
}

const promptOf = (n: number): string => `fault job number ${n}.`;

/** A caller that never gives up: the same call again until it is accepted, then the question until the end is told. */
async function insist(n: number): Promise<AnswerContent> {
  const asked = { prompt: promptOf(n), requestId: `request-${n}` };
  for (;;) {
    try {
      const { content } = await caller.call("codex_read", asked);
      if (FINAL.has(content.status)) return content;
      if (content.status === "refused") await sleep(200);
    } catch {
      await sleep(100); // the bridge is gone; the next one is on its way
    }
  }
}

test(
  `${JOBS} jobs, ${KILLS} kills of the bridge and ${KILLS} of Codex: each job ends once, with its own answer or as interrupted`,
  { timeout: LIMIT_MS },
  async () => {
    const random = createSeededRandom(SEED);
    for (let n = 0; n < JOBS; n += 1) {
      const answer = say(`answer ${n} `.repeat(6), { chunks: 6, chunkMs: 20 + random.below(250) });
      model.script(
        promptOf(n),
        random.below(3) === 0 ? [shell("sleep 0.3; cat readme.txt"), answer] : [answer],
      );
    }
    const told: AnswerContent[] = [];
    let next = 0;
    let done = 0;
    let completed = 0;
    const worker = async (): Promise<void> => {
      while (next < JOBS) {
        const n = next++;
        const end = await insist(n);
        told[n] = end;
        done += 1;
        if (end.status === "completed") completed += 1;
      }
    };
    const ends = Promise.all(Array.from({ length: IN_FLIGHT }, worker));
    const victims = ["bridge", "codex"].flatMap((victim) => Array.from({ length: KILLS }, () => victim));
    for (let kill = 0; kill < 2 * KILLS; kill += 1) {
      // Spread over the run: while there is a kill to come, there are jobs in flight.
      const due = Math.floor((kill * (JOBS - IN_FLIGHT)) / (2 * KILLS));
      // And slow enough for a busy machine: a run in which nothing gets through proves little.
      const mayGoOn = (): boolean => done === JOBS || (done >= due && completed * 4 >= kill);
      await expect.poll(mayGoOn, { timeout: LIMIT_MS, interval: 20 }).toBe(true);
      await sleep(300 + random.below(2_000));
      const [victim] = victims.splice(random.below(victims.length), 1);
      if (victim === "bridge") {
        await bridge.kill();
        await start();
      } else {
        for (const { pid } of await bridge.codexProcesses()) process.kill(pid, "SIGKILL");
      }
    }
    await ends;
    const states = Object.groupBy(told, ({ status, error }) => `${status} ${error?.code ?? ""}`.trim());
    console.log(
      `seed ${SEED}:`,
      Object.entries(states).map(([state, jobs]) => `${jobs?.length ?? 0} ${state}`),
    );
    for (const [n, job] of told.entries()) {
      if (job.status === "completed") expect(job.answer).toBe(`answer ${n} `.repeat(6));
      else {
        expect(job.status).toBe("failed");
        expect(job.error).toMatchObject({ code: "interrupted", retryable: true });
      }
      // What was told once is told for ever.
      const { content } = await caller.call("codex_job_status", { jobId: job.jobId });
      expect(content).toMatchObject({ status: job.status, answer: job.answer, finishedAt: job.finishedAt });
    }
    expect(completed).toBeGreaterThan(0);
    expect(new Set(told.map(({ jobId }) => jobId)).size).toBe(JOBS);
    // Codex has had no prompt twice.
    const prompts = await promptsInThreads();
    for (let n = 0; n < JOBS; n += 1)
      expect(prompts.filter((text) => text.includes(promptOf(n))).length).toBeLessThan(2);

    await bridge.stop();
    expect(await processesOf(home.path)).toEqual([]);
    const database = new DatabaseSync(join(stateDir, "jobs.sqlite"), { readOnly: true });
    expect(database.prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    expect({ ...database.prepare("SELECT count(*) AS jobs, count(ended) AS ended FROM jobs").get() }).toEqual(
      {
        jobs: JOBS,
        ended: JOBS,
      },
    );
    database.close();
    // And each end is on record once, whenever the bridge died.
    const audited = await auditedEnds();
    expect(audited).toHaveLength(JOBS);
    expect(new Set(audited)).toEqual(new Set(told.map(({ jobId }) => jobId)));
    const verified = await runDoor({ argv: ["audit", "verify", "--state-dir", stateDir] });
    expect(verified).toMatchObject({ exitCode: 0 });
  },
);

/** Ids of all jobs whose end the audit log has. */
async function auditedEnds(): Promise<(string | undefined)[]> {
  const directory = join(stateDir, "audit");
  const names = (await readdir(directory)).filter((name) => name.endsWith(".log"));
  const texts = await Promise.all(names.map(async (name) => readFile(join(directory, name), "utf8")));
  return texts
    .flatMap((text) => text.trim().split("\n"))
    .map((line) => JSON.parse(line) as { type: string; jobId?: string })
    .filter(({ type }) => type === "job")
    .map(({ jobId }) => jobId);
}

/** Every thread's whole file. */
async function promptsInThreads(): Promise<string[]> {
  const files = await readdir(join(home.path, "sessions"), { recursive: true });
  const rollouts = files.filter((name) => name.endsWith(".jsonl"));
  return Promise.all(rollouts.map(async (name) => readFile(join(home.path, "sessions", name), "utf8")));
}

/** Pids of all processes that live with this CODEX_HOME, whoever their parent is now. */
async function processesOf(codexHome: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found: string[] = [];
  for (const pid of pids) {
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (environment.split("\0").includes(`CODEX_HOME=${codexHome}`)) found.push(pid);
  }
  return found;
}
