/**
 * `codex-gpt-bridge service`: the bridge as a service of the owner's own session. Installs only what would really run:
 * the configuration is read as the service will read it, without the owner's shell. Never puts a secret into a unit file.
 */
import { resolve } from "node:path";
import { packageRoot } from "../lib/version.ts";
import type { ServiceManager } from "../service/service-manager.ts";
import { NO_PROJECT, openCommandLine, refuseWord, toShown } from "./command-flags.ts";
import { type Flags, loadConfigFor } from "./flags.ts";
import { askBridge, awaitBridge, bridgeUrl } from "./service-health.ts";
import { showLogs } from "./service-logs.ts";
import { prepareService, planFor } from "./service-plan.ts";
import { serviceManagerFor } from "./service-manager.ts";
import { EXIT_FAILED, EXIT_FINE, EXIT_USAGE, type Terminal } from "./terminal.ts";
import { trustPath } from "./trusted-path.ts";

const HELP = `Usage: codex-gpt-bridge service <what> [flags]

Lets the bridge run by itself while you are logged in: a LaunchAgent on macOS,
a systemd user unit on Linux. Run setup first: the service reads the config
file and takes its secrets from the keychain, not from your shell.

  install     write the unit file and start the service; again after an update
  uninstall   stop it and take the unit file away
  start       start it, or start it again
  stop        stop it until the next login
  status      does it run, does the bridge answer (exit 0: yes)
  logs        its newest log lines; -n <lines>, -f to follow
  print       show the unit file, install nothing; --platform darwin|linux

Flags of serve (--tunnel, --port, --config, ...) given to install and print
become the service's own. Keys and tokens are refused there: everybody on the
machine can read a unit file's command line.

Examples:
  codex-gpt-bridge service install
  codex-gpt-bridge service print --platform darwin
  codex-gpt-bridge service logs -f
`;

const OPTIONS = {
  platform: { type: "string" },
  lines: { type: "string", short: "n" },
  follow: { type: "boolean", short: "f" },
} as const;
const ACTIONS = ["install", "uninstall", "start", "stop", "status", "logs", "print"] as const;
type Action = (typeof ACTIONS)[number];

export async function run(terminal: Terminal, argv: readonly string[]): Promise<number> {
  const opened = openCommandLine(terminal, argv, OPTIONS, HELP);
  if (typeof opened === "number") return opened;
  const { flags, positionals } = opened;
  const action = ACTIONS.find((name) => name === positionals[0]);
  const { platform = process.platform, lines = "50" } = flags;
  const isWrong = positionals.length !== 1 || !/^[1-9]\d{0,6}$/.test(String(lines));
  if (action === undefined || isWrong || (flags["platform"] !== undefined && action !== "print")) {
    return refuseWord(terminal, HELP, ACTIONS, positionals[0]);
  }
  const configured = await loadConfigFor(terminal, { config: flags["config"], roots: NO_PROJECT });
  const roots = configured.ok ? configured.value.projects.map(({ path }) => path) : [];
  if (typeof flags["root"] === "string") roots.push(resolve(terminal.cwd, flags["root"]));
  const { environment } = await trustPath(terminal.environment, roots);
  const manager = serviceManagerFor(String(platform), environment);
  if (manager === null) {
    return refuse(
      terminal,
      `no service manager is known for ${String(platform)}; darwin or linux`,
      EXIT_USAGE,
    );
  }
  return act({ ...terminal, environment }, manager, action, flags);
}

async function act(
  terminal: Terminal,
  manager: ServiceManager,
  action: Action,
  flags: Flags,
): Promise<number> {
  switch (action) {
    case "print": {
      const plan = await planFor(terminal, flags, packageRoot);
      if (!plan.ok) return refuse(terminal, plan.failure, EXIT_USAGE);
      terminal.stdout.write(await manager.unitText(plan.value));
      return EXIT_FINE;
    }
    case "install":
      return installService(terminal, manager, flags);
    case "uninstall": {
      const done = await manager.uninstall();
      if (!done.ok) return refuse(terminal, done.failure, EXIT_FAILED);
      terminal.stdout.write("The service is gone. Config, jobs and secrets are still there.\n");
      return EXIT_FINE;
    }
    case "start":
    case "stop": {
      const done = await (action === "start" ? manager.start() : manager.stop());
      if (!done.ok) return refuse(terminal, done.failure, EXIT_FAILED);
      terminal.stdout.write(
        action === "start" ? "Started.\n" : "Stopped, until the next login or `service start`.\n",
      );
      return EXIT_FINE;
    }
    case "status":
      return status(terminal, manager, flags);
    case "logs":
      return showLogs(terminal, manager.logCommand(Number(flags["lines"] ?? 50), flags["follow"] === true));
  }
}

/** Also called by `setup`. */
export async function installService(
  terminal: Terminal,
  manager: ServiceManager,
  flags: Flags,
): Promise<number> {
  const prepared = await prepareService(terminal, flags, packageRoot);
  if (!prepared.ok) {
    terminal.stderr.write("codex-gpt-bridge service: it would not run like this:\n");
    for (const line of prepared.failure) terminal.stderr.write(`  ${toShown(line)}\n`);
    return EXIT_USAGE;
  }
  const { plan, config, notes } = prepared.value;
  for (const note of notes) terminal.stderr.write(`Note: ${toShown(note)}\n`);
  const url = bridgeUrl(config);
  const before = await manager.status();
  if (!before.ok) return refuse(terminal, before.failure, EXIT_FAILED);
  if (!before.value.running && (await askBridge(url)).state !== "no answer") {
    return refuse(terminal, `something runs at ${url} already; stop it first, or choose --port`, EXIT_FAILED);
  }
  const installed = await manager.install(plan);
  if (!installed.ok) return refuse(terminal, installed.failure, EXIT_FAILED);
  terminal.stdout.write(`Installed as ${manager.title}:\n  ${manager.unitPath}\n`);
  if (manager.hint !== null) terminal.stdout.write(`${manager.hint}\n`);
  const answer = await awaitBridge(url);
  if (answer.up) {
    terminal.stdout.write(`The bridge answers at ${url} (${answer.state}).\n`);
    return EXIT_FINE;
  }
  return refuse(terminal, `the bridge does not answer at ${url}; see: service logs`, EXIT_FAILED);
}

async function status(terminal: Terminal, manager: ServiceManager, flags: Flags): Promise<number> {
  const found = await manager.status();
  if (!found.ok) return refuse(terminal, found.failure, EXIT_FAILED);
  const { running, pid, state, installed } = found.value;
  const { config: configFile, port } = flags;
  const config = await loadConfigFor(terminal, { config: configFile, port, roots: NO_PROJECT });
  const url = config.ok ? bridgeUrl(config.value) : null;
  const answer = url === null ? null : await askBridge(url);
  terminal.stdout.write(
    [
      ["service", `${toShown(state)}${pid === null ? "" : `, pid ${pid}`}`],
      ["unit", installed ? manager.unitPath : "none; service install makes one"],
      ["bridge", answer === null ? "unknown: the config file is wrong" : `${url ?? ""}: ${answer.state}`],
    ]
      .map(([name, value]) => `${(name ?? "").padEnd(9)}${value ?? ""}\n`)
      .join(""),
  );
  return running && answer?.up === true ? EXIT_FINE : EXIT_FAILED;
}

function refuse(terminal: Terminal, why: string, code: number): number {
  terminal.stderr.write(`codex-gpt-bridge service: ${toShown(why)}\n`);
  return code;
}
