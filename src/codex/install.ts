/**
 * Finds the user's Codex and asks the binary what it is. Never installs, never starts a session.
 *
 * npm's `codex` is a Node script that starts a native binary; the bridge starts the native one itself (one process
 * less), and needs its directory for the confinement: Codex's sandbox starts helpers from there.
 */
import { execFile } from "node:child_process";
import { access, constants, open, realpath, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { delimiter, dirname, isAbsolute, join, resolve, sep } from "node:path";
import { promisify } from "node:util";
import type { IsInProject } from "../lib/find-program.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import type { FailureOf } from "../policy/failure.ts";

const run = promisify(execFile);

export interface CodexInstall {
  /** Absolute path of the program to start; the native binary where it could be found. */
  readonly command: string;
  /** As `codex --version` says it, e.g. "0.169.0". */
  readonly version: string;
  /** Directories that the confinement must leave readable for Codex's own helpers. */
  readonly programDirectories: readonly string[];
  /** This Codex still has `codex mcp-server` (removed in 0.154.0). */
  readonly hasMcpServer: boolean;
}

export interface CodexSearch {
  /** The owner's `codex` setting: a path, or a name that is looked up on PATH. */
  readonly codex: string;
  readonly path: string;
  /** Environment for `codex --version` and `codex help`. */
  readonly env: Readonly<Record<string, string>>;
  /** A directory whose `node_modules` is skipped on PATH: this package's own (npm scripts put its devDependency there). */
  readonly skipUnder: string | null;
  /** Where Codex itself could change the program. */
  readonly isInProject: IsInProject;
}

export const CODEX_IN_PROJECT = "the codex that was found leads into a project, where it could be changed";
/** The first version whose app-server this bridge was tested with. */
const OLDEST_VERSION = [0, 153, 0] as const;
const PROBE_TIMEOUT_MS = 15_000;

export async function findCodex(
  search: CodexSearch,
  signal?: AbortSignal,
): Promise<Result<CodexInstall, FailureOf<"codex_not_found"> | FailureOf<"codex_unsupported">>> {
  const found = await findOnPath(search);
  if (!found.ok && found.failure === "missing") return fail({ code: "codex_not_found" });
  const command = found.ok ? ((await nativeBinaryOf(found.value)) ?? found.value) : null;
  if (command === null || search.isInProject(command))
    return fail({ code: "codex_unsupported", reason: CODEX_IN_PROJECT });
  const version = await versionOf(command, search.env, signal);
  if (version === null) {
    return fail({ code: "codex_unsupported", reason: "codex --version gave no version" });
  }
  if (isOlder(version, OLDEST_VERSION)) {
    return fail({
      code: "codex_unsupported",
      reason: `Codex ${version} is older than ${OLDEST_VERSION.join(".")}`,
    });
  }
  const programDirectories = await programDirectoriesOf(command, search.env, signal);
  const hasMcpServer = (await ask(command, ["help", "mcp-server"], search.env, signal)) !== null;
  return ok({ command, version, programDirectories, hasMcpServer });
}

/** Without links. One that leads into a project is passed over. */
async function findOnPath(search: CodexSearch): Promise<Result<string, "missing" | "in_project">> {
  if (isAbsolute(search.codex) || search.codex.includes(sep)) {
    const named = await executable(resolve(search.codex));
    return named === null ? fail("missing") : ok(named);
  }
  let failure: "missing" | "in_project" = "missing";
  for (const directory of search.path.split(delimiter)) {
    if (!isAbsolute(directory)) continue;
    if (search.skipUnder !== null && directory.startsWith(join(search.skipUnder, "node_modules") + sep))
      continue;
    const found = await executable(join(directory, search.codex));
    if (found === null) continue;
    if (!search.isInProject(found)) return ok(found);
    failure = "in_project";
  }
  return fail(failure);
}

/** The realpath of an executable file, or null. */
async function executable(path: string): Promise<string | null> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile() ? await realpath(path) : null;
  } catch {
    return null; // not there or not ours to run: the next directory on PATH
  }
}

/** npm's layout: `@openai/codex/bin/codex.js` beside `@openai/codex-<platform>-<arch>/vendor/<target>/bin/codex`. */
async function nativeBinaryOf(script: string): Promise<string | null> {
  if (!script.endsWith(`${sep}bin${sep}codex.js`)) return null;
  const require = createRequire(script);
  try {
    const manifest = require.resolve(`@openai/codex-${process.platform}-${process.arch}/package.json`);
    const target = targetTriple();
    if (target === null) return null;
    return await executable(join(dirname(manifest), "vendor", target, "bin", "codex"));
  } catch {
    return null; // another layout: the wrapper itself still works
  }
}

function targetTriple(): string | null {
  const arch = { x64: "x86_64", arm64: "aarch64" }[process.arch as string];
  const system = { linux: "unknown-linux-musl", darwin: "apple-darwin" }[process.platform as string];
  return arch === undefined || system === undefined ? null : `${arch}-${system}`;
}

async function programDirectoriesOf(
  command: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const own = dirname(command);
  const directories = [own];
  // The bundled search tool lives beside `bin`, and Codex puts it on the PATH of the model's commands.
  const tools = await realpath(join(own, "..", "codex-path")).catch(() => null);
  if (tools !== null) directories.push(tools);
  if (await isScript(command)) {
    const real = await nativeDirectoryByScript(command, env, signal);
    if (real !== null) directories.push(real);
  }
  return directories;
}

async function isScript(path: string): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.toString("latin1") === "#!";
  } finally {
    await file.close();
  }
}

/** A launcher script that we do not know: Codex itself tells where it runs from. */
async function nativeDirectoryByScript(
  command: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const stdout = await ask(command, ["doctor", "--json"], env, signal);
  const match = /"current executable":\s*"([^"]+)"/.exec(stdout ?? "");
  return match?.[1] === undefined ? null : dirname(match[1]);
}

/** What Codex prints, or null when it fails, does not answer in time, or nobody wants to know any more. */
async function ask(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  // KILL, because a Codex that does not answer may not listen to anything milder.
  const asking = run(command, args, { env, timeout: PROBE_TIMEOUT_MS, killSignal: "SIGKILL" });
  const giveUp = (): void => {
    asking.child.kill("SIGKILL");
    asking.child.stdout?.destroy();
    asking.child.stderr?.destroy();
  };
  signal?.addEventListener("abort", giveUp);
  if (signal?.aborted === true) giveUp();
  try {
    return (await asking).stdout;
  } catch {
    return null;
  } finally {
    signal?.removeEventListener("abort", giveUp);
  }
}

async function versionOf(
  command: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const stdout = await ask(command, ["--version"], env, signal);
  return /\b(\d+\.\d+\.\d+(?:-[\w.]+)?)/.exec(stdout ?? "")?.[1] ?? null;
}

function isOlder(version: string, than: readonly number[]): boolean {
  const parts = version.split(/[.-]/).map(Number);
  for (const [index, wanted] of than.entries()) {
    const part = parts[index] ?? 0;
    if (part !== wanted) return part < wanted;
  }
  return false;
}
