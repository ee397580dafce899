/**
 * `codex-chatgpt-mcp` as its users have it: the real door as a process of its own, seen through MCP over stdio alone. Every
 * answer is checked against the tool's own outputSchema.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Client, fromJsonSchema, type JsonSchemaType } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as OldClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as OldTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { countStart, noteCredential, noteGiven, searchAnswer, searchWritten } from "./leak-search.ts";

const packageRoot = join(import.meta.dirname, "..", "..");
export const askDoor = join(packageRoot, "src", "ask-chatgpt.ts");

/** Of the form of a key, and none. */
export const API_KEY = "key-for-tests-only-0123456789";

export interface AskPlace {
  readonly home: string;
  readonly stateDir: string;
  readonly project: string;
  env(more?: Readonly<Record<string, string>>): Record<string, string>;
  dispose(): Promise<void>;
}

/** A home, a state directory and a project, outside each other. */
export async function createAskPlace(openaiUrl: string): Promise<AskPlace> {
  const root = join(homedir(), ".cache", "codex-gpt-bridge-tests");
  await mkdir(root, { recursive: true });
  const scratch = await realpath(await mkdtemp(join(root, "ask-")));
  const [home, stateDir, project] = ["home", "state", "project"].map((name) => join(scratch, name)) as [
    string,
    string,
    string,
  ];
  await Promise.all([home, project].map(async (path) => mkdir(path)));
  noteCredential("OPENAI_API_KEY", API_KEY);
  countStart();
  return {
    home,
    stateDir,
    project,
    env: (more = {}) => ({
      PATH: process.env["PATH"] ?? "",
      HOME: home,
      CODEX_GPT_BRIDGE_STATE_DIR: stateDir,
      OPENAI_API_KEY: API_KEY,
      OPENAI_BASE_URL: openaiUrl,
      ...more,
    }),
    async dispose() {
      // What others started here (Codex, a command line) is searched too.
      try {
        await searchWritten({ process: "codex-chatgpt-mcp", texts: {}, directories: [home, stateDir] });
      } finally {
        await rm(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
      }
    },
  };
}

export interface AskContent {
  readonly status: string;
  readonly nextAction: string;
  readonly outputText: string;
  readonly output: unknown;
  readonly responseId: string | null;
  readonly model: string | null;
  readonly reasoningEffort: string | null;
  readonly truncated: boolean;
  readonly usage: Readonly<Record<string, number>> | null;
  readonly estimatedCostUsd: number | null;
  readonly costNote: string | null;
  readonly requestId: string | null;
  readonly elapsedMs: number;
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly retryable: boolean;
    readonly resetsAt?: string;
  } | null;
}

export interface AskAnswer {
  readonly isError: boolean;
  readonly text: string;
  readonly content: AskContent;
}

export interface AskCallOptions {
  readonly timeoutMs?: number;
  readonly resetTimeoutOnProgress?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { progress: number; message?: string | undefined }) => void;
}

export interface RunningAsk {
  readonly pid: number;
  readonly toolNames: readonly string[];
  readonly tools: readonly { readonly name: string; readonly annotations?: unknown }[];
  call(tool: string, args?: Readonly<Record<string, unknown>>, options?: AskCallOptions): Promise<AskAnswer>;
  ask(prompt: string, more?: Readonly<Record<string, unknown>>, options?: AskCallOptions): Promise<AskAnswer>;
  stderr(): string;
  kill(): Promise<void>;
  close(): Promise<void>;
}

export const askClients = ["v2, 2026-07-28", "v2, 2025-11-25", "v1"] as const;
export type AskClient = (typeof askClients)[number];

export interface AskOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly client?: AskClient;
}

export async function startAsk({
  env,
  cwd,
  client: kind = "v2, 2026-07-28",
}: AskOptions): Promise<RunningAsk> {
  const server = {
    command: process.execPath,
    args: [askDoor],
    env: { ...env },
    cwd,
    stderr: "pipe" as const,
  };
  noteGiven([], env);
  countStart();
  const transport = kind === "v1" ? new OldTransport(server) : new StdioClientTransport(server);
  let stderr = "";
  transport.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const info = { name: "end-to-end", version: "1" };
  const connection = await connect();
  const { tools } = await connection.listTools();
  const { pid } = transport;
  if (pid === null) throw new Error("the server has no pid");
  const schemas = new Map(
    tools.map(({ name, outputSchema }) => [name, fromJsonSchema(outputSchema as JsonSchemaType)] as const),
  );

  async function connect() {
    if (transport instanceof StdioClientTransport) {
      const mode =
        kind === "v2, 2026-07-28"
          ? ({ mode: { pin: "2026-07-28" } } as const)
          : ({ mode: "legacy" } as const);
      const client = new Client(info, { versionNegotiation: mode });
      await client.connect(transport);
      return {
        listTools: async () => client.listTools(),
        callTool: async (name: string, args: Record<string, unknown>, options: object) =>
          client.callTool({ name, arguments: args }, options),
        close: async () => client.close(),
      };
    }
    const client = new OldClient(info);
    await client.connect(transport);
    return {
      listTools: async () => client.listTools(),
      callTool: async (name: string, args: Record<string, unknown>, options: object) =>
        client.callTool({ name, arguments: args }, undefined, options),
      close: async () => client.close(),
    };
  }

  async function call(
    tool: string,
    args: Readonly<Record<string, unknown>> = {},
    options: AskCallOptions = {},
  ): Promise<AskAnswer> {
    const { timeoutMs = 60_000, resetTimeoutOnProgress = false, signal, onProgress } = options;
    const result = await connection.callTool(
      tool,
      { ...args },
      {
        timeout: timeoutMs,
        resetTimeoutOnProgress,
        ...(signal === undefined ? {} : { signal }),
        ...(onProgress === undefined ? {} : { onprogress: onProgress }),
      },
    );
    const { issues } = (await schemas.get(tool)?.["~standard"].validate(result.structuredContent)) ?? {};
    if (issues !== undefined) throw new Error(`${tool} broke its outputSchema: ${JSON.stringify(issues)}`);
    searchAnswer(`${tool} of codex-chatgpt-mcp`, result);
    const [first] = result.content as readonly { type: string; text?: string }[];
    return {
      isError: result.isError === true,
      text: first?.text ?? "",
      content: result.structuredContent as AskContent,
    };
  }

  let isSearched = false;
  async function search(): Promise<void> {
    if (isSearched) return;
    isSearched = true;
    await searchWritten({ process: "codex-chatgpt-mcp", texts: { stderr }, directories: stateOf(env) });
  }

  return {
    pid,
    tools,
    toolNames: tools.map(({ name }) => name),
    call,
    ask: async (prompt, more = {}, options = {}) => call("ask_chatgpt", { prompt, ...more }, options),
    stderr: () => stderr,
    async kill() {
      process.kill(pid, "SIGKILL");
      await connection.close();
      await search();
    },
    async close() {
      await connection.close();
      await search();
    },
  };
}

function stateOf(env: Readonly<Record<string, string>>): string[] {
  const { CODEX_GPT_BRIDGE_STATE_DIR: state } = env;
  return state === undefined ? [] : [state];
}

export interface RawAsk {
  readonly child: ChildProcess;
  send(message: unknown): void;
  /** Lines of stdout so far. */
  readonly lines: readonly string[];
  stderr(): string;
  /** The answer to a request. */
  answer(id: number): Promise<Readonly<Record<string, unknown>>>;
  /** Resolves when the process has ended. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Without any SDK: what really stands on stdout. Past `initialize`. */
export async function startRawAsk(
  options: AskOptions & { readonly nodeFlags?: readonly string[] },
): Promise<RawAsk> {
  noteGiven([], options.env);
  countStart();
  const child = spawn(process.execPath, [...(options.nodeFlags ?? []), askDoor], {
    cwd: options.cwd,
    env: { ...options.env },
  });
  const lines: string[] = [];
  const wakers = new Set<() => void>();
  let rest = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
    for (const wake of wakers) wake();
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const ended = once(child, "close").then(async () => {
    if (rest !== "") lines.push(rest);
    for (const wake of wakers) wake();
    const texts = { stdout: lines.join("\n"), stderr };
    await searchWritten({ process: "codex-chatgpt-mcp", texts, directories: stateOf(options.env) });
    return { code: child.exitCode, signal: child.signalCode };
  });
  const raw: RawAsk = {
    child,
    lines,
    ended,
    stderr: () => stderr,
    send(message) {
      child.stdin.write(`${JSON.stringify(message)}\n`);
    },
    async answer(id) {
      for (;;) {
        for (const line of lines) {
          const message = JSON.parse(line) as Record<string, unknown>;
          if (message["id"] === id) return message;
        }
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it has ended: ${stderr}`);
        await new Promise<void>((resolve) => {
          wakers.add(resolve);
        });
      }
    },
  };
  raw.send({
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "raw", version: "1" } },
  });
  await raw.answer(0);
  raw.send({ jsonrpc: "2.0", method: "notifications/initialized" });
  return raw;
}
