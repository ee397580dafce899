/**
 * ChatGPT's way through OpenAI's tunnel, with stand-ins for the two programs that are not ours: the control plane after
 * its published protocol, and `tunnel-client`. The bridge, its supervisor and Codex are real.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { say } from "../../src/demo/scripted-model/steps.ts";
import { connect, startBridge, type Caller, type RunningBridge } from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  descendants,
  isAlive,
  type ScratchCodexHome,
  type ScratchProject,
} from "../support/scripted-codex.ts";
import { placeStandIn } from "../support/stand-in-program.ts";
import {
  controlPlaneKey,
  startControlPlane,
  tunnelId,
  type ControlPlane,
} from "../support/tunnel-control-plane.ts";

const PATIENCE = { timeout: 60_000 };

let model: ScriptedModel;
let home: ScratchCodexHome;
let project: ScratchProject;
let scratch: string;
let control: ControlPlane;
let bridge: RunningBridge | null = null;
const callers: Caller[] = [];

beforeEach(async () => {
  model = await startScriptedModel();
  home = await createCodexHome({ modelUrl: model.url });
  project = await createProject({ "readme.txt": "hello\n" });
  scratch = await mkdtemp(join(homedir(), ".cache", "codex-gpt-bridge-tests", "tunnel-"));
  control = await startControlPlane();
});
afterEach(async () => {
  await Promise.all(callers.splice(0).map(async (caller) => caller.close().catch(() => {})));
  await bridge?.stop();
  bridge = null;
  await control.close();
  await model.close();
  await home.dispose();
  await project.dispose();
  await rm(scratch, { recursive: true, force: true });
});

async function start(flags: readonly string[] = []): Promise<RunningBridge> {
  const client = await placeStandIn(scratch, "tunnel-client");
  bridge = await startBridge({
    codex: codexBinaries["0.169.0"],
    codexHome: home.path,
    roots: [project.path],
    stateDir: join(scratch, "state"),
    token: null,
    flags: ["--tunnel", "openai", "--tunnel-client", client, "--log-level", "debug", ...flags],
    env: {
      CONTROL_PLANE_API_KEY: controlPlaneKey,
      CONTROL_PLANE_TUNNEL_ID: tunnelId,
      CONTROL_PLANE_BASE_URL: control.url,
    },
  });
  await logged(bridge, "the tunnel is ready");
  return bridge;
}

/** Waits for the nth line with this message. */
async function logged({ logLines }: RunningBridge, message: string, count = 1): Promise<void> {
  await expect
    .poll(() => logLines.filter(({ msg }) => msg === message).length, PATIENCE)
    .toBeGreaterThanOrEqual(count);
}

function clientPid({ logLines }: RunningBridge): number {
  return Number(logLines.findLast(({ msg }) => msg === "tunnel-client started")?.["pid"]);
}

async function chat(protocol: "2026-07-28" | "2025-11-25" = "2026-07-28"): Promise<Caller> {
  const caller = await connect(control.connectorUrl, { protocol, bare: true });
  callers.push(caller);
  return caller;
}

const toolCall = (name: string, args: object) => ({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name, arguments: args },
});
const ERA = { headers: { "mcp-protocol-version": "2025-11-25" } };

describe("calls", () => {
  test.each(["2026-07-28", "2025-11-25"] as const)(
    "in revision %s reach Codex and come back, with a secret that was made for this start alone",
    async (protocol) => {
      model.script("what is this", [say("A project.")]);
      const running = await start();
      const caller = await chat(protocol);
      const status = await caller.call("bridge_status");
      expect(status.content).toMatchObject({ auth: "header secret" });
      const { content } = await caller.finish("codex_read", { prompt: "what is this" });
      expect(content).toMatchObject({ status: "completed", answer: "A project." });
      // Beside the tunnel there is no way in.
      const direct = await fetch(`${running.url}/mcp`, { method: "POST", body: "{}" });
      expect(direct.status).toBe(401);
      expect(control.violations).toEqual([]);
      expect(running.strayLines).toEqual([]);
      // What the client's doctor finds in every bridge without OAuth is no reason to worry.
      const finding = running.logLines.find(({ check }) => check === "oauth_metadata");
      expect(finding).toMatchObject({ level: "info", msg: "tunnel-client doctor: nothing to do" });
    },
  );

  test("that wait 25 s for Codex are answered within the tunnel's 30 s", async () => {
    model.script("three quarters", [say("word ".repeat(45), { chunks: 45, chunkMs: 1_000 })]);
    await start(["--fast-return-ms", "25000"]);
    const caller = await chat();
    const first = await caller.call("codex_read", { prompt: "three quarters" });
    expect(first.content.status).toBe("running");
    expect(first.content.elapsedMs).toBeGreaterThan(20_000);
    const last = await caller.finish("codex_job_status", { jobId: first.content.jobId });
    expect(last.content).toMatchObject({ status: "completed", answer: "word ".repeat(45) });
    expect(control.counts()).toMatchObject({ expired: 0, open: 0 });
  }, 240_000);

  test("whose deadline passes are told so, once, and their job is found again", async () => {
    model.script("slow", [say("done at last", { delayMs: 6_000 })]);
    await start();
    const args = { prompt: "slow", requestId: "the-slow-one" };
    const outcome = await control.call(toolCall("codex_read", args), { ...ERA, timeoutMs: 3_000 });
    expect(outcome.kind).toBe("expired");
    const caller = await chat();
    const again = await caller.finish("codex_read", args);
    expect(again.content).toMatchObject({ status: "completed", answer: "done at last" });
    const { content } = await caller.call("bridge_status");
    expect(content["trackedJobs"]).toBe(1);
    expect(control.lateAnswers()).toBe(0);
  });

  test("by the hundred at once are all answered", async () => {
    model.script("long", [say("word ".repeat(20), { chunks: 20, chunkMs: 1_000 })]);
    await start(["--fast-return-ms", "2000"]);
    const caller = await chat();
    const { jobId } = (await caller.call("codex_read", { prompt: "long" })).content;
    const before = control.counts();
    const answers = await Promise.all(
      Array.from({ length: 100 }, async (_, index) =>
        index % 2 === 0 ? caller.call("codex_job_status", { jobId }) : caller.call("bridge_status"),
      ),
    );
    expect(answers.filter(({ isError }) => isError)).toEqual([]);
    const { taken, answered, expired, open } = control.counts();
    expect({ taken: taken - before.taken, answered: answered - before.answered, expired, open }).toEqual({
      taken: 100,
      answered: 100,
      expired: 0,
      open: 0,
    });
    expect(control.violations).toEqual([]);
  });
});

describe("a restart", () => {
  test("of the tunnel client: the call in flight is told so, and its job is there for the next one", async () => {
    model.script("slow", [say("done", { delayMs: 8_000 })]);
    const running = await start();
    const first = clientPid(running);
    const args = { prompt: "slow", requestId: "one" };
    const inFlight = control.call(toolCall("codex_read", args), { ...ERA, timeoutMs: 12_000 });
    await expect.poll(async () => (await modelWasAsked()) > 0, PATIENCE).toBe(true);
    process.kill(first, "SIGKILL");
    await logged(running, "the tunnel is ready", 2);
    expect((await inFlight).kind).toBe("expired");
    expect(clientPid(running)).not.toBe(first);
    const { content } = await (await chat()).finish("codex_read", args);
    expect(content).toMatchObject({ status: "completed", answer: "done" });
    const why = running.logLines.find(({ msg }) => msg === "the tunnel ended; it will be opened again");
    expect(why?.["why"]).toContain("tunnel-client was ended by SIGKILL");
  });

  test("of the bridge, killed with its tunnel open: nothing of the first is left, and the job is found", async () => {
    model.script("slow", [say("done", { delayMs: 8_000 })]);
    const killed = await start();
    const left = clientPid(killed);
    const args = { prompt: "slow", requestId: "one" };
    const inFlight = control.call(toolCall("codex_read", args), { ...ERA, timeoutMs: 20_000 });
    await expect.poll(async () => (await modelWasAsked()) > 0, PATIENCE).toBe(true);
    bridge = null;
    await killed.kill();
    // The tunnel client outlives a killed bridge and says that nobody answers: the call is not lost silently.
    expect(await inFlight).toMatchObject({ kind: "answered", status: 502 });
    expect(await isAlive(left)).toBe(true);
    const running = await start();
    await expect.poll(async () => isAlive(left), PATIENCE).toBe(false);
    expect(clientPid(running)).not.toBe(left);
    const { content } = await (await chat()).finish("codex_job_status", {});
    expect(["completed", "failed"]).toContain(content.status);
    expect(content.error === null || content.error?.code === "interrupted").toBe(true);
  });

  test("of the control plane: the client finds it again, and calls that came meanwhile are answered", async () => {
    model.script("slow", [say("done", { delayMs: 2_000 })]);
    const { logLines } = await start();
    const caller = await chat();
    const answered = (): number => logLines.filter(({ msg }) => msg === "request answered").length;
    const before = answered();
    const inFlight = control.call(toolCall("codex_read", { prompt: "slow" }), ERA);
    await expect.poll(async () => (await modelWasAsked()) > 0, PATIENCE).toBe(true);
    await control.goAway();
    const meanwhile = control.call(toolCall("bridge_status", {}), ERA);
    await expect.poll(answered, PATIENCE).toBeGreaterThan(before);
    await control.comeBack();
    expect(await inFlight).toMatchObject({ kind: "answered", status: 200 });
    expect(await meanwhile).toMatchObject({ kind: "answered", status: 200 });
    expect((await caller.call("bridge_status")).isError).toBe(false);
    expect(control.counts()).toMatchObject({ expired: 0, open: 0 });
  });

  async function modelWasAsked(): Promise<number> {
    return model.requests.length;
  }
});

describe("secrets", () => {
  test("are in no argument, no log line and no file; the tunnel's program has them in its environment", async () => {
    model.script("hello", [say("hello")]);
    const running = await start();
    const caller = await chat();
    await caller.finish("codex_read", { prompt: "hello" });
    const environment = (await readFile(`/proc/${clientPid(running)}/environ`, "utf8")).split("\0");
    const headerSecret = environment
      .find((entry) => entry.startsWith("CODEX_GPT_BRIDGE_HEADER_SECRET="))
      ?.split("=", 2)[1];
    expect(headerSecret).toMatch(/^[\w-]{43}$/);
    expect(environment).toContain(`CONTROL_PLANE_API_KEY=${controlPlaneKey}`);
    const secrets = [controlPlaneKey, headerSecret ?? "", tunnelId];

    const pids = [running.pid, ...(await descendants(running.pid))];
    const argv = await Promise.all(
      pids.map(async (pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
    );
    expect(argv.join("\n")).toContain("tunnel-client");
    const files = await filesBelow(join(scratch, "state"));
    expect(files.some((file) => file.endsWith("codex-gpt-bridge.yaml"))).toBe(true);
    const texts = await Promise.all(files.map(async (file) => readFile(file, "latin1")));
    const { stderr, stdout } = await running.stop();
    for (const secret of secrets) {
      expect(argv.join("\n")).not.toContain(secret);
      expect(texts.join("\n")).not.toContain(secret);
      expect(stdout).not.toContain(secret);
    }
    for (const secret of [controlPlaneKey, headerSecret ?? ""]) expect(stderr).not.toContain(secret);
  });

  async function filesBelow(directory: string): Promise<string[]> {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  }
});
