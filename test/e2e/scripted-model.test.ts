import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { inlineScript } from "../../src/demo/scripted-model/inline-script.ts";
import {
  callTool,
  dropConnection,
  echoToolOutput,
  httpError,
  js,
  malformed,
  parallel,
  patch,
  reasoning,
  responseFailed,
  say,
  shell,
  silence,
  type FailureStep,
} from "../../src/demo/scripted-model/steps.ts";
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

interface Run {
  readonly exitCode: number | null;
  readonly events: readonly Record<string, unknown>[];
  readonly stderr: string;
}

const apiKey = "key-that-only-the-test-knows";
let model: ScriptedModel;
let home: ScratchCodexHome;
let project: ScratchProject;

beforeAll(async () => {
  model = await startScriptedModel();
  home = await createCodexHome({ modelUrl: model.url, envKey: "SCRIPTED_API_KEY" });
  project = await createProject({ "readme.txt": "hello from the readme\n", "AGENTS.md": "Read the readme." });
});

afterAll(async () => {
  await model.close();
  await project.dispose();
  await home.dispose();
});

function startCodex(version: CodexVersion, slug: string, prompt: string, codexHome = home.path) {
  const args = ["exec", "--json", "--skip-git-repo-check", "-s", "workspace-write", "-m", slug, prompt];
  return spawn(codexBinaries[version], args, {
    cwd: project.path,
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], HOME: home.path, CODEX_HOME: codexHome, SCRIPTED_API_KEY: apiKey },
  });
}

async function codexExec(
  version: CodexVersion,
  slug: string,
  prompt: string,
  codexHome?: string,
): Promise<Run> {
  const child = startCodex(version, slug, prompt, codexHome);
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const stdout = Buffer.concat(await child.stdout.toArray()).toString();
  const events = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { exitCode: await ended, events, stderr };
}

function itemsOf(run: Run, type: string): Record<string, unknown>[] {
  return run.events
    .filter((event) => event["type"] === "item.completed")
    .map((event) => event["item"] as Record<string, unknown>)
    .filter((item) => item["type"] === type);
}

const answerOf = (run: Run) => itemsOf(run, "agent_message").at(-1)?.["text"];
const failureOf = (run: Run) => run.events.find((event) => event["type"] === "turn.failed");

const versions: CodexVersion[] = ["0.169.0", "0.153.4"];
const functionTools = "scripted-model";
const freeformPatch = "gpt-5.5";
const codeMode = "gpt-6-astra";
const combinations = versions.flatMap((version) =>
  [functionTools, freeformPatch, codeMode].map((slug) => ({ version, slug })),
);

describe.each(combinations)("Codex $version with the model $slug", ({ version, slug }) => {
  const name = (text: string) => `${text} (${version}, ${slug})`;

  it("gives the scripted answer, and the usage that the model claimed", async () => {
    model.script(name("greet"), [
      reasoning("How to greet?", say("Good morning.", { chunks: 3, chunkMs: 5 })),
    ]);
    const run = await codexExec(version, slug, name("greet"));
    expect([run.exitCode, answerOf(run)]).toEqual([0, "Good morning."]);
    expect(itemsOf(run, "reasoning")).toMatchObject([{ text: "How to greet?" }]);
    expect(run.events.at(-1)).toMatchObject({
      type: "turn.completed",
      usage: { input_tokens: 1200, cached_input_tokens: 700, output_tokens: 90, reasoning_output_tokens: 40 },
    });
    expect(model.requests.at(-1)).toMatchObject({
      model: slug,
      prompt: name("greet"),
      effort: "low",
      headers: { authorization: true },
      threadId: run.events[0]?.["thread_id"],
      turnId: expect.any(String),
    });
    expect(JSON.stringify(model.requests)).not.toContain(apiKey);
  });

  it("runs a shell command and sends its output back", async () => {
    model.script(name("read"), [shell("cat readme.txt", { yieldMs: 20_000 }), echoToolOutput()]);
    const run = await codexExec(version, slug, name("read"));
    expect(answerOf(run)).toContain("hello from the readme");
    expect(itemsOf(run, "command_execution")).toMatchObject([
      { command: expect.stringContaining("cat readme.txt"), exit_code: 0 },
    ]);
    expect(model.toolOutputs(name("read"))).toEqual([expect.stringContaining("hello from the readme")]);
  });

  it("runs parallel commands, each with its own output", async () => {
    model.script(name("both"), [parallel([shell("echo one"), shell("echo two")]), say("done")]);
    const run = await codexExec(version, slug, name("both"));
    expect(answerOf(run)).toBe("done");
    expect(model.toolOutputs(name("both"))).toEqual([
      expect.stringContaining("one"),
      expect.stringContaining("two"),
    ]);
  });

  it("applies a patch as a file change", async () => {
    const file = `${version}-${slug}.txt`;
    model.script(name("write"), [
      patch(`*** Begin Patch\n*** Add File: ${file}\n+it's new\n*** End Patch`),
      say("written"),
    ]);
    const run = await codexExec(version, slug, name("write"));
    expect(answerOf(run)).toBe("written");
    expect(itemsOf(run, "file_change")).toMatchObject([{ status: "completed", changes: [{ kind: "add" }] }]);
    expect(await project.read(file)).toBe("it's new\n");
  });

  it("tells the model why it may not leave the sandbox", async () => {
    model.script(name("escape"), [shell("id", { escalate: true }), echoToolOutput()]);
    const run = await codexExec(version, slug, name("escape"));
    expect(answerOf(run)).toContain("approval policy is Never");
    expect(model.toolOutputs(name("escape"))).toEqual([expect.stringContaining("approval policy is Never")]);
  });

  it("calls any tool by its name", async () => {
    model.script(name("look"), [callTool("view_image", { path: "/nowhere.png" }), echoToolOutput()]);
    expect(answerOf(await codexExec(version, slug, name("look")))).toMatch(/nowhere\.png/);
  });

  it("ends the turn as failed on 429", async () => {
    model.script(name("limit"), [httpError(429)]);
    const run = await codexExec(version, slug, name("limit"));
    expect(run.exitCode).toBe(1);
    expect(failureOf(run)).toMatchObject({
      error: { message: expect.stringContaining("429 Too Many Requests") },
    });
  });

  it("plays a script that came inside the prompt", async () => {
    const prompt = `Look around: ${inlineScript([shell("ls"), echoToolOutput()])}`;
    expect(answerOf(await codexExec(version, slug, prompt))).toContain("readme.txt");
  });
});

describe.each(versions)("Codex %s", (version) => {
  const failures: [FailureStep, RegExp][] = [
    [malformed("garbage"), /stream disconnected before completion/],
    [malformed("json"), /stream disconnected before completion/],
    [malformed("html"), /stream disconnected before completion/],
    [dropConnection("before"), /./],
    [dropConnection("mid"), /stream disconnected before completion/],
    [silence("mid", 100), /stream disconnected before completion/],
    [responseFailed("insufficient_quota", "no money"), /Quota exceeded/],
    [httpError(500), /high demand/],
  ];
  it.each(failures)("fails the turn on %o", async (step, message) => {
    const prompt = `break ${JSON.stringify(step)} ${version}`;
    model.script(prompt, [step]);
    const run = await codexExec(version, functionTools, prompt);
    expect([run.exitCode, failureOf(run)]).toEqual([
      1,
      { type: "turn.failed", error: { message: expect.stringMatching(message) } },
    ]);
  });

  it("tries again where its config allows it, and gets past failures that end", async () => {
    const patient = await createCodexHome({ modelUrl: model.url, retries: 2 });
    try {
      model.script(`patience ${version}`, [
        httpError(500, { times: 1 }),
        dropConnection("mid", { times: 1 }),
        say("at last"),
      ]);
      const run = await codexExec(version, functionTools, `patience ${version}`, patient.path);
      expect([run.exitCode, answerOf(run)]).toEqual([0, "at last"]);
      expect(model.requests.at(-1)?.headers.authorization).toBe(false);
    } finally {
      await patient.dispose();
    }
  });

  it("runs JavaScript in code mode, and shows the mistake of a script that asks for it elsewhere", async () => {
    model.script(`compute ${version}`, [js("text(6 * 7)"), echoToolOutput()]);
    expect(answerOf(await codexExec(version, codeMode, `compute ${version}`))).toContain("42");
    const wrong = await codexExec(version, functionTools, `compute ${version}`);
    expect(failureOf(wrong)).toMatchObject({
      error: { message: expect.stringContaining("needs a code-mode model") },
    });
  });

  it("takes its top-level settings and its tables from the extra TOML", async () => {
    const other = await createCodexHome({
      modelUrl: model.url,
      extraToml: 'model_verbosity = "low"\n[shell_environment_policy]\nset = { FROM_CONFIG = "yes" }\n',
    });
    try {
      model.script(`print ${version}`, [shell("echo got $FROM_CONFIG"), echoToolOutput()]);
      expect(answerOf(await codexExec(version, functionTools, `print ${version}`, other.path))).toContain(
        "got yes",
      );
    } finally {
      await other.dispose();
    }
  });

  it.runIf(process.platform === "linux")(
    "has its commands among its descendants while they run",
    async () => {
      model.script(`sleep ${version}`, [shell("exec sleep 20", { yieldMs: 30_000 }), say("slept")]);
      const child = startCodex(version, functionTools, `sleep ${version}`);
      const closed = new Promise((resolve) => child.once("close", resolve));
      const sleeping = async () => {
        const commands = await Promise.all((await descendants(child.pid ?? 0)).map(commandOf));
        return commands.find(({ command }) => command === "sleep 20")?.pid ?? null;
      };
      await expect.poll(sleeping, { timeout: 10_000 }).not.toBeNull();
      const pid = await sleeping();
      if (pid === null) throw new Error("the command has ended too early");
      child.kill("SIGTERM");
      await closed;
      expect(await isAlive(child.pid ?? 0)).toBe(false);
      await expect.poll(() => isAlive(pid), { timeout: 5000 }).toBe(false);
    },
  );
});

async function commandOf(pid: number): Promise<{ pid: number; command: string }> {
  const cmdline = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return { pid, command: cmdline.split("\0").join(" ").trim() };
}
