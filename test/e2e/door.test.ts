/** The door itself: what it prints, and with which code it ends. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, readdir, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { say, shell } from "../../src/demo/scripted-model/steps.ts";
import { version } from "../../src/lib/version.ts";
import { runDoor, startBridge, token } from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  descendants,
  isAlive,
  type ScratchProject,
} from "../support/scripted-codex.ts";

const run = promisify(execFile);
const packageRoot = join(import.meta.dirname, "..", "..");

const node20 = await findNode(20);

describe("usage", () => {
  test.each<[string, string[], RegExp]>([
    ["--version", ["--version"], new RegExp(`^${version.replaceAll(".", "\\.")}\n$`)],
    ["--help", ["--help"], /Usage: codex-gpt-bridge[\s\S]+serve[\s\S]+demo/],
    ["serve --help", ["serve", "--help"], /Usage: codex-gpt-bridge serve[\s\S]+--token[\s\S]+--allow-write/],
    ["demo --help", ["demo", "--help"], /Usage: codex-gpt-bridge demo/],
  ])("%s goes to stdout and ends well", async (_name, argv, text) => {
    const { exitCode, stdout, stderr } = await runDoor({ argv });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(text);
  });

  const noAuth = ["serve", "--port", "0", "--no-auth"];
  test.each<[string, string[], RegExp[]]>([
    [
      "serve without any authentication",
      ["serve", "--port", "0"],
      [/CODEX_GPT_BRIDGE_TOKEN/, /CODEX_GPT_BRIDGE_HEADER_SECRET/, /CODEX_GPT_BRIDGE_NO_AUTH/],
    ],
    ["a token that is too short", ["serve", "--token", "x".repeat(31)], [/--token: .*32 characters/]],
    ["no authentication together with a token", [...noAuth, "--token", token], [/--no-auth: .*--token/]],
    [
      "no authentication where others can reach it",
      [...noAuth, "--host", "0.0.0.0"],
      [/--no-auth: .*0\.0\.0\.0/],
    ],
    [
      "full access as a default",
      [...noAuth, "--default-sandbox", "danger-full-access"],
      [/--default-sandbox: /],
    ],
    [
      "writing by default without permission",
      [...noAuth, "--default-sandbox", "workspace-write"],
      [/--default-sandbox: .*ALLOW_WRITE/],
    ],
    ["an unknown flag", ["serve", "--allow-everything"], [/--allow-everything/]],
    ["an unknown flag of the default command", ["--yolo"], [/--yolo/]],
    ["a word after serve", ["serve", "now"], [/now/]],
    ["an unknown command", ["destroy"], [/destroy/, /--help/]],
    ["a root that is not there", [...noAuth, "--root", "/no/such/project"], [/\/no\/such\/project/]],
    ["a relative root", [...noAuth, "--root", "projects"], [/roots: projects is not an absolute path/]],
    [
      "a config file that is not there",
      [...noAuth, "--config", "/no/such.toml"],
      [/\/no\/such\.toml: does not exist/],
    ],
    ["an argument for demo", ["demo", "--fast"], [/Usage: codex-gpt-bridge demo/]],
    [
      "several wrong values at once",
      [
        "serve",
        "--port",
        "99999",
        "--fast-return-ms",
        "5",
        "--backend",
        "magic",
        "--queue",
        "many",
        "--token",
        "short",
      ],
      [/--port: /, /--fast-return-ms: /, /--backend: /, /--queue: /, /--token: /],
    ],
    [
      "a wrong value and two settings that exclude each other",
      [...noAuth, "--token", token, "--queue", "many"],
      [/--no-auth: .*--token/, /--queue: /],
    ],
    [
      "a wrong value and an unknown flag",
      [...noAuth, "--queue", "many", "--allow-everything"],
      [/--queue: /, /--allow-everything/],
    ],
  ])(
    "%s: exit code 2, with every problem by its name and without a stack trace",
    async (_name, argv, problems) => {
      const { exitCode, stdout, stderr } = await runDoor({ argv });
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      for (const problem of problems) expect(stderr).toMatch(problem);
      expect(stderr).not.toMatch(/^\s+at |node:internal|\.ts:\d/m);
      expect(stderr).not.toContain(token);
    },
  );

  test("a wrong setting in the environment is named as it stands there", async () => {
    const env = { CODEX_GPT_BRIDGE_PORT: "-1", CODEX_GPT_BRIDGE_NO_AUTH: "perhaps" };
    const { exitCode, stderr } = await runDoor({ argv: [], env });
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/CODEX_GPT_BRIDGE_PORT: /);
    expect(stderr).toMatch(/CODEX_GPT_BRIDGE_NO_AUTH: /);
  });

  test("a port that is taken: exit code 1 and one line that says what to do", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    try {
      const address = taken.address();
      const port = typeof address === "object" && address !== null ? String(address.port) : "";
      const { exitCode, stdout, stderr } = await runDoor({ argv: ["serve", "--no-auth", "--port", port] });
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
      expect(stderr).toContain(port);
      expect(stderr).toMatch(/taken/);
      for (const line of stderr.trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("level");
    } finally {
      taken.close();
    }
  });
});

describe("an end by SIGTERM", () => {
  test("told twice, with a running job and a caller who waits: exit code 0 within 8 s, and no process is left", async () => {
    const model = await startScriptedModel();
    const home = await createCodexHome({ modelUrl: model.url });
    const project = await createProject({ "readme.txt": "hello\n" });
    const bridge = await startBridge({
      codex: codexBinaries["0.169.0"],
      codexHome: home.path,
      roots: [project.path],
    });
    try {
      model.script("sleep on", [shell("sleep 619", { yieldMs: 60_000 }), say("never")]);
      const caller = await bridge.connect();
      const waiting = caller.call("codex_read", { prompt: "sleep on" }).then(
        ({ content }) => content,
        (error: unknown) => new Error("no answer", { cause: error }),
      );
      await expect.poll(async () => processes(bridge.pid), { timeout: 20_000 }).toContain("sleep 619");
      const below = await descendants(bridge.pid);
      const asked = performance.now();
      // As under npm: Ctrl-C reaches both, and npm passes on what it got.
      process.kill(bridge.pid, "SIGINT");
      const { exitCode, signal } = await bridge.stop();
      expect({ exitCode, signal }).toEqual({ exitCode: 0, signal: null });
      expect(performance.now() - asked).toBeLessThan(8_000);
      const alive = async (): Promise<number> =>
        (await Promise.all(below.map(isAlive))).filter(Boolean).length;
      await expect.poll(alive, { timeout: 2_000 }).toBe(0);
      // Either the connection was cut, or the caller heard how the job ended; never that it completed.
      const heard = await waiting;
      expect(heard instanceof Error ? "cut" : heard.status).toMatch(/^(cut|failed)$/);
      expect(bridge.strayLines).toEqual([]);
      expect(bridge.logLines.map(({ msg }) => msg)).toEqual(expect.arrayContaining(["stopping", "stopped"]));
    } finally {
      await bridge.stop();
      await model.close();
      await home.dispose();
      await project.dispose();
    }
  });

  test("in the middle of the first trial: nothing is said after it, and nothing of the trial is left", async () => {
    const model = await startScriptedModel();
    const home = await createCodexHome({ modelUrl: model.url });
    const project = await createProject({ "readme.txt": "hello\n" });
    const state = await createProject();
    const canary = async (): Promise<string[]> => readdir(join(state.path, "canary")).catch(() => []);
    const bridge = await startBridge({
      codex: codexBinaries["0.169.0"],
      codexHome: home.path,
      roots: [project.path],
      stateDir: state.path,
      untilReady: false,
    });
    try {
      await expect.poll(canary, { timeout: 20_000, interval: 5 }).not.toEqual([]);
      const { exitCode } = await bridge.stop();
      expect(exitCode).toBe(0);
      expect(await canary()).toEqual([]);
      const said = bridge.logLines.map(({ msg }) => msg);
      expect(said.slice(said.indexOf("stopping"))).toContain("stopped");
      expect(said.at(-1)).toBe("stopped");
      for (const untrue of ["ready", "confinement could not be proven", "codex cannot be used"])
        expect(said).not.toContain(untrue);
    } finally {
      await bridge.stop();
      await model.close();
      await Promise.all([home.dispose(), project.dispose(), state.dispose()]);
    }
  });

  async function processes(pid: number): Promise<string> {
    const { stdout } = await run("ps", [
      "-o",
      "args=",
      "-p",
      (await descendants(pid)).join(",") || "0",
    ]).catch(() => ({ stdout: "" }));
    return stdout;
  }
});

describe("the built door", () => {
  let built: ScratchProject;
  let door: string;
  beforeAll(async () => {
    built = await createProject();
    door = join(built.path, "dist", "bridge.js");
    await mkdir(join(built.path, "dist"));
    await cp(join(packageRoot, "package.json"), join(built.path, "package.json"));
    await symlink(join(packageRoot, "node_modules"), join(built.path, "node_modules"));
    const tsc = join(packageRoot, "node_modules", "typescript", "bin", "tsc");
    await run(process.execPath, [tsc, "-p", join(packageRoot, "src"), "--outDir", join(built.path, "dist")]);
  });
  afterAll(async () => {
    await built.dispose();
  });

  test("runs on this Node", async () => {
    const ended = await runDoor({ argv: ["--version"], command: [process.execPath, door] });
    expect(ended).toMatchObject({ exitCode: 0, stdout: `${version}\n`, stderr: "" });
  });

  test.skipIf(node20 === null)(
    "says one plain line on Node 20, where PATH has one, and exits with 2",
    async () => {
      for (const argv of [["--version"], ["serve", "--no-auth"]]) {
        const { exitCode, stdout, stderr } = await runDoor({ argv, command: [node20 ?? "", door] });
        expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
        expect(stderr).toMatch(/^codex-gpt-bridge needs Node 22\.18 or newer; this is 20\.\d+\.\d+\.\n$/);
      }
      const other = await runDoor({
        argv: [],
        command: [node20 ?? "", join(dirname(door), "ask-chatgpt.js")],
      });
      expect(other).toMatchObject({ exitCode: 2, stdout: "" });
      expect(other.stderr).toMatch(
        /^codex-chatgpt-mcp needs Node 22\.18 or newer; this is 20\.\d+\.\d+\.\n$/,
      );
    },
  );

  test("plays the demo to its end: six scenes, the file changed, nothing on stderr", async () => {
    const { exitCode, stdout, stderr } = await runDoor({ argv: ["demo"], command: [process.execPath, door] });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const scenes = [...stdout.matchAll(/^(\d)\. (.+)$/gm)].map(([, number, title]) => `${number} ${title}`);
    expect(scenes).toEqual([
      "1 ChatGPT connects",
      "2 Codex reads the project",
      "3 Codex edits a file",
      "4 A long job does not block the chat",
      "5 A prompt asks for files outside the project",
      "6 A secret file appears in the project",
    ]);
    expect(stdout).toMatch(/^\s*[+] {2}return `Hello, \$\{name\}!`;$/m);
    expect(stdout).toContain("bridge  ← running, jobId");
    expect(stdout).toContain("refused (secrets_found)");
  });
});

async function findNode(major: number): Promise<string | null> {
  for (const directory of [...(process.env["PATH"] ?? "").split(delimiter), "/usr/local/bin", "/usr/bin"]) {
    const command = join(directory, "node");
    const found = await run(command, ["--version"]).catch(() => null);
    if (found?.stdout.startsWith(`v${major}.`) === true) return command;
  }
  return null;
}
