/** `codex-gpt-bridge serve`: the bridge on its port until it is told to stop. */
import { knownSecrets } from "../audit/known-secrets.ts";
import { createRedactor } from "../audit/redact.ts";
import { createScannedSecrets, type ScannedSecrets } from "../audit/scanned-secrets.ts";
import type { Config, ConfigProblem } from "../config/load.ts";
import { toEnvironmentName } from "../config/names.ts";
import { listen } from "../http/listen.ts";
import { systemClock } from "../lib/clock.ts";
import { createLog, type Log } from "../lib/log.ts";
import { pause } from "../lib/pause.ts";
import { prettyDestination } from "../lib/pretty-log.ts";
import { ok, type Result } from "../lib/result.ts";
import { version } from "../lib/version.ts";
import { createBridge, type Bridge } from "./bridge.ts";
import { hasAuth } from "./door-check.ts";
import { parseFlags, printProblems, settingsHelp } from "./flags.ts";
import type { TunnelRoom } from "./open-tunnel.ts";
import { ownSecrets, showPasscode } from "./sign-in-parts.ts";
import { mayPaint } from "./paint.ts";
import type { TunnelPlan } from "./tunnel-plan.ts";
import { EXIT_FAILED, EXIT_FINE, EXIT_USAGE, type Terminal } from "./terminal.ts";
import { loadConfigWithSecrets, type ConfigWithSecrets } from "./with-secrets.ts";

/** SIGTERM has to end in exit 0 within 8 s; what Codex needs to stop comes on top of these. */
const ANSWERS_GRACE_MS = 1_000;
const JOBS_GRACE_MS = 2_000;
const FIRST_ANSWER_MS = 10;

export async function run(terminal: Terminal, argv: readonly string[]): Promise<number> {
  const { flags, problems } = parseFlags(argv);
  if (flags["help"] === true) {
    terminal.stdout.write(helpText());
    return EXIT_FINE;
  }
  const loaded = await loadConfigWithSecrets(terminal, flags);
  if (!loaded.ok || problems.length > 0) {
    printProblems(terminal, loaded.ok ? problems : [...problems, ...loaded.failure]);
    return EXIT_USAGE;
  }
  const { environment, leftOut, notes } = loaded.value;
  // A keychain that is still locked is no wrong configuration: a service tries again.
  const unreadable = notes.length > 0 ? EXIT_FAILED : null;
  const planned = await planOf(loaded.value.config, environment);
  if (!planned.ok) {
    printNotes(terminal, notes);
    printProblems(terminal, planned.failure);
    return unreadable ?? EXIT_USAGE;
  }
  const plan = planned.value;
  const config = plan?.config ?? loaded.value.config;
  if (!(await hasAuth(config, Date.now()))) {
    printNotes(terminal, notes);
    terminal.stderr.write(missingAuthText());
    return unreadable ?? EXIT_USAGE;
  }
  return serve({ ...terminal, environment }, config, plan, { notes, leftOut });
}

function printNotes({ stderr }: Terminal, notes: readonly string[]): void {
  for (const note of notes) stderr.write(`codex-gpt-bridge serve: ${note}\n`);
}

/** Null where no tunnel is wanted; then nothing of it is loaded. */
async function planOf(
  config: Config,
  environment: Terminal["environment"],
): Promise<Result<TunnelPlan | null, ConfigProblem[]>> {
  if (config.tunnel === "none") return ok(null);
  const { planTunnel } = await import("./tunnel-plan.ts");
  return planTunnel(config.tunnel, config, environment, "own");
}

async function serve(
  terminal: Terminal,
  config: Config,
  plan: TunnelPlan | null,
  { notes, leftOut }: Pick<ConfigWithSecrets, "notes" | "leftOut">,
): Promise<number> {
  const scanned = createScannedSecrets();
  const log = logFor(terminal, config, scanned);
  for (const note of notes) log.warn({ why: note }, "a store of secrets could not be read");
  if (leftOut.length > 0) log.warn({ leftOut }, "parts of PATH are not used: in a project, or not absolute");
  const stop = Promise.withResolvers<void>();
  const stopping = new AbortController();
  let signals = 0;
  terminal.onSignal(() => {
    signals += 1;
    if (signals > 1) terminal.exitNow(EXIT_FAILED);
    stopping.abort();
    stop.resolve();
  });
  const tunnelHosts: string[] = [];

  const made = await createBridge(config, {
    environment: terminal.environment,
    log,
    currentHosts: () => tunnelHosts,
    scanned,
  });
  if (!made.ok) {
    if (typeof made.failure !== "string") {
      printProblems(terminal, made.failure);
      return EXIT_USAGE;
    }
    log.error({ stateDir: config.stateDir }, made.failure);
    return EXIT_FAILED;
  }
  const bridge = made.value;
  const prepared = plan === null ? null : await prepare(plan, config, log, stopping.signal);
  if (prepared?.ok === false) {
    if (!stopping.signal.aborted) log.error({ tunnel: config.tunnel }, prepared.failure);
    await bridge.close(0);
    return stopping.signal.aborted ? EXIT_FINE : EXIT_FAILED;
  }
  const tunnel = prepared?.value ?? null;
  const { host, port, maxConnections } = config;
  const listening = await listen({
    app: bridge.http.app,
    host,
    port,
    maxConnections,
    clock: systemClock,
    log,
  });
  if (!listening.ok) {
    log.error({ host, port }, LISTEN_PROBLEMS[listening.failure.code]);
    await Promise.all([bridge.close(0), tunnel?.close()]);
    return EXIT_FAILED;
  }
  const { url } = listening.value;
  log.info(
    {
      version,
      url: `${url}/mcp`,
      projects: bridge.projects.map(({ name }) => name),
      write: config.allowWrite,
      secrets: config.secrets,
    },
    "listening",
  );
  if (bridge.oauth !== null) await showPasscode(bridge.oauth, [terminal.stderr, terminal.stdout], log);
  if (config.noAuth) log.warn({}, "no authentication: every program on this machine can use this bridge");
  const opened = tunnel?.open(url, (name) => {
    tunnelHosts.splice(0, 1, name);
  });
  warmUp(bridge, log, stopping.signal).catch((error: unknown) => {
    log.error({ error: String(error) }, "the bridge could not be made ready");
  });

  // Neither a slow Codex nor a large project keeps anybody from stopping the bridge.
  const gaveUp = await Promise.race([stop.promise, ...(opened === undefined ? [] : [opened.gaveUp])]);
  log.info({}, "stopping");
  await Promise.all([
    listening.value.close(ANSWERS_GRACE_MS),
    bridge.close(JOBS_GRACE_MS),
    ...(tunnel === null ? [] : [tunnel.close()]),
  ]);
  log.info({}, "stopped");
  return gaveUp === undefined ? EXIT_FINE : EXIT_FAILED;
}

/** Modules are loaded for it, and while they are nothing else is done: whoever waits for the port is answered first. */
async function warmUp(bridge: Bridge, log: Log, signal: AbortSignal): Promise<void> {
  await pause(systemClock, FIRST_ANSWER_MS, signal);
  if (signal.aborted) return;
  const readying = bridge.makeReady().then((usable) => {
    if (usable.ok) log.info({ codex: usable.value.codexVersion, backend: usable.value.kind }, "ready");
  });
  await Promise.all([readying, bridge.lookThrough()]);
}

async function prepare(
  plan: TunnelPlan,
  config: Config,
  log: Log,
  signal: AbortSignal,
): Promise<Result<TunnelRoom, string>> {
  const { prepareTunnel } = await import("./open-tunnel.ts");
  return prepareTunnel(plan, config, log, signal);
}

const LISTEN_PROBLEMS = {
  address_in_use: "the port is taken by another program; choose another with --port",
  address_not_available: "this machine does not have that address; see --host",
  port_not_permitted: "this user may not listen on that port; choose one above 1023 with --port",
} as const;

export function logFor(terminal: Terminal, config: Config, scanned?: ScannedSecrets): Log {
  const { stderr, environment } = terminal;
  // Paths stay as they are: the owner reads this.
  const { redact } = createRedactor({
    secrets: knownSecrets(ownSecrets(config), environment),
    ...(scanned === undefined ? {} : { scanned }),
  });
  const write = (text: string): unknown => stderr.write(redact(text));
  if (stderr.isTTY !== true) return createLog(config.logLevel, { write });
  return createLog(config.logLevel, prettyDestination(write, mayPaint(environment, stderr)));
}

function missingAuthText(): string {
  const token = toEnvironmentName("token");
  return `codex-gpt-bridge serve: say how callers prove who they are. One of:
  codex-gpt-bridge setup: makes a token and keeps it in your keychain;
      serve --keychain takes it from there
  ${token}: a token of at least 32 characters, for example
      export ${token}=$(openssl rand -hex 32)
  codex-gpt-bridge token create --name <name>: a token for each caller, which
      you can take back
  ${toEnvironmentName("headerSecret")}: a secret that your tunnel client adds
      as a header
  ${toEnvironmentName("publicUrl")}: the https address under which ChatGPT reaches
      the bridge; it then signs in (OAuth)
  ${toEnvironmentName("tunnel")}=openai (or --tunnel openai): OpenAI's tunnel, with
      such a secret made for each start
  ${toEnvironmentName("noAuth")}=1 (or --no-auth): no authentication, on loopback
      only, to try things out
`;
}

function helpText(): string {
  return `Usage: codex-gpt-bridge serve [flags]

Serves the current directory, or the projects of --roots, to ChatGPT over HTTP.

Examples:
  codex-gpt-bridge serve --no-auth                      try it on this machine
  codex-gpt-bridge serve --root /srv/app --allow-write  one project, writable
  codex-gpt-bridge serve --roots app=/srv/app,/srv/site two projects
  codex-gpt-bridge serve --tunnel openai                with OpenAI's tunnel
  codex-gpt-bridge serve --keychain                     secrets of the keychain

The token is best set in the environment, where other users cannot see it:
  export CODEX_GPT_BRIDGE_TOKEN=$(openssl rand -hex 32)

Flags:
${settingsHelp()}
`;
}
