/**
 * A laptop that sleeps: bridge and Codex are stopped for a while and go on. `SLEEP_MS=60000` is the full minute.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { say, shell } from "../../src/demo/scripted-model/steps.ts";
import { startBridge, type Caller, type RunningBridge } from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  descendants,
  type ScratchCodexHome,
  type ScratchProject,
} from "../support/scripted-codex.ts";

const SLEEP_MS = Number(process.env["SLEEP_MS"] ?? 20_000);
/** Shorter than the sleep, and longer than the work before and after it. */
const LIMIT_MS = 15_000;

let model: ScriptedModel;
let home: ScratchCodexHome;
let project: ScratchProject;
let bridge: RunningBridge;
let caller: Caller;

beforeAll(async () => {
  model = await startScriptedModel();
  home = await createCodexHome({ modelUrl: model.url });
  project = await createProject({ "readme.txt": "hello\n" });
  bridge = await startBridge({
    codex: codexBinaries["0.169.0"],
    codexHome: home.path,
    roots: [project.path],
    flags: ["--fast-return-ms=1000"],
  });
  caller = await bridge.connect();
});
afterAll(async () => {
  await caller?.close();
  await bridge?.stop();
  await model.close();
  await home.dispose();
  await project.dispose();
});

/** All of them, as the system does it. */
async function sleepWell(): Promise<void> {
  const pids = [bridge.pid, ...(await descendants(bridge.pid))];
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  await sleep(SLEEP_MS);
  for (const pid of pids.toReversed()) process.kill(pid, "SIGCONT");
}

test(
  "jobs whose turn survived go on, and the sleep does not eat their time; what is really too long still ends",
  { timeout: 120_000 + SLEEP_MS },
  async () => {
    model.script("work and sleep", [
      shell("cat readme.txt"),
      say("slept well ".repeat(10), { chunks: 10, chunkMs: 300 }),
    ]);
    model.script("never ends", [say("word ".repeat(400), { chunks: 400, chunkMs: 250 })]);
    const asked = await caller.call("codex_read", { prompt: "work and sleep", timeoutMs: LIMIT_MS });
    const endless = await caller.call("codex_read", { prompt: "never ends", timeoutMs: LIMIT_MS });
    expect([asked.content.status, endless.content.status]).toEqual(["running", "running"]);
    await sleepWell();
    expect((await fetch(`${bridge.url}/healthz`)).status).toBe(200);
    const { content } = await caller.finish("codex_job_status", { jobId: asked.content.jobId });
    expect(content).toMatchObject({ status: "completed", answer: "slept well ".repeat(10), error: null });
    const ended = await caller.finish("codex_job_status", { jobId: endless.content.jobId });
    expect(ended.content).toMatchObject({ status: "failed", error: { code: "timeout" } });
    expect(ended.content.elapsedMs).toBeGreaterThan(SLEEP_MS + LIMIT_MS / 2);
  },
);
