/** Codex asks back: the real Codex starts codex-chatgpt-mcp from the printed configuration and uses its answer. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, copyFile, mkdir, symlink } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { callTool, echoToolOutput } from "../../src/demo/scripted-model/steps.ts";
import { buildDoor, type BuiltDoor } from "../bench/support/door.ts";
import { createAskPlace, type AskPlace } from "../support/running-ask.ts";
import { startBridge } from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  type CodexVersion,
  type ScratchCodexHome,
} from "../support/scripted-codex.ts";
import { startScriptedOpenai, type ScriptedOpenai } from "../support/scripted-openai.ts";

const run = promisify(execFile);
const ADVICE = "Use a heap: the list is sorted anew for every insertion.";

let built: BuiltDoor;
let model: ScriptedModel;
let openai: ScriptedOpenai;
let place: AskPlace;
let home: ScratchCodexHome;

beforeAll(async () => {
  built = await buildDoor();
});
afterAll(async () => {
  await built.dispose();
});
beforeEach(async () => {
  model = await startScriptedModel();
  openai = await startScriptedOpenai();
  openai.plays({ kind: "answer", text: ADVICE });
  place = await createAskPlace(openai.url);
  home = await createCodexHome({ modelUrl: model.url });
  model.script("ask for advice", [
    callTool("ask_chatgpt", { prompt: "How do I make this faster?" }, { namespace: "mcp__chatgpt" }),
    echoToolOutput(),
  ]);
});
afterEach(async () => {
  await model.close();
  await openai.close();
  await home.dispose();
  await place.dispose();
});

/** Runs `codex-gpt-bridge codex-config`. */
async function codexConfig(...flags: readonly string[]): Promise<string> {
  const env = { ...place.env(), CODEX_HOME: home.path };
  const { stdout } = await run(process.execPath, [built.path, "codex-config", ...flags], {
    cwd: place.project,
    env,
  });
  return stdout;
}

/**
 * Codex 0.169.0 begins a turn without the tools of a server that needs more than a second to start, as Node does on a busy
 * machine; its user asks again.
 */
async function withTools(turn: () => Promise<string>): Promise<string> {
  let answer = await turn();
  for (let tries = 1; tries < 6 && answer.startsWith("unsupported call"); tries++) answer = await turn();
  return answer;
}

interface ExecOptions {
  readonly version?: CodexVersion;
  readonly path?: string;
  readonly cwd?: string;
  readonly variables?: Record<string, string>;
}

/** What Codex says last. */
async function codexExec(options: ExecOptions = {}): Promise<string> {
  return withTools(async () => execOnce(options));
}

async function execOnce(options: ExecOptions): Promise<string> {
  const {
    version = "0.169.0",
    path = process.env["PATH"] ?? "",
    cwd = place.project,
    variables = {},
  } = options;
  const child = spawn(
    codexBinaries[version],
    ["exec", "--json", "--skip-git-repo-check", "-C", cwd, "ask for advice"],
    {
      cwd,
      env: { ...place.env(variables), PATH: path, CODEX_HOME: home.path },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await once(child, "close");
  const messages = stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as { item?: { type?: string; text?: string } })
    .filter(({ item }) => item?.type === "agent_message");
  return messages.at(-1)?.item?.text ?? `no answer\n${stdout}\n${stderr}`;
}

function offeredTools(): string[] {
  return (model.requests.at(-1)?.tools ?? [])
    .filter(({ namespace }) => namespace === "mcp__chatgpt")
    .map(({ name }) => name)
    .toSorted();
}

test.each(["0.169.0", "0.153.4"] as const)(
  "Codex %s lists the tools of the written configuration, calls ask_chatgpt and uses the answer",
  async (version) => {
    await codexConfig("--absolute", "--write");
    expect(await codexExec({ version })).toContain(ADVICE);
    expect(offeredTools()).toEqual(["ask_chatgpt", "ask_chatgpt_result"]);
    expect(openai.paid()).toBe(1);
    expect(openai.received[0]?.body).toContain("How do I make this faster?");
  },
);

test("the command by its name is found on Codex's PATH, from the printed configuration", async () => {
  await appendFile(join(home.path, "config.toml"), `\n${await codexConfig()}`);
  const bin = join(place.home, "bin");
  await mkdir(bin);
  await run("chmod", ["+x", join(dirname(built.path), "ask-chatgpt.js")]);
  await symlink(join(dirname(built.path), "ask-chatgpt.js"), join(bin, "codex-chatgpt-mcp"));
  const path = [bin, dirname(process.execPath), process.env["PATH"]].join(delimiter);
  expect(await codexExec({ path })).toContain(ADVICE);
});

test("a project's own .codex/config.toml does it once the project is trusted", async () => {
  await codexConfig("--absolute", "--write", "--project");
  await appendFile(
    join(home.path, "config.toml"),
    `\n[projects."${place.project}"]\ntrust_level = "trusted"\n`,
  );
  expect(await codexExec()).toContain(ADVICE);
});

test("the configuration of this repository starts the server through npm", async () => {
  const clone = dirname(dirname(built.path));
  await mkdir(join(clone, ".codex"), { recursive: true });
  await copyFile(join(import.meta.dirname, "../../.codex/config.toml"), join(clone, ".codex/config.toml"));
  await appendFile(join(home.path, "config.toml"), `\n[projects."${clone}"]\ntrust_level = "trusted"\n`);
  expect(await codexExec({ cwd: clone })).toContain(ADVICE);
});

test("a cap that is set in the environment reaches the server through Codex", async () => {
  await codexConfig("--absolute", "--write");
  const answer = await codexExec({ variables: { CODEX_CHATGPT_MAX_USD_PER_DAY: "1.50" } });
  expect(answer).toContain("budget_exceeded");
  expect(openai.paid()).toBe(0);
});

test("ChatGPT → codex_read → Codex → ask_chatgpt → answer, through the bridge", async () => {
  await codexConfig("--absolute", "--write");
  const { OPENAI_API_KEY = "", OPENAI_BASE_URL = "" } = place.env();
  const bridge = await startBridge({
    codex: codexBinaries["0.169.0"],
    codexHome: home.path,
    roots: [place.project],
    env: { OPENAI_API_KEY, OPENAI_BASE_URL, CODEX_GPT_BRIDGE_MCP_SERVERS: "chatgpt" },
  });
  try {
    const caller = await bridge.connect();
    const answer = await withTools(async () => {
      const { content } = await caller.finish("codex_read", { prompt: "ask for advice" });
      expect(content.status).toBe("completed");
      return content.answer ?? "";
    });
    expect(answer).toContain(ADVICE);
    await caller.close();
  } finally {
    await bridge.stop();
  }
  expect(openai.paid()).toBe(1);
});
