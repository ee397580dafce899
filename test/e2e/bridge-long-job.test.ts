/** The product's own limits, unchanged: a job of 30 seconds behind a caller that waits 20. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { say } from "../../src/demo/scripted-model/steps.ts";
import { deliveryMs } from "../contract/bridge.ts";
import { startBridge, type Caller, type RunningBridge } from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  type ScratchCodexHome,
  type ScratchProject,
} from "../support/scripted-codex.ts";

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
  });
  caller = await bridge.connect();
});
afterAll(async () => {
  await caller.close();
  await bridge.stop();
  await model.close();
  await home.dispose();
  await project.dispose();
});

test("a job of 30 s answers running after 20 s, and one waiting status call is there when it ends", async () => {
  model.script("half a minute", [say("word ".repeat(30), { chunks: 30, chunkMs: 1_000 })]);
  const asked = performance.now();
  const first = await caller.call("codex_read", { prompt: "half a minute" });
  const elapsedMs = performance.now() - asked;
  expect(first.content.status).toBe("running");
  expect(elapsedMs).toBeGreaterThan(19_000);
  expect(elapsedMs).toBeLessThan(21_500);
  const last = await caller.call("codex_job_status", { jobId: first.content.jobId });
  expect(last.content).toMatchObject({ status: "completed", answer: "word ".repeat(30) });
  expect(last.content.elapsedMs).toBeGreaterThan(29_000);
  expect(deliveryMs(last, { backend: "app-server", version: "0.169.0" })).toBeLessThan(250);
});
