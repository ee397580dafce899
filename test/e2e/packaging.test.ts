/** The package as npm makes and installs it: packed from a copy of the sources, installed into an empty prefix. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);
const packageRoot = join(import.meta.dirname, "..", "..");
const manifest = JSON.parse(await readFile(join(packageRoot, "package.json"), "utf8")) as {
  version: string;
  bin: Record<string, string>;
};

let scratch: string;
let packed: { files: string[]; tarball: string };
let prefix: string;

beforeAll(async () => {
  scratch = await realpath(await mkdtemp(join(tmpdir(), "packaging-")));
  const sources = join(scratch, "sources");
  await mkdir(sources);
  for (const name of await readdir(packageRoot)) {
    if (["node_modules", "dist", ".git", "test", "coverage"].includes(name)) continue;
    await cp(join(packageRoot, name), join(sources, name), { recursive: true });
  }
  await symlink(join(packageRoot, "node_modules"), join(sources, "node_modules"));
  // What an earlier build left behind, and what lies around in a working copy.
  await mkdir(join(sources, "dist"));
  await writeFile(join(sources, "dist", "gone.js"), "stale\n");
  await writeFile(join(sources, ".env"), "SECRET=1\n");
  const { stdout } = await run("npm", ["pack", "--json", "--loglevel=error"], {
    cwd: sources,
    maxBuffer: 1e7,
  });
  const [first] = JSON.parse(stdout.slice(stdout.indexOf("["))) as [
    { filename: string; files: { path: string }[] },
  ];
  packed = { tarball: join(sources, first.filename), files: first.files.map(({ path }) => path) };
  prefix = join(scratch, "prefix");
  // npm's own settings and cache are the user's; what is installed, and where, is not.
  const flags = [
    "--global",
    "--prefix",
    prefix,
    "--prefer-offline",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ];
  await run("npm", ["install", ...flags, packed.tarball], { cwd: scratch });
}, 300_000);

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

describe("what is packed", () => {
  test("the built program, its papers, and nothing else", () => {
    const known =
      /^(dist\/.+\.js|docs\/.+|launchd\/.+|\.codex\/config\.toml|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/;
    expect(packed.files.filter((path) => !known.test(path))).toEqual([]);
    expect(packed.files).toEqual(
      expect.arrayContaining([...Object.values(manifest.bin), "README.md", "LICENSE"]),
    );
  });

  test("nothing that an earlier build left, no tests, no secrets", () => {
    expect(packed.files.filter((path) => /gone|test|\.env|\.ts$/.test(path))).toEqual([]);
  });
});

describe("installed into an empty prefix", () => {
  const scratchEnvironment = async (): Promise<Record<string, string>> => {
    const home = await mkdtemp(join(scratch, "home-"));
    const system = ["/usr/local/bin", "/usr/bin", "/bin"];
    return { HOME: home, PATH: [join(prefix, "bin"), dirname(process.execPath), ...system].join(delimiter) };
  };

  test("every program of package.json is there", async () => {
    expect((await readdir(join(prefix, "bin"))).toSorted()).toEqual(Object.keys(manifest.bin).toSorted());
  });

  test("codex-gpt-bridge says its version and its help", async () => {
    const env = await scratchEnvironment();
    expect((await run("codex-gpt-bridge", ["--version"], { env })).stdout).toBe(`${manifest.version}\n`);
    expect((await run("codex-gpt-bridge", ["--help"], { env })).stdout).toContain("Usage: codex-gpt-bridge");
  });

  test("codex-gpt-bridge serves and ends, with nothing of a clone around it", async () => {
    const env = await scratchEnvironment();
    const project = await mkdtemp(join(scratch, "project-"));
    const child = spawn("codex-gpt-bridge", ["serve", "--no-auth", "--port", "0"], {
      cwd: project,
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    try {
      const url = await listening(child);
      const health = await fetch(new URL("/healthz", url));
      expect(await health.json()).toEqual({ ok: true, name: "codex-gpt-bridge", version: manifest.version });
      const metrics = await fetch(new URL("/metrics", url));
      expect(await metrics.text()).toContain(`codex_gpt_bridge_info{version="${manifest.version}"`);
      child.kill("SIGTERM");
      await once(child, "exit");
      expect(child.exitCode).toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  });

  test.runIf("codex-chatgpt-mcp" in manifest.bin)("codex-chatgpt-mcp answers MCP over stdio", async () => {
    const env = await scratchEnvironment();
    const child = spawn("codex-chatgpt-mcp", [], { cwd: scratch, env, stdio: ["pipe", "pipe", "ignore"] });
    try {
      const params = {
        protocolVersion: "2025-11-25",
        capabilities: {},
        clientInfo: { name: "pack", version: "1" },
      };
      child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params })}\n`);
      const answer = JSON.parse(await firstLine(child)) as { result: { serverInfo: { version: string } } };
      expect(answer.result.serverInfo.version).toBe(manifest.version);
      child.stdin.end();
      await once(child, "exit");
      expect(child.exitCode).toBe(0);
    } finally {
      child.kill("SIGKILL");
    }
  });
});

async function listening(child: ChildProcess): Promise<string> {
  let seen = "";
  return new Promise((resolve, reject) => {
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      seen += chunk;
      const url = /"url":"([^"]+)"/.exec(seen)?.[1];
      if (url !== undefined) resolve(url);
    });
    child.once("exit", () => {
      reject(new Error(`it ended: ${seen}`));
    });
  });
}

async function firstLine(child: ChildProcess): Promise<string> {
  let seen = "";
  return new Promise((resolve, reject) => {
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      seen += chunk;
      const [line, ...rest] = seen.split("\n");
      if (line !== undefined && rest.length > 0) resolve(line);
    });
    child.once("exit", () => {
      reject(new Error(`it ended: ${seen}`));
    });
  });
}
