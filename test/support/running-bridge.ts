/**
 * The product as its users have it: the real door as a process of its own, seen through HTTP and its log alone.
 * Every tool answer that passes `connect` is checked against the tool's own outputSchema.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chown, mkdir, mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import {
  Client,
  fromJsonSchema,
  StreamableHTTPClientTransport,
  type JsonSchemaType,
} from "@modelcontextprotocol/client";
import {
  argumentOf,
  countStart,
  noteCredential,
  noteGiven,
  noteMadeToken,
  searchAnswer,
  searchWritten,
} from "./leak-search.ts";
import { descendants } from "./scripted-codex.ts";

export const token = "a-token-for-tests-with-40-characters-000";

const packageRoot = join(import.meta.dirname, "..", "..");
const door = join(packageRoot, "src", "bridge.ts");
const START_MS = 30_000;
const CALL_TIMEOUT_MS = 60_000;

export interface DoorOptions {
  readonly argv: readonly string[];
  /** Added to PATH, LANG and a HOME of its own; nothing else is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Default: the Node that runs the tests, on the door's source. */
  readonly command?: readonly string[];
  readonly user?: { readonly uid?: number; readonly gid?: number };
}

export interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the door to its end. */
export async function runDoor(options: DoorOptions): Promise<Ended> {
  const scratch = await createScratch();
  const opened = openDoor(options, scratch);
  try {
    const how = await opened.ended;
    await searchDoor(opened, how);
    return how;
  } finally {
    await remove(scratch);
  }
}

export interface RunningDoor {
  readonly pid: number;
  readonly logLines: readonly LogLine[];
  readonly strayLines: readonly string[];
  /** Sends SIGTERM, waits for the end, and throws when there was none within 20 s. */
  stop(): Promise<Ended>;
}

/** For subcommands that run until they are stopped. */
export async function startDoor(options: DoorOptions): Promise<RunningDoor> {
  const scratch = await createScratch();
  return watchDoor(openDoor(options, scratch), scratch);
}

function watchDoor(opened: OpenDoor, scratch: string): RunningDoor {
  const { child, ended } = opened;
  const logLines: LogLine[] = [];
  const strayLines: string[] = [];
  eachLine(child, (line) => {
    const parsed = parseLogLine(line);
    if (parsed === null) strayLines.push(line);
    else logLines.push(parsed);
  });
  return {
    pid: pidOf(child),
    logLines,
    strayLines,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      const late = setTimeout(() => {
        void killWithAllBelow(child);
      }, 20_000);
      const how = await ended;
      clearTimeout(late);
      try {
        await searchDoor(opened, how);
      } finally {
        await remove(scratch);
      }
      if (how.signal === "SIGKILL") throw new Error("the bridge did not end within 20 s of SIGTERM");
      return how;
    },
  };
}

export interface BridgeOptions {
  /** The Codex command; null: what PATH says. */
  readonly codex: string | null;
  readonly codexHome: string;
  /** Project roots. */
  readonly roots: readonly string[];
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Default: one of its own, removed at the end. */
  readonly stateDir?: string;
  /** Default: `token`; null: none, where something else says who calls. */
  readonly token?: string | null;
  /** Default: wait until `/readyz` says yes. */
  readonly untilReady?: boolean;
  /** Runs it as another user (root may), with its scratch below this directory, which that user has to reach. */
  readonly asUser?: { readonly uid?: number; readonly gid?: number; readonly scratchBelow: string };
}

export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface CodexProcess {
  readonly pid: number;
  readonly kind: "app-server" | "mcp-server";
}

/** Lines of stderr that are JSON are `logLines`; `strayLines` are those that are not. */
export interface RunningBridge extends RunningDoor {
  /** Without a path. */
  readonly url: string;
  connect(options?: ConnectOptions): Promise<Caller>;
  /** The Codex processes that the bridge itself started. */
  codexProcesses(): Promise<readonly CodexProcess[]>;
  /** Sends SIGKILL and waits for the end; what the bridge had started is left to itself. */
  kill(): Promise<void>;
}

export async function startBridge(options: BridgeOptions): Promise<RunningBridge> {
  const { codex, codexHome, roots, flags = [], env = {}, untilReady = true, asUser } = options;
  const scratch = await createScratch(asUser?.scratchBelow);
  const { uid, gid } = asUser ?? {};
  const user = uid === undefined || gid === undefined ? {} : { uid, gid };
  if (user.uid !== undefined)
    for (const path of [scratch, join(scratch, "work")]) await chown(path, user.uid, user.gid);
  const argv = [
    "serve",
    "--port",
    "0",
    ...(options.token === null ? [] : ["--token", options.token ?? token]),
    "--state-dir",
    options.stateDir ?? join(scratch, "state"),
  ];
  // Tests are in more of a hurry than any user; those about limits set their own.
  argv.push("--requests-per-minute=0");
  argv.push("--roots", roots.join(","), ...(codex === null ? [] : ["--codex", codex]), ...flags);
  const running = openDoor({ argv, env: { CODEX_HOME: codexHome, ...env }, user }, scratch);
  const { child } = running;
  const watched = watchDoor(running, scratch);
  const { logLines, strayLines } = watched;

  let url: string;
  try {
    url = await listeningUrl(child, logLines, strayLines);
    if (untilReady) await readiness(url);
  } catch (error) {
    await watched.stop();
    throw error;
  }
  return {
    ...watched,
    url,
    async kill() {
      child.kill("SIGKILL");
      try {
        await searchDoor(running, await running.ended);
      } finally {
        await remove(scratch);
      }
    },
    connect: async (connectOptions = {}) => connect(`${url}/mcp`, connectOptions),
    codexProcesses: async () => codexProcesses(watched.pid),
  };
}

/** The answer shape of the job tools, as far as tests look at it. */
export interface AnswerContent {
  readonly status: string;
  readonly nextAction: string;
  readonly jobId?: string;
  readonly threadId?: string | null;
  readonly finishedAt?: string | null;
  readonly elapsedMs?: number;
  readonly deduplicated?: boolean;
  readonly answer?: string | null;
  readonly output?: unknown;
  readonly changes?: readonly unknown[];
  readonly diff?: string | null;
  readonly usage?: { readonly inputTokens: number } | null;
  readonly progress?: { readonly commands: number } | null;
  readonly events?: readonly {
    readonly id: number;
    readonly at: string;
    readonly type: string;
    readonly text: string;
  }[];
  readonly nextCursor?: string;
  readonly recentJobs?: readonly { readonly jobId: string }[];
  readonly error?: { readonly code: string; readonly message: string; readonly retryable: boolean } | null;
  readonly ref?: string;
  readonly [field: string]: unknown;
}

export interface Answer {
  readonly isError: boolean;
  /** Text of the first content block. */
  readonly text: string;
  readonly content: AnswerContent;
  /** Wall time at which the answer was there, ms since the epoch. */
  readonly arrivedAt: number;
}

export type Arguments = Readonly<Record<string, unknown>>;

export interface Caller {
  readonly client: Client;
  /** `conversation`: what ChatGPT sends as `openai/session`. */
  call(tool: string, args?: Arguments, conversation?: string): Promise<Answer>;
  /** Calls and waits for the job's end with codex_job_status. */
  finish(tool: string, args: Arguments, conversation?: string): Promise<Answer>;
  close(): Promise<void>;
}

export interface ConnectOptions {
  readonly protocol?: "2026-07-28" | "2025-11-25";
  /** Sends no credential: something on the way adds one. */
  readonly bare?: boolean;
}

/** `url`: where MCP messages are posted to. */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Caller> {
  const { protocol = "2026-07-28" } = options;
  const versionNegotiation =
    protocol === "2026-07-28" ? ({ mode: { pin: protocol } } as const) : ({ mode: "legacy" } as const);
  const client = new Client({ name: "end-to-end", version: "1" }, { versionNegotiation });
  const requestInit = options.bare === true ? {} : { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  const check = await answerCheck(client);

  async function call(tool: string, args: Arguments = {}, conversation?: string): Promise<Answer> {
    const meta = conversation === undefined ? {} : { _meta: { "openai/session": conversation } };
    const params = { name: tool, arguments: { ...args }, ...meta };
    const result = await client.callTool(params, { timeout: CALL_TIMEOUT_MS });
    const arrivedAt = Date.now();
    searchAnswer(`${tool} of ${url}`, result);
    await check(tool, result.structuredContent);
    const [first] = result.content;
    return {
      isError: result.isError === true,
      text: first?.type === "text" ? first.text : "",
      content: result.structuredContent as AnswerContent,
      arrivedAt,
    };
  }

  return {
    client,
    call,
    async finish(tool, args, conversation) {
      let answer = await call(tool, args, conversation);
      while (["queued", "running", "waiting"].includes(answer.content.status)) {
        answer = await call("codex_job_status", { jobId: answer.content.jobId });
      }
      return answer;
    },
    close: async () => client.close(),
  };
}

/** Throws where an answer, a refusal too, is not what the tool list promises. */
async function answerCheck(client: Client): Promise<(tool: string, content: unknown) => Promise<void>> {
  const { tools } = await client.listTools();
  const schemas = new Map(
    tools.map(({ name, outputSchema }) => {
      if (outputSchema === undefined) throw new Error(`${name} has no outputSchema`);
      return [name, fromJsonSchema(outputSchema as JsonSchemaType)];
    }),
  );
  return async (tool, content) => {
    const schema = schemas.get(tool);
    if (schema === undefined) throw new Error(`there is no tool ${tool}`);
    const { issues } = await schema["~standard"].validate(content);
    if (issues !== undefined) {
      throw new Error(`${tool} broke its outputSchema: ${JSON.stringify(issues)} ${JSON.stringify(content)}`);
    }
  };
}

/** Asks `/healthz` ten times a second; `stop` gives back how often, what went wrong, and the longest wait. */
export function watchHealth(url: string): {
  stop(): Promise<{ polls: number; failures: string[]; slowestMs: number }>;
} {
  const failures: string[] = [];
  const stopping = new AbortController();
  let polls = 0;
  let slowestMs = 0;
  async function watch(): Promise<void> {
    while (!stopping.signal.aborted) {
      const asked = performance.now();
      try {
        const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5_000) });
        const body = (await response.json()) as { ok?: unknown };
        if (response.status !== 200 || body.ok !== true) failures.push(`HTTP ${response.status}`);
      } catch (error) {
        failures.push(String(error));
      }
      polls += 1;
      slowestMs = Math.max(slowestMs, performance.now() - asked);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  const watching = watch();
  return {
    async stop() {
      stopping.abort();
      await watching;
      return { polls, failures, slowestMs };
    },
  };
}

const open = new Set<ChildProcess>();
// A test whose set-up failed may never come to its clean-up.
process.once("exit", () => {
  for (const child of open) child.kill("SIGTERM");
});

interface OpenDoor {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly argv: readonly string[];
  /** What it may write to: its home and its state. */
  readonly directories: readonly string[];
  isSearched: boolean;
}

function openDoor(options: DoorOptions, scratch: string): OpenDoor {
  const { argv, env = {}, cwd = join(scratch, "work"), command = [process.execPath, door] } = options;
  const [program = process.execPath, ...first] = command;
  noteCredential("the token of the tests", token);
  noteGiven(argv, env);
  countStart();
  const child = spawn(program, [...first, ...argv], {
    cwd,
    // An empty home: neither the user's settings nor what their login shell starts may reach a test.
    env: { ...baseEnvironment(), HOME: scratch, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    ...options.user,
  });
  open.add(child);
  child.once("close", () => open.delete(child));
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (chunk: string) => {
      output[name] += chunk;
    });
  }
  const ended = once(child, "close").then(() => {
    const { exitCode, signalCode } = child;
    return { exitCode, signal: signalCode, ...output };
  });
  const state = argumentOf(argv, "--state-dir") ?? env["CODEX_GPT_BRIDGE_STATE_DIR"];
  const directories = state === undefined ? [scratch] : [scratch, state];
  return { child, ended, argv, directories, isSearched: false };
}

async function searchDoor(opened: OpenDoor, { stdout, stderr }: Ended): Promise<void> {
  if (opened.isSearched) return;
  opened.isSearched = true;
  const command = opened.argv.slice(0, 2).join(" ");
  // The one command here whose product is a credential, on stdout alone.
  const shown = command === "token create" ? ["stdout"] : [];
  if (shown.length > 0) noteMadeToken(stdout);
  const { directories } = opened;
  await searchWritten({ process: command, texts: { stdout, stderr }, directories, shown });
}

function baseEnvironment(): Record<string, string> {
  const { PATH = "", LANG = "C.UTF-8" } = process.env;
  // npm puts this package's own Codex on PATH, and then every test would find one.
  const directories = PATH.split(delimiter).filter((entry) => !entry.startsWith(packageRoot));
  // One for all homes: each start would compile everything anew.
  return {
    PATH: directories.join(delimiter),
    LANG,
    NODE_COMPILE_CACHE: join(tmpdir(), "codex-gpt-bridge-tests-compiled"),
  };
}

function eachLine(child: ChildProcess, onLine: (line: string) => void): void {
  let rest = "";
  child.stderr?.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") onLine(line);
  });
}

function parseLogLine(line: string): LogLine | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as LogLine) : null;
  } catch {
    return null;
  }
}

async function listeningUrl(
  child: ChildProcess,
  logLines: readonly LogLine[],
  strayLines: readonly string[],
): Promise<string> {
  const deadline = Date.now() + START_MS;
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const line = logLines.find(({ msg }) => msg === "listening");
    if (typeof line?.["url"] === "string") return new URL(line["url"]).origin;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`the bridge does not listen: ${strayLines.join("\n")} ${JSON.stringify(logLines)}`);
}

async function readiness(url: string): Promise<void> {
  const deadline = Date.now() + START_MS;
  let last = "";
  while (Date.now() < deadline) {
    const response = await fetch(`${url}/readyz`);
    last = await response.text();
    if (response.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the bridge is not ready: ${last}`);
}

async function codexProcesses(bridgePid: number): Promise<CodexProcess[]> {
  const found: CodexProcess[] = [];
  for (const pid of await descendants(bridgePid)) {
    const [status, command] = await Promise.all(
      ["status", "cmdline"].map(async (name) => readFile(`/proc/${pid}/${name}`, "utf8").catch(() => "")),
    );
    const kind = /codex\0(app-server|mcp-server)/.exec(command ?? "")?.[1];
    if (kind === undefined || status?.includes(`PPid:\t${bridgePid}\n`) !== true) continue;
    found.push({ pid, kind: kind === "app-server" ? kind : "mcp-server" });
  }
  return found;
}

/** So that a failing test leaves nothing behind on the machine. */
async function killWithAllBelow(child: ChildProcess): Promise<void> {
  const below = await descendants(pidOf(child));
  child.kill("SIGKILL");
  for (const pid of below) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      continue; // it ended with its parent
    }
  }
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error("the bridge has no pid");
  return child.pid;
}

async function createScratch(below?: string): Promise<string> {
  const root = below ?? join(homedir(), ".cache", "codex-gpt-bridge-tests");
  await mkdir(root, { recursive: true });
  const scratch = await realpath(await mkdtemp(join(root, "bridge-")));
  await mkdir(join(scratch, "work"));
  return scratch;
}

async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
