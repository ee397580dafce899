/**
 * A disk that is full, a state directory that cannot be written, a database that breaks, a clock that is put back: the
 * bridge says what is wrong, goes on where it can, and loses no answer. With the real Codex.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, type TestContext } from "vitest";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { say } from "../../src/demo/scripted-model/steps.ts";
import { runDoor, startBridge, token, type Caller, type RunningBridge } from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  type ScratchCodexHome,
  type ScratchProject,
} from "../support/scripted-codex.ts";

const PATIENCE = { timeout: 30_000, interval: 200 };

let model: ScriptedModel;
let home: ScratchCodexHome;
let project: ScratchProject;
let stateDir: string;
let bridge: RunningBridge | null = null;
let caller: Caller;
let mounted: string[] = [];

beforeEach(async () => {
  model = await startScriptedModel();
  model.script("a long one", [say("the long answer", { delayMs: 4_000 })]);
  model.script("a short one", [say("the short answer")]);
  home = await createCodexHome({ modelUrl: model.url });
  project = await createProject({ "readme.txt": "hello\n" });
  stateDir = join(home.path, "state-of-the-bridge");
  await mkdir(stateDir, { mode: 0o700 });
});
afterEach(async () => {
  await bridge?.stop();
  bridge = null;
  for (const path of mounted) spawnSync("umount", ["--lazy", path]);
  mounted = [];
  await model.close();
  await home.dispose();
  await project.dispose();
});

async function start(env: Record<string, string> = {}): Promise<RunningBridge> {
  bridge = await startBridge({
    codex: codexBinaries["0.169.0"],
    codexHome: home.path,
    roots: [project.path],
    stateDir,
    flags: ["--fast-return-ms=1000"],
    env,
  });
  caller = await bridge.connect();
  return bridge;
}

async function restart(): Promise<void> {
  expect((await bridge?.stop())?.exitCode).toBe(0);
  await start();
}

const status = async (jobId: string | undefined) =>
  (await caller.call("codex_job_status", { jobId, waitMs: 1_000 })).content;
const storage = async (): Promise<unknown> => (await caller.call("bridge_status")).content["storage"];

async function beginLongJob(): Promise<string | undefined> {
  const { content } = await caller.call("codex_read", { prompt: "a long one" });
  expect(content.status).toBe("running");
  return content.jobId;
}

/** Skips where it may not be done. */
function mount({ skip }: TestContext, path: string, ...options: string[]): void {
  const { status: code, stderr } = spawnSync("mount", [...options, path], { encoding: "utf8" });
  skip(code !== 0, `mounting is not allowed here: ${stderr.trim()}`);
  mounted.push(path);
}

/** Nothing more fits, not even a page. */
function fill(path: string): void {
  const file = openSync(path, "w");
  for (const size of [64 * 1024, 4096, 512, 1]) {
    const bytes = Buffer.alloc(size);
    try {
      for (;;) writeSync(file, bytes);
    } catch {
      continue; // ENOSPC: a smaller piece may still fit
    }
  }
  closeSync(file);
}

describe("a disk that is full", () => {
  test("refuses new jobs and says so, answers a job that ends meanwhile, and keeps it when there is room", async (context) => {
    mount(context, stateDir, "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs");
    await start();
    const jobId = await beginLongJob();
    const filler = join(stateDir, "filler");
    fill(filler);
    await expect.poll(async () => (await status(jobId)).status, PATIENCE).toBe("completed");
    expect(await status(jobId)).toMatchObject({ answer: "the long answer" });
    const refused = await caller.call("codex_read", { prompt: "a short one" });
    expect(refused.content).toMatchObject({ status: "refused", error: { code: "internal" } });
    expect(await storage()).toContain("degraded");
    expect(await status(jobId)).toMatchObject({ status: "completed", answer: "the long answer" });
    await rm(filler);
    await expect.poll(storage, PATIENCE).toBe("ok");
    expect((await caller.finish("codex_read", { prompt: "a short one" })).content.status).toBe("completed");
    await restart();
    expect(await status(jobId)).toMatchObject({ status: "completed", answer: "the long answer" });
  });

  test("until the bridge is stopped costs no answer: the next one has it from Codex", async (context) => {
    mount(context, stateDir, "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs");
    await start();
    const jobId = await beginLongJob();
    const filler = join(stateDir, "filler");
    fill(filler);
    await expect.poll(async () => (await status(jobId)).status, PATIENCE).toBe("completed");
    expect((await bridge?.stop())?.exitCode).toBe(0);
    await rm(filler);
    await start();
    await expect.poll(async () => (await status(jobId)).status, PATIENCE).toBe("completed");
    expect(await status(jobId)).toMatchObject({ answer: "the long answer" });
  });

  test("at the start ends it with one plain line", async (context) => {
    mount(context, stateDir, "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs");
    fill(join(stateDir, "filler"));
    const { exitCode, stderr } = await serveOnce();
    expect(exitCode).toBe(1);
    expect(onlyLine(stderr)).toMatch(/database or disk is full|disk I\/O error|ENOSPC/);
  });
});

describe("a state directory that cannot be written", () => {
  test("ends the start with one plain line", async (context) => {
    mount(context, stateDir, "--bind", stateDir);
    execFileSync("mount", ["-o", "remount,bind,ro", stateDir]);
    const { exitCode, stderr } = await serveOnce();
    expect(exitCode).toBe(1);
    expect(onlyLine(stderr)).toMatch(/state directory cannot be used/);
  });
});

const serveOnce = async () =>
  runDoor({
    argv: ["serve", "--port=0", "--token", token, "--state-dir", stateDir, "--roots", project.path],
  });

function onlyLine(stderr: string): string {
  expect(stderr.trim().split("\n")).toHaveLength(1);
  return (JSON.parse(stderr) as { msg: string }).msg;
}

/** Garbage over all of a file but its first bytes, which say what it is. */
function spoil(path: string): void {
  const { size } = statSync(path);
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(Math.max(0, size - 4096), 0xa5), 0, null, 4096);
  closeSync(file);
}

describe("a database that breaks while the bridge runs", () => {
  test("costs the running job nothing, stops nobody, and the next start says what happened", async () => {
    await start();
    const jobId = await beginLongJob();
    for (const name of ["jobs.sqlite", "jobs.sqlite-wal"]) spoil(join(stateDir, name));
    // So that SQLite reads its pages anew.
    await runDoor({ argv: ["jobs", "cancel", "no-such-job", "--state-dir", stateDir] });
    await expect.poll(async () => (await status(jobId)).status, PATIENCE).toBe("completed");
    expect(await status(jobId)).toMatchObject({ answer: "the long answer" });
    const health = await fetch(`${bridge?.url}/healthz`);
    expect(health.status).toBe(200);
    await caller.call("codex_read", { prompt: "a short one" }); // refused or not: it is answered
    expect((await bridge?.stop())?.exitCode).toBe(0);
    const next = await start();
    expect(next.logLines).toContainEqual(expect.objectContaining({ movedAside: expect.any(String) }));
    expect(await storage()).toContain("moved aside");
    expect((await caller.finish("codex_read", { prompt: "a short one" })).content.status).toBe("completed");
  });
});

describe("a state directory that goes while the bridge runs", () => {
  test.each([
    [
      "a database without a byte",
      () => {
        for (const name of ["jobs.sqlite", "jobs.sqlite-wal"]) truncateSync(join(stateDir, name));
      },
    ],
    [
      "no directory any more",
      () => {
        rmSync(stateDir, { recursive: true, force: true });
      },
    ],
  ] as [string, () => void][])(
    "%s: the running job is answered, nobody is stopped, and the next start serves",
    async (_name, spoilIt) => {
      await start();
      const jobId = await beginLongJob();
      spoilIt();
      await expect.poll(async () => (await status(jobId)).status, PATIENCE).toBe("completed");
      expect(await status(jobId)).toMatchObject({ answer: "the long answer" });
      await caller.call("codex_read", { prompt: "a short one" }); // refused or not: it is answered
      expect((await fetch(`${bridge?.url}/healthz`)).status).toBe(200);
      expect(await storage()).toContain("the database was removed");
      expect((await bridge?.stop())?.exitCode).toBe(0);
      await start();
      expect((await caller.finish("codex_read", { prompt: "a short one" })).content.status).toBe("completed");
    },
  );
});

describe("a clock that is put back by a day", () => {
  test("changes neither the order of jobs nor their ends, and the audit log stays whole", async () => {
    const offset = join(home.path, "clock-offset");
    const shim = join(home.path, "clock.mjs");
    await writeFile(offset, "0");
    await writeFile(
      shim,
      `import { readFileSync } from "node:fs";
       const real = Date.now;
       Date.now = () => real() + Number(readFileSync(${JSON.stringify(offset)}, "utf8"));`,
    );
    await start({ NODE_OPTIONS: `--import=${shim}` });
    const before = (await caller.finish("codex_read", { prompt: "a short one" })).content;
    const jobId = await beginLongJob();
    await writeFile(offset, String(-86_400_000));
    await expect.poll(async () => (await status(jobId)).status, PATIENCE).toBe("completed");
    const ended = await status(jobId);
    expect(ended).toMatchObject({ answer: "the long answer" });
    expect(Date.parse(ended.finishedAt ?? "")).toBeGreaterThanOrEqual(Date.parse(String(ended["createdAt"])));
    expect(ended.elapsedMs).toBeGreaterThanOrEqual(0);
    const { content: newest } = await caller.finish("codex_read", { prompt: "a short one, after" });
    const { content } = await caller.call("codex_job_status", {});
    expect(content).toMatchObject({ jobId: newest.jobId, status: "completed" });
    expect(content.recentJobs?.map((job) => job.jobId)).toEqual([newest.jobId, jobId, before.jobId]);
    await restart();
    expect((await caller.call("codex_job_status", {})).content.jobId).toBe(newest.jobId);
    const verified = await runDoor({ argv: ["audit", "verify", "--state-dir", stateDir] });
    expect(verified).toMatchObject({ exitCode: 0 });
    expect(readFileSync(join(stateDir, "audit", "audit.log"), "utf8")).toContain(String(jobId));
  });
});
