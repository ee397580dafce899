/**
 * Every command that README and docs tell people to type, typed: in a copy of the sources, with an empty home, with the
 * real Codex and a scripted model. What cannot be run says why in a comment above its block.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:http";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { docBlocks, type DocBlock } from "../support/doc-commands.ts";
import { token } from "../support/running-bridge.ts";
import { codexBinaries, createCodexHome, type ScratchCodexHome } from "../support/scripted-codex.ts";
import { countStart, noteGiven, searchWritten } from "../support/leak-search.ts";

const run = promisify(execFile);
const packageRoot = join(import.meta.dirname, "..", "..");
const { bin: programs } = JSON.parse(await readFile(join(packageRoot, "package.json"), "utf8")) as {
  bin: Record<string, string>;
};
const blocks = await docBlocks();
const PATHS = /\/(?:path\/to|srv)\/[\w-]+/g;
const START_MS = 30_000;

let scratch: string;
let clone: string;
let project: string;
let model: ScriptedModel;
let codexHome: ScratchCodexHome;

beforeAll(async () => {
  const cache = join(homedir(), ".cache", "codex-gpt-bridge-tests");
  await mkdir(cache, { recursive: true });
  scratch = await realpath(await mkdtemp(join(cache, "docs-")));
  clone = join(scratch, "clone");
  await mkdir(clone);
  for (const name of await readdir(packageRoot)) {
    if (["node_modules", ".git", "dist", "test"].includes(name)) continue;
    await cp(join(packageRoot, name), join(clone, name), { recursive: true });
  }
  await symlink(join(packageRoot, "node_modules"), join(clone, "node_modules"));
  project = join(scratch, "project");
  await mkdir(project);
  await writeFile(join(project, "readme.txt"), "hello\n");
  const bin = join(scratch, "bin");
  await mkdir(bin);
  for (const [name, file] of Object.entries(programs)) {
    await writeFile(join(bin, name), `#!/bin/sh\nexec "${process.execPath}" "${join(clone, file)}" "$@"\n`);
    await chmod(join(bin, name), 0o755);
  }
  await symlink(codexBinaries["0.169.0"], join(bin, "codex"));
  await run("npm", ["run", "--silent", "build"], { cwd: clone, env: await environment("0") });
  model = await startScriptedModel();
  codexHome = await createCodexHome({ modelUrl: model.url });
});

afterAll(async () => {
  await model.close();
  await codexHome.dispose();
  await rm(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

describe("run to their end", () => {
  test.each(of("runs"))("$at", async ({ text }) => {
    const port = await freePort();
    const ended = await shell(adapt(text, port), await environment(port));
    expect(ended).toMatchObject({ exitCode: 0 });
  });
});

describe("servers, until they are stopped", () => {
  test.each(of("serves"))("$at", async ({ text }) => {
    const servers = serversOf(text);
    expect(servers).not.toEqual([]);
    for (const command of servers) {
      const port = await freePort();
      const server = start(adapt(command, port), await environment(port));
      try {
        await answers(server, port);
      } finally {
        await end(server);
      }
    }
  });
});

describe("beside a running bridge", () => {
  test.each(of("beside"))("$at", async ({ text }) => {
    const port = await freePort();
    const env = await environment(port);
    const server = start("codex-gpt-bridge serve", env);
    try {
      await answers(server, port);
      const ended = await shell(adapt(text, port), env);
      expect(ended).toMatchObject({ exitCode: 0 });
    } finally {
      await end(server);
    }
  });
});

test("what is not run says why", () => {
  expect(blocks.length).toBeGreaterThan(5);
  for (const { at, how } of blocks) {
    if (how.kind === "not run") expect(how.why.length, at).toBeGreaterThan(20);
  }
  // Most of what people are told to type is typed here.
  expect(of("not run").length).toBeLessThan(blocks.length / 1.5);
});

function of(kind: DocBlock["how"]["kind"]): DocBlock[] {
  return blocks.filter(({ how }) => how.kind === kind);
}

/** The places and the port of this machine instead of those on the page. */
function adapt(text: string, port: string): string {
  return text.replaceAll(PATHS, project).replaceAll("8765", port);
}

/** One script for each server of a block, with the lines that prepare it. */
function serversOf(text: string): string[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const prepares = lines.filter((line) => line.startsWith("export "));
  const servers = lines.filter((line) => !line.startsWith("export "));
  return servers.map((server) => [...prepares, server].join("\n"));
}

async function environment(port: string): Promise<Record<string, string>> {
  const home = await mkdtemp(join(scratch, "home-"));
  const { PATH = "" } = process.env;
  const own = [join(scratch, "bin"), dirname(process.execPath)];
  const system = PATH.split(delimiter).filter((entry) => !entry.startsWith(packageRoot));
  return {
    HOME: home,
    LANG: "C.UTF-8",
    PATH: [...own, ...system].join(delimiter),
    CODEX_GPT_BRIDGE_PORT: port,
    CODEX_GPT_BRIDGE_TOKEN: token,
    CODEX_GPT_BRIDGE_ROOT: project,
    ...(codexHome === undefined ? {} : { CODEX_HOME: codexHome.path }),
  };
}

interface Running {
  readonly child: ChildProcess;
  readonly search: () => Promise<void>;
  readonly output: () => string;
}

function start(script: string, env: Readonly<Record<string, string>>): Running {
  noteGiven([], env);
  countStart();
  const child = spawn("bash", ["-euo", "pipefail", "-c", script], {
    cwd: clone,
    env: { ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
  }
  return {
    child,
    output: () => output,
    search: async () =>
      searchWritten({ process: script, texts: { output }, directories: [env["HOME"] ?? scratch] }),
  };
}

async function shell(script: string, env: Readonly<Record<string, string>>) {
  const { child, output, search } = start(script, env);
  await once(child, "close");
  await search();
  return { exitCode: child.exitCode, output: output() };
}

async function answers({ child, output }: Running, port: string): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (Date.now() < deadline && child.exitCode === null) {
    const health = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    if (health?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no bridge answers: ${output()}`);
}

/** The whole group: a shell, npm and the server in it. */
async function end({ child, search }: Running): Promise<void> {
  const closed = once(child, "close");
  if (child.exitCode === null && child.pid !== undefined) {
    process.kill(-child.pid, "SIGTERM");
    await closed;
  }
  await search();
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? String(address.port) : "";
}
