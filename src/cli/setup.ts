/**
 * `codex-gpt-bridge setup`: asks what the bridge needs to know, keeps the secrets, writes the config file, offers the
 * service. Run again it changes what is there. Writes nothing before the last question is answered, nothing that the
 * bridge would not start with, and no secret into the config file.
 */
import type { Answers } from "../setup/answers.ts";
import { Cancelled, UnfitAnswer, type Asker } from "../setup/asker.ts";
import { createGivenAsker } from "../setup/given-asker.ts";
import { interview } from "../setup/interview.ts";
import { lastWords } from "../setup/last-words.ts";
import { openCommandLine, toShown } from "./command-flags.ts";
import { printProblems, type Flags } from "./flags.ts";
import { ownCommand } from "./own-command.ts";
import { installService } from "./service.ts";
import { serviceManagerFor } from "./service-manager.ts";
import { applySetup, prepareSetup, type Applied } from "./setup-apply.ts";
import { lookForCodex } from "./setup-codex.ts";
import { gatherBeforehand, type Gathered } from "./setup-beforehand.ts";
import { createMachine } from "./setup-machine.ts";
import { EXIT_FAILED, EXIT_FINE, EXIT_USAGE, type Terminal } from "./terminal.ts";
import { createWaitingLine } from "./waiting-line.ts";

const HELP = `Usage: codex-gpt-bridge setup [--yes] [flags]

Asks for your projects, what Codex may do there, and how ChatGPT reaches this
machine. Keeps keys and tokens in your keychain (or in a file that only you can
read, where there is none) and writes the config file. Run it again to change
something: it shows what is set, and keeps what it does not know.

  --yes              ask nothing: take the flags, the config file, the defaults
  --service          also install the service (with --yes; else you are asked)
  --store <where>    keychain or file; default: the keychain where there is one
  --dry-run          show the config file that would be written, change nothing
  --tunnel <how>     openai, ngrok, cloudflared or none

Flags of serve (--root, --roots, --allow-write, --secrets, --port, --config,
--codex, ...) are answers, too. Keys come from the environment, never from
flags: CONTROL_PLANE_API_KEY, CONTROL_PLANE_TUNNEL_ID, NGROK_AUTHTOKEN,
TUNNEL_TOKEN, CODEX_GPT_BRIDGE_TOKEN.

Examples:
  codex-gpt-bridge setup
  codex-gpt-bridge setup --yes --root ~/app --allow-write
  codex-gpt-bridge setup --yes --roots shop=/srv/shop,/srv/blog --tunnel openai
`;

const OPTIONS = {
  yes: { type: "boolean", short: "y" },
  service: { type: "boolean" },
  store: { type: "string" },
  "dry-run": { type: "boolean" },
} as const;

const NO_TERMINAL = "it asks questions; run it at a terminal, or with --yes and flags";

export async function run(terminal: Terminal, argv: readonly string[]): Promise<number> {
  const opened = openCommandLine(terminal, argv, OPTIONS, HELP);
  if (typeof opened === "number") return opened;
  const { flags, positionals } = opened;
  const { store = "keychain" } = flags;
  if (positionals.length > 0 || (store !== "keychain" && store !== "file")) {
    terminal.stderr.write(HELP);
    return EXIT_USAGE;
  }
  // A keychain may ask its owner first.
  const waiting = createWaitingLine(terminal.stdout);
  waiting.show("Looking at what is there...");
  const gathered = await gatherBeforehand(terminal, flags).finally(() => {
    waiting.clear();
  });
  if (!gathered.ok) {
    printProblems(terminal, gathered.failure);
    return EXIT_USAGE;
  }
  const trusted = { ...terminal, environment: gathered.value.environment };
  if (flags["yes"] === true) {
    return settle(
      trusted,
      flags,
      gathered.value,
      createGivenAsker((text) => terminal.stdout.write(text)),
    );
  }
  if (terminal.stdout.isTTY !== true) {
    return refuse(terminal, NO_TERMINAL, EXIT_USAGE);
  }
  const { createTerminalAsker } = await import("../setup/terminal-asker.ts");
  const leave = (): void => {
    ask?.close();
    terminal.exitNow(refuse(terminal, "nothing was changed", EXIT_FAILED));
  };
  const ask = createTerminalAsker(leave);
  if (ask === null) return refuse(terminal, NO_TERMINAL, EXIT_USAGE);
  try {
    return await settle(trusted, flags, gathered.value, ask);
  } finally {
    ask.close();
  }
}

async function settle(terminal: Terminal, flags: Flags, gathered: Gathered, ask: Asker): Promise<number> {
  try {
    const { before, configFile } = gathered;
    ask.say(
      "codex-gpt-bridge setup",
      before.existing.text === null ? "Nothing is written before the end." : `Changes ${configFile}`,
    );
    const missing = await lookForCodex(terminal, ask, gathered.codex);
    const answers = await interview(ask, before, createMachine(terminal.environment, configFile));
    const prepared = await prepareSetup(terminal, gathered, answers);
    if (!prepared.ok) {
      printProblems(terminal, prepared.failure);
      return EXIT_USAGE;
    }
    if (flags["dry-run"] === true) {
      terminal.stdout.write(`\n# ${configFile}\n${prepared.value.text}`);
      return EXIT_FINE;
    }
    if (!(await ask.confirm({ message: `Write ${configFile} and keep the secrets?`, first: true }))) {
      throw new Cancelled("nothing is wanted");
    }
    const applied = await applySetup(gathered, prepared.value, flags["store"] === "file", ask);
    if (!applied.ok) return refuse(terminal, applied.failure, EXIT_FAILED);
    return await finish(terminal, flags, ask, answers, {
      ...gathered,
      applied: applied.value,
      missing,
    });
  } catch (error) {
    if (error instanceof Cancelled) return refuse(terminal, "nothing was changed", EXIT_FAILED);
    if (error instanceof UnfitAnswer) return refuse(terminal, error.message, EXIT_USAGE);
    throw error;
  }
}

async function finish(
  terminal: Terminal,
  flags: Flags,
  ask: Asker,
  answers: Answers,
  { applied, configFile, port, missing }: Gathered & { applied: Applied; missing: string | null },
): Promise<number> {
  const { stdout } = terminal;
  for (const line of applied.done) stdout.write(`${line}\n`);
  const manager = serviceManagerFor(process.platform, terminal.environment);
  const usable = manager !== null && (await manager.status()).ok;
  const wantsService =
    usable &&
    (await ask.confirm({ message: "Let it run by itself (service)?", first: flags["service"] === true }));
  if (flags["service"] === true && !usable) {
    terminal.stderr.write("codex-gpt-bridge setup: there is no service manager here that could run it\n");
  }
  const installed =
    wantsService && manager !== null
      ? await installService(terminal, manager, { config: flags["config"] })
      : EXIT_FAILED;
  const command = ownCommand();
  const isService = installed === EXIT_FINE;
  for (const { title, text } of lastWords(answers, {
    command,
    flags: flags["config"] === undefined ? "" : ` --config ${quoted(configFile)}`,
    port,
    isService,
    canBeService: usable,
    missing,
    showToken: applied.showToken,
  })) {
    stdout.write(`\n${title}\n${text.replaceAll(/^(?=.)/gm, "  ")}\n`);
  }
  return flags["service"] === true && !isService ? EXIT_FAILED : EXIT_FINE;
}

/** For a shell. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}

function refuse(terminal: Terminal, why: string, code: number): number {
  terminal.stderr.write(`codex-gpt-bridge setup: ${toShown(why)}\n`);
  return code;
}
