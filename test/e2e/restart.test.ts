/** What a bridge that was killed leaves to the next one on the same state directory, with the real Codex. */
import { mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { patch, say, shell } from "../../src/demo/scripted-model/steps.ts";
import { runDoor, startBridge, token, type Caller, type RunningBridge } from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  isAlive,
  type CodexVersion,
  type ScratchCodexHome,
  type ScratchProject,
} from "../support/scripted-codex.ts";

const PATIENCE = { timeout: 10_000 };

let model: ScriptedModel;
let home: ScratchCodexHome;
let project: ScratchProject;
let stateDir: string;
let bridge: RunningBridge | null = null;
let caller: Caller;

beforeEach(async () => {
  model = await startScriptedModel();
  home = await createCodexHome({ modelUrl: model.url });
  project = await createProject({ "readme.txt": "hello\n" });
  stateDir = join(home.path, "state-of-the-bridge");
  await mkdir(stateDir);
});
afterEach(async () => {
  await bridge?.stop();
  bridge = null;
  await model.close();
  await home.dispose();
  await project.dispose();
});

async function start(
  version: CodexVersion = "0.169.0",
  flags: readonly string[] = [],
): Promise<RunningBridge> {
  bridge = await startBridge({
    codex: codexBinaries[version],
    codexHome: home.path,
    roots: [project.path],
    stateDir,
    flags: ["--allow-write", "--fast-return-ms=1000", ...flags],
  });
  caller = await bridge.connect();
  return bridge;
}

async function jobs(...argv: string[]) {
  return runDoor({ argv: ["jobs", ...argv, "--state-dir", stateDir] });
}

const status = async (jobId: string | undefined) =>
  (await caller.call("codex_job_status", { jobId, waitMs: 1_000 })).content;

describe("after kill -9 of the bridge", () => {
  test.each<[string, CodexVersion, string[]]>([
    ["app-server of 0.169.0", "0.169.0", []],
    ["app-server of 0.153.4", "0.153.4", []],
    ["mcp-server of 0.153.4", "0.153.4", ["--backend=mcp-server"]],
  ])("a turn that completed meanwhile has its answer (%s)", async (_name, version, flags) => {
    const steps = [
      patch("*** Begin Patch\n*** Add File: new.txt\n+x\n*** End Patch"),
      say("came later", { delayMs: 2_500 }),
    ];
    model.script("finish without me", steps);
    const first = await start(version, flags);
    const { content } = await caller.call("codex_run", {
      prompt: "finish without me",
      sandbox: "workspace-write",
    });
    expect(content.status).toBe("running");
    // It hears nothing any more, while Codex goes on.
    process.kill(first.pid, "SIGSTOP");
    await expect.poll(async () => rolloutsSay("came later"), { timeout: 10_000 }).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await first.kill();
    await start(version, flags);
    await expect.poll(async () => (await status(content.jobId)).status, PATIENCE).toBe("completed");
    expect(await status(content.jobId)).toMatchObject({
      answer: "came later",
      changes: [{ path: "new.txt", kind: "add", additions: 1 }],
      error: null,
    });
  });

  test("a turn that was cut off is interrupted with what was done, and its thread goes on", async () => {
    model.script("never finish", [
      patch("*** Begin Patch\n*** Add File: new.txt\n+x\n*** End Patch"),
      say("word ".repeat(100), { chunks: 100, chunkMs: 200 }),
    ]);
    model.script("go on", [say("went on")]);
    const first = await start();
    const { content } = await caller.call("codex_run", {
      prompt: "never finish",
      sandbox: "workspace-write",
    });
    await expect.poll(async () => (await status(content.jobId)).changes, PATIENCE).toHaveLength(1);
    await first.kill();
    await start();
    await expect.poll(async () => (await status(content.jobId)).status, PATIENCE).toBe("failed");
    const job = await status(content.jobId);
    expect(job).toMatchObject({
      error: { code: "interrupted", retryable: true },
      changes: [{ path: "new.txt" }],
    });
    const reply = await caller.finish("codex_reply", { threadId: job.threadId, prompt: "go on" });
    expect(reply.content).toMatchObject({ status: "completed", answer: "went on", threadId: job.threadId });
    const audited = await readFile(join(stateDir, "audit", await newestFile()), "utf8");
    expect(
      audited
        .split("\n")
        .filter((line) => line.includes('"type":"job"') && line.includes(`${content.jobId}`)),
    ).toHaveLength(1);
  });

  test("a Codex that outlived it is ended", async () => {
    const first = await start();
    const [codex] = await first.codexProcesses();
    expect(codex).toBeDefined();
    process.kill(codex?.pid ?? 0, "SIGSTOP"); // it cannot hear that its input has ended
    await first.kill();
    expect(await isAlive(codex?.pid ?? 0)).toBe(true);
    await start();
    expect(await isAlive(codex?.pid ?? 0)).toBe(false);
  });
});

describe("the owner's jobs", () => {
  test("are listed, shown and watched, while the bridge runs and when it does not; nothing is wider than 80", async () => {
    model.script("short", [shell("cat readme.txt"), say("short answer")]);
    expect((await jobs("list")).stdout).toBe("There are no jobs yet.\n");
    await start();
    const { content } = await caller.finish("codex_read", { prompt: "short" });
    const { jobId = "" } = content;
    for (const isRunning of [true, false]) {
      if (!isRunning) await bridge?.stop();
      const list = await jobs("list");
      expect(list).toMatchObject({ exitCode: 0, stderr: "" });
      expect(list.stdout).toContain(jobId);
      expect(Math.max(...list.stdout.split("\n").map(({ length }) => length))).toBeLessThan(80);
      const [listed] = (await jobs("list", "--json")).stdout.trim().split("\n");
      expect(JSON.parse(listed ?? "")).toMatchObject({ jobId, state: "completed", answer: "short answer" });
      expect((await jobs("show", jobId.slice(0, 8))).stdout).toMatch(/state +completed[\s\S]+short answer/);
      const watched = await jobs("watch");
      expect(watched.exitCode).toBe(0);
      expect(watched.stdout).toMatch(/Runs: cat readme.txt[\s\S]+completed\n$/);
    }
    bridge = null;
    expect(await jobs("show", "nobody")).toMatchObject({ exitCode: 1, stdout: "" });
    expect(await jobs("cancel", jobId)).toMatchObject({
      exitCode: 0,
      stdout: `${jobId} has ended already: completed\n`,
    });
    expect(await jobs("dance")).toMatchObject({ exitCode: 2, stdout: "" });
  });

  test("can be cancelled, and the caller is told who did it", async () => {
    model.script("too long", [say("word ".repeat(100), { chunks: 100, chunkMs: 500 })]);
    await start();
    const { content } = await caller.call("codex_read", { prompt: "too long" });
    expect((await jobs("list")).stdout).toContain("running");
    const cancelled = await jobs("cancel", content.jobId ?? "");
    expect(cancelled).toMatchObject({ exitCode: 0, stdout: `${content.jobId} cancelled: cancelled\n` });
    expect(await status(content.jobId)).toMatchObject({ status: "cancelled", error: { code: "cancelled" } });
    expect((await jobs("watch", content.jobId ?? "")).exitCode).toBe(1);
  });

  test("above the hourly limit a caller is refused, also after a restart", async () => {
    model.script("one of few", [say("ok")]);
    const flags = ["--jobs-per-hour=1"];
    await start("0.169.0", flags);
    await caller.finish("codex_read", { prompt: "one of few" });
    const refusal = { status: "refused", error: { code: "rate_limited", retryable: true } };
    expect((await caller.call("codex_read", { prompt: "one of few, again" })).content).toMatchObject(refusal);
    await bridge?.stop();
    await start("0.169.0", flags);
    expect((await caller.call("codex_read", { prompt: "one of few, once more" })).content).toMatchObject(
      refusal,
    );
  });
});

describe("a state directory that is not as it should be", () => {
  const serve = async (directory: string) =>
    runDoor({
      argv: ["serve", "--port=0", "--token", token, "--state-dir", directory, "--roots", project.path],
    });
  const onlyLine = (stderr: string): unknown => {
    expect(stderr.trim().split("\n")).toHaveLength(1);
    return JSON.parse(stderr);
  };

  test("one that cannot be made ends the start with one line", async () => {
    const { exitCode, stderr } = await serve(join(home.path, "config.toml", "state"));
    expect(exitCode).toBe(1);
    expect(onlyLine(stderr)).toMatchObject({
      msg: expect.stringContaining("state directory cannot be used"),
    });
  });

  test("a database of a newer version ends the start with one line, and stays as it is", async () => {
    const path = join(stateDir, "jobs.sqlite");
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 99");
    database.close();
    const { exitCode, stderr } = await serve(stateDir);
    expect(exitCode).toBe(1);
    expect(onlyLine(stderr)).toMatchObject({ msg: expect.stringContaining("newer codex-gpt-bridge") });
    expect(await readdir(stateDir)).not.toContain("jobs.sqlite.unreadable");
  });

  test("a database that cannot be read is moved aside, and the bridge says so", async () => {
    await writeFile(join(stateDir, "jobs.sqlite"), "this is no database. ".repeat(500));
    const running = await start();
    expect(running.logLines).toContainEqual(
      expect.objectContaining({ level: "error", movedAside: expect.any(String) }),
    );
    expect((await readdir(stateDir)).filter((name) => name.includes("unreadable"))).toHaveLength(1);
    const { content } = await caller.call("bridge_status");
    expect(content["storage"]).toContain("moved aside");
    model.script("works", [say("works")]);
    expect((await caller.finish("codex_read", { prompt: "works" })).content.status).toBe("completed");
  });

  test("the database is the owner's alone, and --ephemeral makes none", async () => {
    await start();
    for (const name of ["jobs.sqlite", "jobs.sqlite-wal", "jobs.sqlite-shm"])
      expect((await stat(join(stateDir, name))).mode & 0o777).toBe(0o600);
    await bridge?.stop();
    await rm(stateDir, { recursive: true });
    await start("0.169.0", ["--ephemeral"]);
    expect(await readdir(stateDir)).not.toContain("jobs.sqlite");
    expect((await stat(stateDir)).mode & 0o777).toBe(0o700);
    model.script("kept nowhere", [say("ok")]);
    expect((await caller.finish("codex_read", { prompt: "kept nowhere" })).content.status).toBe("completed");
  });
});

async function newestFile(): Promise<string> {
  return (await readdir(join(stateDir, "audit"))).toSorted().at(-1) ?? "";
}

/** Codex has this on file as its own words. */
async function rolloutsSay(text: string): Promise<boolean> {
  const files = await readdir(join(home.path, "sessions"), { recursive: true }).catch(() => []);
  const contents = await Promise.all(
    files
      .filter((name) => name.endsWith(".jsonl"))
      .map(async (name) => readFile(join(home.path, "sessions", name), "utf8")),
  );
  return contents.some((content) => content.includes(text));
}
