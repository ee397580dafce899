/**
 * `codex-gpt-bridge tunnel`: keeps a tunnel open for a bridge that runs already, in another process. Changes nothing in
 * that bridge; says what it would have to know.
 */
import { request } from "node:http";
import type { Config, ConfigProblem } from "../config/load.ts";
import { toEnvironmentName } from "../config/names.ts";
import type { Log } from "../lib/log.ts";
import { tunnelNames, type TunnelName } from "../tunnel/provider.ts";
import { NO_PROJECT, openCommandLine, refuseWord } from "./command-flags.ts";
import { printProblems } from "./flags.ts";
import { prepareTunnel, toReachable, type TunnelRoom } from "./open-tunnel.ts";
import { logFor } from "./serve.ts";
import { EXIT_FAILED, EXIT_FINE, EXIT_USAGE, type Terminal } from "./terminal.ts";
import { planTunnel } from "./tunnel-plan.ts";
import { loadConfigWithSecrets } from "./with-secrets.ts";

const HELP = `Usage: codex-gpt-bridge tunnel <openai|ngrok|cloudflared> [flags]

Opens a tunnel to a bridge that runs already, and keeps it open until Ctrl-C.
"serve --tunnel ..." opens bridge and tunnel together, and tells the bridge what
it has to know of the tunnel.

openai       OpenAI's Secure MCP Tunnel, through tunnel-client; needs
             CONTROL_PLANE_API_KEY, CONTROL_PLANE_TUNNEL_ID and the header
             secret of the bridge
               --tunnel-client <path>        where it is not on PATH
ngrok        through the package @ngrok/ngrok; needs NGROK_AUTHTOKEN
               --ngrok-domain <host>         the domain that you reserved
cloudflared  through cloudflared: a tunnel by token (TUNNEL_TOKEN), by name, or
             a quick one
               --cloudflared <path>          where it is not on PATH
               --cloudflared-tunnel <name>
               --cloudflared-hostname <host>

Keys come from the environment, or with --keychain from the keychain.
--port says where the bridge listens.

Examples:
  codex-gpt-bridge tunnel openai
  codex-gpt-bridge tunnel cloudflared --cloudflared-tunnel bridge \\
      --cloudflared-hostname bridge.example.com
`;

const LOOK_WITHIN_MS = 5_000;

export async function run(terminal: Terminal, argv: readonly string[]): Promise<number> {
  const opened = openCommandLine(terminal, argv, {}, HELP);
  if (typeof opened === "number") return opened;
  const [asked, ...more] = opened.positionals;
  const name = tunnelNames.find((known) => known === asked);
  if (name === undefined || more.length > 0) {
    return refuseWord(terminal, HELP, tunnelNames, asked);
  }
  // A tunnel has nothing to do with projects.
  const loaded = await loadConfigWithSecrets(terminal, { ...opened.flags, roots: NO_PROJECT });
  if (!loaded.ok) {
    printProblems(terminal, loaded.failure);
    return EXIT_USAGE;
  }
  const { config, environment, notes } = loaded.value;
  const planned = planTunnel(name, config, environment, "other");
  const problems = [...problemsOf(config), ...(planned.ok ? [] : planned.failure)];
  if (!planned.ok || problems.length > 0) {
    printProblems(terminal, problems);
    return EXIT_USAGE;
  }
  const settled = planned.value.config;
  const log = logFor({ ...terminal, environment }, settled);
  for (const note of notes) log.warn({ why: note }, "a store of secrets could not be read");
  const stopping = new AbortController();
  terminal.onSignal(() => {
    if (stopping.signal.aborted) terminal.exitNow(EXIT_FAILED);
    stopping.abort();
  });
  const prepared = await prepareTunnel(planned.value, settled, log, stopping.signal);
  if (!prepared.ok) {
    if (stopping.signal.aborted) return EXIT_FINE;
    log.error({ tunnel: name }, prepared.failure);
    return EXIT_FAILED;
  }
  return keepOpen(prepared.value, name, settled, log, stopping.signal);
}

function problemsOf({ noAuth, port }: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (noAuth) {
    problems.push({
      setting: toEnvironmentName("noAuth"),
      problem: "cannot go together with a tunnel: others could reach the bridge",
    });
  }
  if (port === 0)
    problems.push({ setting: "--port", problem: "has to be the one that the running bridge listens on" });
  return problems;
}

async function keepOpen(
  tunnel: TunnelRoom,
  name: TunnelName,
  { host, port }: Config,
  log: Log,
  signal: AbortSignal,
): Promise<number> {
  const url = toReachable(`http://${host.includes(":") ? `[${host}]` : host}:${port}`);
  if ((await statusFor(url, null)) !== 200)
    log.warn({ url }, "no bridge answers there yet; start it with codex-gpt-bridge serve");
  const opened = tunnel.open(url, (tunnelHost) => {
    void warnOfForeignHost(url, tunnelHost, log);
  });
  // While the tunnel pauses before its next life, nothing else would keep this process alive.
  const alive = setInterval(() => {}, 60_000);
  const stopped = new Promise<null>((resolve) => {
    signal.addEventListener("abort", () => {
      resolve(null);
    });
    if (signal.aborted) resolve(null);
  });
  const gaveUp = await Promise.race([opened.gaveUp, stopped]);
  log.info({ tunnel: name }, "stopping");
  await tunnel.close();
  clearInterval(alive);
  return gaveUp === null ? EXIT_FINE : EXIT_FAILED;
}

/** A bridge answers 403 to requests that are addressed to a host that it does not know. */
async function warnOfForeignHost(url: string, host: string, log: Log): Promise<void> {
  if ((await statusFor(url, host)) !== 403) return;
  const advice = `start it with --allowed-hosts ${host}, or use serve --tunnel, which tells it`;
  log.warn({ host, advice }, "the running bridge does not serve this host name");
}

/** Null where nobody answers. */
async function statusFor(url: string, host: string | null): Promise<number | null> {
  return new Promise((resolve) => {
    const headers = host === null ? {} : { host };
    const asking = request(`${url}/healthz`, { headers, timeout: LOOK_WITHIN_MS }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? null);
    });
    asking.on("timeout", () => asking.destroy());
    asking.on("error", () => {
      resolve(null);
    });
    asking.end();
  });
}
