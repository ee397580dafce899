/** `codex-gpt-bridge demo`: the whole walk on this machine, with the real Codex and a scripted model. No login, no key. */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { loadConfig } from "../config/load.ts";
import { createConnector } from "../demo/connector.ts";
import { scriptModel, writeSampleProject } from "../demo/sample-project.ts";
import { playScenes, type Printer } from "../demo/scenes.ts";
import { writeScriptedCodexHome } from "../demo/scripted-model/codex-home.ts";
import { startScriptedModel } from "../demo/scripted-model/scripted-model.ts";
import { listen } from "../http/listen.ts";
import { systemClock } from "../lib/clock.ts";
import { createLog } from "../lib/log.ts";
import { createBridge } from "./bridge.ts";
import { printProblems } from "./flags.ts";
import { createPaint } from "./paint.ts";
import { EXIT_FAILED, EXIT_FINE, EXIT_USAGE, type Terminal } from "./terminal.ts";

const HELP = `Usage: codex-gpt-bridge demo

Starts a bridge on a sample project, connects to it as ChatGPT does, and shows
each step: reading, editing, a long job, a look outside the project, a secret
file. Codex is real; the model is a script. Needs no login and no key.

Examples:
  codex-gpt-bridge demo
  npm run demo             in a clone
`;

export async function run(terminal: Terminal, argv: readonly string[]): Promise<number> {
  if (argv.length > 0) {
    const asksForHelp = argv[0] === "--help" || argv[0] === "-h";
    (asksForHelp ? terminal.stdout : terminal.stderr).write(HELP);
    return asksForHelp ? EXIT_FINE : EXIT_USAGE;
  }
  // Not below the temporary directory: Codex goes without its helpers there.
  const cache = join(homedir(), ".cache");
  await mkdir(cache, { recursive: true });
  const scratch = await realpath(await mkdtemp(join(cache, "codex-gpt-bridge-demo-")));
  try {
    return await runIn(scratch, terminal);
  } finally {
    await rm(scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

async function runIn(scratch: string, terminal: Terminal): Promise<number> {
  const projectPath = join(scratch, "greeter");
  const codexHome = join(scratch, "codex-home");
  const model = await startScriptedModel();
  await writeSampleProject(projectPath);
  await writeFile(join(scratch, "notes.txt"), "do not read me\n");
  await writeScriptedCodexHome(codexHome, model.url);
  scriptModel(model, scratch);

  const token = randomBytes(32).toString("hex");
  const config = await loadConfig({
    flags: {
      root: projectPath,
      port: "0",
      token,
      "allow-write": true,
      "fast-return-ms": "1500",
      "state-dir": join(scratch, "state"),
      codex: ownCodex() ?? terminal.environment["CODEX_GPT_BRIDGE_CODEX"] ?? "codex",
    },
    environment: {},
    cwd: scratch,
    readFile: async () => null,
  });
  if (!config.ok) {
    printProblems(terminal, config.failure);
    return EXIT_USAGE;
  }
  const log = createLog("error", { write: (line: string) => terminal.stderr.write(line) });
  const { HOME, PATH, LANG } = terminal.environment;
  const made = await createBridge(config.value, {
    environment: { HOME, PATH, LANG, CODEX_HOME: codexHome },
    log,
  });
  if (!made.ok) throw new Error(`the demo could not be set up: ${JSON.stringify(made.failure)}`);
  const bridge = made.value;
  const listening = await listen({
    app: bridge.http.app,
    host: "127.0.0.1",
    port: 0,
    maxConnections: 64,
    clock: systemClock,
    log,
  });
  if (!listening.ok) throw new Error(`no port to listen on: ${listening.failure.code}`);
  try {
    const usable = await bridge.makeReady();
    if (!usable.ok) {
      terminal.stderr.write(`The demo needs Codex: ${bridge.codex.status().why}\nInstall it with: npm ci\n`);
      return EXIT_FAILED;
    }
    terminal.stdout.write("codex-gpt-bridge demo: a real Codex, a scripted model, a sample project.\n");
    const connector = createConnector(`${listening.value.url}/mcp`, token);
    await playScenes({ connector, projectPath, print: printerFor(terminal) });
    terminal.stdout.write(NEXT_STEPS);
    return EXIT_FINE;
  } finally {
    await listening.value.close(500);
    await bridge.close(500);
    await model.close();
  }
}

const NEXT_STEPS = `
That was the whole walk. Next, with your own Codex and project:
  npm run setup
  npm start
`;

/** The Codex that npm installed for development, so that the demo runs on a machine without one. */
function ownCodex(): string | null {
  try {
    const manifest = createRequire(import.meta.url).resolve("@openai/codex/package.json");
    return join(dirname(manifest), "bin", "codex.js");
  } catch {
    return null; // installed without devDependencies: the user's own Codex is used
  }
}

function printerFor(terminal: Terminal): Printer {
  const { stdout } = terminal;
  const paint = createPaint(terminal, stdout);
  let scenes = 0;
  return {
    scene: (title) => stdout.write(`\n${paint("bold", `${++scenes}. ${title}`)}\n`),
    sends: (text) => stdout.write(`   ChatGPT → ${text}\n`),
    gets: (text) => stdout.write(`   bridge  ← ${paint("cyan", text.replaceAll("\n", "\n             "))}\n`),
    note: (text) => stdout.write(`   ${paint("dim", text)}\n`),
  };
}
