/** `codex-chatgpt-mcp`: MCP over stdin and stdout until the client closes it. Heavy parts are loaded with the first question. */
import { Writable, type Readable } from "node:stream";
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { knownSecrets } from "../audit/known-secrets.ts";
import type { Redactor } from "../audit/redact.ts";
import { createAskServer } from "../chatgpt/mcp-server.ts";
import { findProject } from "../chatgpt/current-project.ts";
import { loadAskConfig, type AskConfig } from "../config/ask-load.ts";
import type { ConfigProblem } from "../config/load.ts";
import { systemClock } from "../lib/clock.ts";
import { createLog, type Log } from "../lib/log.ts";
import { once } from "../lib/once.ts";
import { prettyDestination } from "../lib/pretty-log.ts";
import { version } from "../lib/version.ts";
import { readConfigFile } from "./config-file.ts";
import { EXIT_FINE, EXIT_USAGE, type Output } from "./terminal.ts";

export interface AskProcess {
  /** After the program's name. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** stdout, which nothing else may write to. */
  readonly writeProtocol: (text: string | Uint8Array, done: (error?: Error | null) => void) => unknown;
  readonly stderr: Output;
  /** SIGINT, SIGTERM and SIGHUP. */
  onSignal(listener: () => void): void;
}

const HELP = `Usage: codex-chatgpt-mcp

An MCP server on stdin and stdout with the tools ask_chatgpt and
ask_chatgpt_result. It is started by an MCP client, such as Codex. Settings are
environment variables, or the table [chatgpt] of the config file; docs/config.md
lists them.

Examples:
  codex-gpt-bridge codex-config --write   tell Codex of it
  codex mcp list                          see that Codex knows it
`;

/** What running calls may still take to write down what they know, when the client has gone. */
const CLOSE_GRACE_MS = 2_500;

/** The exit code; resolves when the client has closed the connection or a signal came. */
export async function serveAskChatgpt(terminal: AskProcess): Promise<number> {
  const [first] = terminal.argv;
  if (first === "--help" || first === "-h") return print(terminal, HELP);
  if (first === "--version" || first === "-V") return print(terminal, `${version}\n`);
  if (first !== undefined) {
    terminal.stderr.write(`codex-chatgpt-mcp: ${first} is not understood; it takes no arguments.\n`);
    return EXIT_USAGE;
  }
  const { environment, cwd } = terminal;
  const config = await loadAskConfig({ environment, cwd, readFile: readConfigFile });
  if (!config.ok) return printProblems(terminal, config.failure);
  return serve(terminal, config.value);
}

async function serve(terminal: AskProcess, config: AskConfig): Promise<number> {
  const { environment, cwd, stdin, stderr } = terminal;
  const shutdown = new AbortController();
  const findsProject = findProject(cwd, environment["HOME"]);
  const apiKey = once(
    async () => config.apiKey ?? (config.keychain ? keptApiKey(config, { environment, cwd }) : null),
  );
  const redactor = once(async () => {
    const { createRedactor } = await import("../audit/redact.ts");
    return createRedactor({ secrets: knownSecrets([(await apiKey()) ?? undefined], environment) });
  });
  const { log, written } = logFor(stderr, config, redactor);
  const openRoom = once(async () => {
    const { createAskRoom } = await import("./ask-room.ts");
    const project = await findsProject;
    return createAskRoom({
      config: { ...config, apiKey: await apiKey() },
      environment,
      cwd,
      project,
      redactor: await redactor(),
      log,
      shutdown: shutdown.signal,
    });
  });

  const ended = Promise.withResolvers<void>();
  terminal.onSignal(ended.resolve);
  const stdout = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      terminal.writeProtocol(chunk, (error) => {
        // A client that no longer reads is gone; there is nobody to tell.
        if (error !== undefined && error !== null) ended.resolve();
        done();
      });
    },
  });
  if (stdin.isTTY === true)
    stderr.write("codex-chatgpt-mcp waits for an MCP client on stdin (see --help).\n");
  const server = createAskServer(openRoom, systemClock);
  const handle = serveStdio(server.factory, {
    transport: endingTransport(stdin, stdout, ended.resolve),
    onerror(error) {
      log.debug({ error: error.message }, "the client sent something that is no message");
    },
  });
  // Its timers keep no process alive; this does, until the client has gone.
  const alive = setInterval(() => {}, 3_600_000);
  await ended.promise;
  shutdown.abort();
  await handle.close();
  await Promise.race([server.whenIdle().then(written), passed(CLOSE_GRACE_MS)]);
  clearInterval(alive);
  return EXIT_FINE;
}

/** null: there is none, or no store that can be read. */
async function keptApiKey(
  config: Pick<AskConfig, "configFile">,
  { environment, cwd }: Pick<AskProcess, "environment" | "cwd">,
): Promise<string | null> {
  const { openOwnStores } = await import("./with-secrets.ts");
  const { trustPath } = await import("./trusted-path.ts");
  const { environment: trusted } = await trustPath(environment, [cwd]);
  const { readSecrets } = await import("../keychain/read-secrets.ts");
  const { values } = await readSecrets(await openOwnStores(config, trusted), ["openaiApiKey"]);
  return values.get("openaiApiKey") ?? null;
}

/** Its end is told to `onEnd`, also when the server closes it. */
function endingTransport(stdin: Readable, stdout: Writable, onEnd: () => void): StdioServerTransport {
  stdin.once("end", onEnd);
  stdin.once("close", onEnd);
  stdin.once("error", onEnd);
  return new StdioServerTransport(stdin, stdout);
}

/** Nothing is written before the redactor is there, and everything in its order. */
function logFor(
  stderr: Output,
  config: AskConfig,
  redactor: () => Promise<Redactor>,
): { readonly log: Log; readonly written: () => Promise<void> } {
  let turn: Promise<void> = Promise.resolve();
  const write = (text: string): void => {
    turn = turn.then(async () => {
      const { redact } = await redactor();
      stderr.write(redact(text));
    });
  };
  const destination = stderr.isTTY === true ? prettyDestination(write, true) : { write };
  return { log: createLog(config.logLevel, destination), written: async () => turn };
}

function print(terminal: AskProcess, text: string): number {
  terminal.writeProtocol(text, () => {});
  return EXIT_FINE;
}

function printProblems({ stderr }: AskProcess, problems: readonly ConfigProblem[]): number {
  stderr.write("codex-chatgpt-mcp cannot start with this configuration:\n");
  for (const { setting, problem } of problems) stderr.write(`  ${setting}: ${problem}\n`);
  return EXIT_USAGE;
}

async function passed(ms: number): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
