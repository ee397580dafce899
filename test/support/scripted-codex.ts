// What a test with the real Codex needs: the binaries, a CODEX_HOME bound to the scripted model, a project, a leak detector.
// It starts no process and reaches no network.
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import {
  writeScriptedCodexHome,
  type ScriptedCodexHomeOptions,
} from "../../src/demo/scripted-model/codex-home.ts";

export type CodexVersion = "0.169.0" | "0.153.4";

/** Native binaries, without npm's Node wrapper around them. */
export const codexBinaries: Readonly<Record<CodexVersion, string>> = {
  "0.169.0": nativeBinary("@openai/codex", "0.169.0"),
  "0.153.4": nativeBinary("codex-0.153", "0.153.4"),
};

export interface ScratchCodexHome {
  readonly path: string;
  dispose(): Promise<void>;
}

/** A fresh CODEX_HOME, outside the temporary directory because Codex warns there. */
export async function createCodexHome(
  options: ScriptedCodexHomeOptions & { readonly modelUrl: string },
): Promise<ScratchCodexHome> {
  const scratch = await createScratch("home-");
  await writeScriptedCodexHome(scratch.path, options.modelUrl, options);
  return scratch;
}

export interface ScratchProject {
  /** Without symbolic links, as Codex reports it. */
  readonly path: string;
  write(name: string, content: string): Promise<void>;
  read(name: string): Promise<string>;
  dispose(): Promise<void>;
}

/** A directory with these files (relative name to content); no git repository unless the test makes one. */
export async function createProject(files: Readonly<Record<string, string>> = {}): Promise<ScratchProject> {
  const scratch = await createScratch("project-");
  const write = async (name: string, content: string): Promise<void> => {
    const path = join(scratch.path, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  };
  for (const [name, content] of Object.entries(files)) await write(name, content);
  return { ...scratch, write, read: (name) => readFile(join(scratch.path, name), "utf8") };
}

/**
 * Pids of all living descendants, from /proc (Linux only). A process whose parent died belongs to pid 1 and is
 * not found: take the list before ending the parent, then ask `isAlive` for each.
 */
export async function descendants(pid: number): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const processes = (await Promise.all(pids.map(readProcess))).filter((found) => found !== null);
  const found: number[] = [];
  const queue = [pid];
  for (let parent = queue.shift(); parent !== undefined; parent = queue.shift()) {
    const children = processes.filter((process) => process.parent === parent).map((process) => process.pid);
    found.push(...children);
    queue.push(...children);
  }
  return found;
}

/** False for a zombie too. Linux only. */
export async function isAlive(pid: number): Promise<boolean> {
  return (await readProcess(pid)) !== null;
}

async function readProcess(pid: number): Promise<{ pid: number; parent: number } | null> {
  let stat: string;
  try {
    stat = await readFile(`/proc/${pid}/stat`, "utf8");
  } catch (error) {
    // It ended since it was listed: that is the answer.
    if (isNodeError(error) && (error.code === "ENOENT" || error.code === "ESRCH")) return null;
    throw error;
  }
  // The command name may hold spaces and parentheses; the fields begin after the last one.
  const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state === "Z" || state === "X" ? null : { pid, parent: Number(parent) };
}

function isNodeError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error;
}

export async function createScratch(prefix: string): Promise<ScratchCodexHome> {
  const root = join(homedir(), ".cache", "codex-gpt-bridge-tests");
  await mkdir(root, { recursive: true });
  const path = await realpath(await mkdtemp(join(root, prefix)));
  return {
    path,
    // Codex may still be writing its last file when a test ends.
    dispose: () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
  };
}

function nativeBinary(packageName: string, version: CodexVersion): string {
  const wrapper = createRequire(import.meta.url).resolve(`${packageName}/package.json`);
  const native = createRequire(wrapper).resolve(
    `@openai/codex-${process.platform}-${process.arch}/package.json`,
  );
  const found: unknown = JSON.parse(readFileSync(native, "utf8"));
  // Resolution climbs: without its own native package the alias would get the other version's.
  if (!isVersionOf(found, version))
    throw new Error(`${native} does not belong to Codex ${version}: run npm ci`);
  const executable = process.platform === "win32" ? "codex.exe" : "codex";
  const path = join(dirname(native), "vendor", targetTriple(), "bin", executable);
  if (!existsSync(path)) throw new Error(`${path} is missing: run npm ci`);
  return path;
}

function isVersionOf(manifest: unknown, version: CodexVersion): boolean {
  return (
    typeof manifest === "object" &&
    manifest !== null &&
    "version" in manifest &&
    typeof manifest.version === "string" &&
    manifest.version.startsWith(`${version}-`)
  );
}

function targetTriple(): string {
  const cpu = { x64: "x86_64", arm64: "aarch64" }[process.arch as string];
  const system = { linux: "unknown-linux-musl", darwin: "apple-darwin", win32: "pc-windows-msvc" }[
    process.platform as string
  ];
  if (cpu === undefined || system === undefined)
    throw new Error(`Codex has no binary for ${process.platform} ${process.arch}`);
  return `${cpu}-${system}`;
}
