/** A machine whose Codex is missing, broken, too old or not logged in: the bridge runs, explains, and needs no restart. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { say } from "../../src/demo/scripted-model/steps.ts";
import {
  startBridge,
  watchHealth,
  type Answer,
  type BridgeOptions,
  type Caller,
  type RunningBridge,
} from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  descendants,
  isAlive,
  type CodexVersion,
  type ScratchCodexHome,
  type ScratchProject,
} from "../support/scripted-codex.ts";

let model: ScriptedModel;
let home: ScratchCodexHome;
let project: ScratchProject;
/** Where fixture programs live; no project. */
let programs: ScratchProject;

beforeAll(async () => {
  model = await startScriptedModel();
  home = await createCodexHome({ modelUrl: model.url });
  project = await createProject({ "readme.txt": "hello\n" });
  programs = await createProject();
});
afterAll(async () => {
  await model.close();
  await home.dispose();
  await project.dispose();
  await programs.dispose();
});

async function withBridge(
  options: Partial<BridgeOptions>,
  use: (bridge: RunningBridge, caller: Caller) => Promise<void>,
): Promise<void> {
  const bridge = await startBridge({
    codex: null,
    codexHome: home.path,
    roots: [project.path],
    untilReady: false,
    ...options,
  });
  try {
    const caller = await bridge.connect();
    await use(bridge, caller);
    await caller.close();
  } finally {
    await bridge.stop();
  }
}

async function program(name: string, script: string): Promise<string> {
  await programs.write(name, `#!/bin/sh\n${script}\n`);
  await chmod(join(programs.path, name), 0o755);
  return join(programs.path, name);
}

async function readyz(bridge: RunningBridge): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${bridge.url}/readyz`);
  return { status: response.status, body: await response.json() };
}

/** Every tool that would need Codex refuses with the code, and everything else explains it. */
async function expectUnusable(bridge: RunningBridge, caller: Caller, code: string): Promise<Answer> {
  const refusal = await caller.call("codex_read", { prompt: "are you there?" });
  expect(refusal).toMatchObject({ isError: true, content: { status: "refused", error: { code } } });
  expect(refusal.content.nextAction).toContain("owner");
  expect(refusal.text).not.toMatch(/(^|[^\w.])\/\w/);
  const run = await caller.call("codex_run", { prompt: "are you there?" });
  expect(run.content.error?.code).toBe(code);
  const status = await caller.call("bridge_status");
  expect(status).toMatchObject({ isError: false, content: { status: "not_ready", error: { code } } });
  expect(await readyz(bridge)).toEqual({ status: 503, body: { ok: false, reason: code } });
  expect((await fetch(`${bridge.url}/healthz`)).status).toBe(200);
  return status;
}

/** Answers every question about itself, and starts, but never says a word to its client. */
const muteAppServer = `[ "$1" = "app-server" ] && exec sleep 3600
[ "$1" = "--version" ] && echo "codex-cli 0.169.0"
exit 0`;

describe.concurrent("a bridge without a usable Codex", () => {
  test("starts where there is no Codex, says so, and works as soon as there is one", async ({
    expect: expectHere,
  }) => {
    const path = join(programs.path, "empty-path");
    await mkdir(path);
    await withBridge({ env: { PATH: `${path}:/usr/bin:/bin` } }, async (bridge, caller) => {
      const status = await expectUnusable(bridge, caller, "codex_not_found");
      expect(status.content).toMatchObject({ backend: null, codexVersion: null, codexLoggedIn: null });
      await symlink(codexBinaries["0.169.0"], join(path, "codex"));
      model.script("are you there now", [say("Now I am.")]);
      const ask = async () => (await caller.finish("codex_read", { prompt: "are you there now?" })).content;
      await expectHere
        .poll(ask, { timeout: 20_000, interval: 500 })
        .toMatchObject({ status: "completed", answer: "Now I am." });
      expect((await readyz(bridge)).status).toBe(200);
      expect((await caller.call("bridge_status")).content).toMatchObject({
        status: "ready",
        codexVersion: "0.169.0",
        error: null,
      });
    });
  });

  test("does not run a codex on PATH that is a link into a project", async () => {
    const path = join(programs.path, "linked-path");
    await mkdir(path);
    const ran = join(programs.path, "ran");
    await project.write("node_modules/.bin/codex", `#!/bin/sh\ntouch '${ran}'\necho codex-cli 0.169.0\n`);
    await chmod(join(project.path, "node_modules/.bin/codex"), 0o755);
    await symlink(join(project.path, "node_modules/.bin/codex"), join(path, "codex"));
    await withBridge({ env: { PATH: `${path}:/usr/bin:/bin` } }, async (bridge, caller) => {
      const status = await expectUnusable(bridge, caller, "codex_unsupported");
      expect(status.content.error?.message).toContain("leads into a project");
    });
    await expect(readFile(ran)).rejects.toThrow("ENOENT");
  });

  test("says that CODEX_HOME is not there, and works as soon as it is", async ({ expect: expectHere }) => {
    const missing = join(programs.path, "codex-home");
    const codex = codexBinaries["0.169.0"];
    await withBridge({ codex, codexHome: missing }, async (bridge, caller) => {
      const status = await expectUnusable(bridge, caller, "codex_unsupported");
      const why = "CODEX_HOME names a directory that does not exist";
      expect(status.content["backendReason"]).toBe(why);
      expect(status.content.error?.message).toContain(why);
      expect(bridge.logLines).toContainEqual(
        expect.objectContaining({
          codexHome: missing,
          msg: expect.stringContaining("unset") as string,
        }),
      );
      await symlink(home.path, missing);
      await expectHere
        .poll(async () => (await readyz(bridge)).status, { timeout: 30_000, interval: 500 })
        .toBe(200);
    });
  });

  test.each<[string, string, RegExp]>([
    ["is too old", 'echo "codex-cli 0.100.0"', /0\.100\.0/],
    ["fails", "echo broken >&2; exit 1", /version/],
    ["is something else", 'echo "welcome to codex"', /version/],
    ["dies when it is started", '[ "$1" = "--version" ] && echo "codex-cli 0.169.0" && exit 0; exit 1', /./],
  ])("refuses to use a Codex that %s", async (what, script, message) => {
    const codex = await program(`codex-${what.replaceAll(" ", "-")}`, script);
    await withBridge({ codex }, async (bridge, caller) => {
      const status = await expectUnusable(bridge, caller, "codex_unsupported");
      expect(status.content.error?.message).toMatch(message);
    });
  });

  test.each<[string, string]>([
    ["hangs", "exec sleep 3600"],
    ["hangs and ignores SIGTERM", "trap '' TERM; while :; do sleep 1; done"],
  ])("answers within 25 s when a Codex that is asked for its version %s", async (what, script) => {
    const codex = await program(`codex-${what.replaceAll(" ", "-")}`, script);
    await withBridge({ codex }, async (bridge, caller) => {
      const health = watchHealth(bridge.url);
      const status = caller.call("bridge_status");
      const asked = performance.now();
      const refusal = await caller.call("codex_read", { prompt: "are you there?" });
      expect(performance.now() - asked).toBeLessThan(25_000);
      expect(refusal.content).toMatchObject({ status: "refused", error: { code: "codex_unsupported" } });
      expect((await status).content.status).toBe("not_ready");
      const { failures, slowestMs } = await health.stop();
      expect(failures).toEqual([]);
      expect(slowestMs).toBeLessThan(2_000);
    });
  });

  test("answers within 25 s when Codex starts and then says nothing, and leaves no such process", async ({
    expect: expectHere,
  }) => {
    const codex = await program("codex-mute", muteAppServer);
    await withBridge({ codex }, async (bridge, caller) => {
      const asked = performance.now();
      const refusal = await caller.call("codex_read", { prompt: "are you there?" });
      expect(performance.now() - asked).toBeLessThan(25_000);
      expect(refusal.content).toMatchObject({ status: "refused", error: { code: "codex_unsupported" } });
      await expectHere.poll(async () => descendants(bridge.pid), { timeout: 5_000 }).toEqual([]);
    });
  });

  test.for<[string, string]>([
    ["does not tell its version", "trap '' TERM; exec sleep 3600"],
    ["has started and says nothing", muteAppServer],
  ])("stops within 8 s of SIGTERM while Codex %s", async ([what, script], { expect: expectHere }) => {
    const codex = await program(`codex-that-${what.replaceAll(" ", "-")}`, script);
    const bridge = await startBridge({
      codex,
      codexHome: home.path,
      roots: [project.path],
      untilReady: false,
    });
    await expectHere.poll(async () => descendants(bridge.pid), { timeout: 10_000 }).not.toEqual([]);
    const children = await descendants(bridge.pid);
    const asked = performance.now();
    const { exitCode } = await bridge.stop();
    expect(exitCode).toBe(0);
    expect(performance.now() - asked).toBeLessThan(8_000);
    expect((await Promise.all(children.map(isAlive))).filter(Boolean)).toEqual([]);
  });

  test("says that an mcp-server was asked for where Codex has none any more", async () => {
    const flags = ["--backend", "mcp-server"];
    await withBridge({ codex: codexBinaries["0.169.0"], flags }, async (bridge, caller) => {
      const status = await expectUnusable(bridge, caller, "codex_unsupported");
      expect(status.content.error?.message).toContain("mcp-server");
    });
  });

  test.for<CodexVersion>(["0.169.0", "0.153.4"])(
    "says that Codex %s is not logged in, and works once it is",
    async (version, { expect: expectHere }) => {
      const own = await createCodexHome({ modelUrl: model.url });
      try {
        const configPath = join(own.path, "config.toml");
        const config = await readFile(configPath, "utf8");
        const needsLogin = config.replace("requires_openai_auth = false", "requires_openai_auth = true");
        expect(needsLogin).not.toBe(config);
        await writeFile(configPath, needsLogin);
        const codex = codexBinaries[version];
        await withBridge({ codex, codexHome: own.path }, async (bridge, caller) => {
          const asked = model.requests.length;
          const status = await expectUnusable(bridge, caller, "codex_not_logged_in");
          expect(status.content).toMatchObject({ codexVersion: version, codexLoggedIn: false });
          expect(model.requests.slice(asked).some(({ prompt }) => prompt === "are you there?")).toBe(false);

          const login = spawn(codex, ["login", "--with-api-key"], {
            env: { PATH: "/usr/bin:/bin", CODEX_HOME: own.path, HOME: own.path },
            stdio: ["pipe", "ignore", "ignore"],
          });
          login.stdin.end("sk-of-nobody-0123456789\n");
          expect(await once(login, "close")).toEqual([0, null]);
          const prompt = `logged in to ${version} now`;
          model.script(prompt, [say("Welcome.")]);
          await expectHere
            .poll(async () => (await caller.finish("codex_read", { prompt })).content, {
              timeout: 20_000,
              interval: 500,
            })
            .toMatchObject({ status: "completed", answer: "Welcome." });
          expect((await caller.call("bridge_status")).content).toMatchObject({ codexLoggedIn: true });
        });
      } finally {
        await own.dispose();
      }
    },
  );
});
