/** The real door as its users run it: compiled, in a process of its own, with the scripted model behind its Codex. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, realpath, rm, symlink } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { descendants } from "../../support/scripted-codex.ts";
import { codexEnvironment } from "./direct-codex.ts";

const packageRoot = join(import.meta.dirname, "..", "..", "..");
export const token = "bench-token-bench-token-bench-token-";

export interface BuiltDoor {
  /** Compiled `bridge.js`. */
  readonly path: string;
  dispose(): Promise<void>;
}

/** Compiles src/ into a package of its own, so that a `dist` that lies around is neither measured nor changed. */
export async function buildDoor(): Promise<BuiltDoor> {
  const cache = join(homedir(), ".cache", "codex-gpt-bridge-tests");
  await mkdir(cache, { recursive: true });
  const scratch = await realpath(await mkdtemp(join(cache, "bench-door-")));
  await copyFile(join(packageRoot, "package.json"), join(scratch, "package.json"));
  await symlink(join(packageRoot, "node_modules"), join(scratch, "node_modules"));
  const compiler = join(packageRoot, "node_modules", ".bin", "tsc");
  const { status, stdout } = spawnSync(
    compiler,
    ["-p", join(packageRoot, "src"), "--noCheck", "--outDir", join(scratch, "dist")],
    { encoding: "utf8" },
  );
  const dispose = async (): Promise<void> => rm(scratch, { recursive: true, force: true });
  if (status !== 0) {
    await dispose();
    throw new Error(`src/ does not compile:\n${stdout}`);
  }
  return { path: join(scratch, "dist", "bridge.js"), dispose };
}

export interface Door {
  readonly port: number;
  readonly pid: number;
  /** Pids of the Codex processes that it runs now. */
  codexPids(): Promise<readonly number[]>;
  log(): string;
  stop(): Promise<void>;
}

export interface DoorOptions {
  readonly door: BuiltDoor;
  readonly codex: string;
  readonly codexHome: string;
  readonly project: string;
  readonly flags?: readonly string[];
  /** Default: one of its own. */
  readonly stateDir?: string;
  readonly nodeFlags?: readonly string[];
}

/** Resolves when Codex behind it is ready. Its log goes to a file, so that nobody has to read along. */
export async function startDoor(options: DoorOptions): Promise<Door> {
  const port = await freePort();
  const logFile = join(options.codexHome, `door-${port}.log`);
  const log = openSync(logFile, "w");
  const child = spawn(
    process.execPath,
    [...(options.nodeFlags ?? []), options.door.path, ...serveFlags(options, port)],
    { cwd: options.codexHome, env: doorEnvironment(options.codexHome), stdio: ["ignore", "ignore", log] },
  );
  closeSync(log);
  const { pid = 0 } = child;
  const door: Door = {
    port,
    pid,
    async codexPids() {
      const found: number[] = [];
      for (const descendant of await descendants(pid)) {
        const commandLine = await readFile(`/proc/${descendant}/cmdline`, "utf8").catch(() => "");
        if (commandLine.split("\0")[1] === "app-server") found.push(descendant);
      }
      return found;
    },
    log: () => readFileSync(logFile, "utf8"),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
  for (let attempt = 0; attempt < 400; attempt += 1) {
    if (child.exitCode !== null) break;
    const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    if (response?.status === 200) return door;
    await sleep(50);
  }
  await door.stop();
  throw new Error(`the bridge did not become ready:\n${door.log()}`);
}

export function serveFlags(options: DoorOptions, port: number): string[] {
  return [
    "serve",
    `--port=${port}`,
    `--root=${options.project}`,
    `--codex=${options.codex}`,
    `--state-dir=${options.stateDir ?? join(options.codexHome, "bridge-state")}`,
    "--requests-per-minute=0",
    ...(options.flags ?? []),
  ];
}

export function doorEnvironment(codexHome: string): Record<string, string> {
  return { ...codexEnvironment(codexHome), XDG_CONFIG_HOME: codexHome, CODEX_GPT_BRIDGE_TOKEN: token };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
