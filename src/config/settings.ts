/**
 * Every setting, once: its name, what it accepts, its default and its meaning. Environment variable, flag and file
 * key follow from the name by one rule (names.ts); docs/config.md is made from here.
 */
import { logLevels } from "../lib/log.ts";
import { isLoopback } from "../lib/loopback.ts";
import { tunnelNames } from "../tunnel/provider.ts";
import { choice, flag, integer, list, secret, text, truth } from "./setting-kinds.ts";
import type { ValuesOf } from "./setting.ts";

const hostName = () =>
  text()
    .check("has to be a host name", (value) =>
      /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/i.test(value),
    )
    .transform((value) => value.toLowerCase());

/** Where browsers and other servers are sent: https, or a server on this machine. */
const address = (problem: string, isFit: (url: URL) => boolean) =>
  text().check(problem, (value) => {
    const url = URL.parse(value);
    if (url === null || url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
      return false;
    return (
      (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname))) && isFit(url)
    );
  });
const origin = () =>
  address(
    "has to be an https address without a path, such as https://bridge.example.com",
    (url) => url.pathname === "/",
  ).transform((value) => new URL(value).origin);
const issuer = () => address("has to be an https address without a query", () => true);

export const settings = {
  host: text().default("127.0.0.1").describe("Address to listen on."),
  port: integer(0, 65_535).default(8765).describe("Port to listen on; 0 takes a free one."),
  root: text().optional().describe("The project to serve, when there is one; short for `roots`."),
  roots: list()
    .check("names no project; leave it out to serve the current directory", (roots) => roots.length > 0)
    .optional()
    .describe("Projects to serve: absolute paths, or `name=/path`. Default: the current directory."),
  token: secret(32).optional().describe("Bearer token that callers have to send; at least 32 characters."),
  noAuth: flag()
    .default(false)
    .describe("No authentication. Refused together with a token or on an address other than loopback."),
  headerSecret: secret(32)
    .optional()
    .describe(
      "Shared secret that a tunnel client adds as `x-codex-gpt-bridge-secret`; at least 32 characters.",
    ),
  keychain: flag()
    .default(false)
    .describe(
      "Takes secrets that nothing else gives from the system's keychain, or the file that `setup` made instead.",
    ),
  publicUrl: origin()
    .optional()
    .describe(
      "The https address under which ChatGPT reaches the bridge, without a path. Turns sign-in (OAuth 2.1) on.",
    ),
  oauthPasscode: secret(8)
    .optional()
    .describe(
      "What the owner types to let a client in; at least 8 characters. Default: one is made and shown at the terminal.",
    ),
  oauthClientHosts: list()
    .default(["chatgpt.com"])
    .describe("Hosts whose client metadata documents are fetched, and to which clients may be sent back."),
  oauthClients: list()
    .default([])
    .describe(
      "Clients that are known beforehand: `id=redirect address`; the same id again adds another address.",
    ),
  oauthClientSecret: secret(32)
    .optional()
    .describe(
      "Secret of the clients in `oauth_clients`; at least 32 characters. Without it they are public clients.",
    ),
  oauthRegistration: flag()
    .default(false)
    .describe(
      "Lets clients register themselves (RFC 7591), with redirect addresses on `oauth_client_hosts` only.",
    ),
  oauthRefreshGraceSeconds: integer(0, 300)
    .default(0)
    .describe(
      "How long a refresh token may be used again after its first use, in seconds; 0: a second use ends the sign-in.",
    ),
  authIssuer: issuer()
    .optional()
    .describe("An authorization server of your own, in place of the built-in one; needs `public_url`."),
  authAudience: text()
    .optional()
    .describe("What tokens of `auth_issuer` have to be made for. Default: `public_url` + `/mcp`."),
  authClients: list().default([]).describe("Client ids whose tokens of `auth_issuer` count. Default: all."),
  authSubjects: list()
    .default([])
    .describe("Subjects (`sub`) whose tokens of `auth_issuer` count. Default: all."),
  allowedHosts: list()
    .default([])
    .describe("Host names, besides loopback's, that requests may be addressed to (a tunnel's)."),
  tunnel: choice(["none", ...tunnelNames])
    .default("none")
    .describe(
      "How ChatGPT reaches this bridge: a tunnel that `serve` opens and keeps open (docs/tunnels.md).",
    ),
  tunnelId: text()
    .check("has to be tunnel_ and 32 lowercase letters and digits", (value) =>
      /^tunnel_[a-z0-9]{32}$/.test(value),
    )
    .optional()
    .describe("Id of the OpenAI tunnel. Default: what `CONTROL_PLANE_TUNNEL_ID` says."),
  tunnelClient: text()
    .default("tunnel-client")
    .describe("OpenAI's tunnel client: a path, or a name that is looked up on PATH."),
  ngrokDomain: hostName()
    .optional()
    .describe("The domain that you reserved at ngrok. Without one, ngrok gives an address at each start."),
  cloudflared: text()
    .default("cloudflared")
    .describe("The cloudflared command: a path, or a name that is looked up on PATH."),
  cloudflaredTunnel: text()
    .check("must not begin with a dash", (value) => /^[^-]/.test(value))
    .optional()
    .describe(
      "Name or id of a tunnel made with `cloudflared tunnel create`. With `TUNNEL_TOKEN` there is no need.",
    ),
  cloudflaredHostname: hostName().optional().describe("Host name that Cloudflare routes to that tunnel."),
  allowWrite: flag().default(false).describe("Lets callers use `workspace-write`."),
  defaultSandbox: choice(["read-only", "workspace-write"])
    .default("read-only")
    .describe("Sandbox of `codex_run` when the caller names none; `workspace-write` needs `allow_write`."),
  approvalPolicy: choice(["never", "on-request", "untrusted"])
    .default("never")
    .describe("Codex's approval policy. The bridge answers every request for approval with no."),
  fastReturnMs: integer(100, 25_000)
    .default(20_000)
    .describe("Longest that a tool call waits before it answers `running`, in milliseconds."),
  upstreamTimeoutMs: integer(1_000, 86_400_000)
    .default(1_800_000)
    .describe("Longest that a job may run, in milliseconds; callers can only shorten it."),
  modelSilenceMs: integer(1_000, 86_400_000)
    .default(600_000)
    .describe("Ends a turn when Codex says nothing for this long while no command runs, in milliseconds."),
  secrets: choice(["refuse", "mask", "off"])
    .default("refuse")
    .describe(
      "What to do with secret files in a project: start nothing, hide them from Codex, or do not look.",
    ),
  disableSecretScan: flag().default(false).describe("The same as `secrets = off`."),
  scanDeadlineMs: integer(100, 20_000)
    .default(5_000)
    .describe("Longest that the look for secrets may take, in milliseconds; then nothing is started."),
  codex: text().default("codex").describe("The Codex command: a path, or a name that is looked up on PATH."),
  backend: choice(["auto", "app-server", "mcp-server", "exec"])
    .default("auto")
    .describe("How Codex is driven; `mcp-server` needs Codex below 0.154, `exec` is not there yet."),
  network: flag().default(false).describe("Lets the commands that the model runs use the network."),
  mcpServers: list()
    .default([])
    .describe("Names of your Codex MCP servers that may start inside bridge threads."),
  models: list().default([]).describe("Models that a caller may ask for besides the default."),
  confinement: choice(["required", "best-effort"])
    .default("required")
    .describe("`required`: no thread starts whose confinement is not proven on this machine."),
  maxConcurrent: integer(1, 100).default(4).describe("Jobs that run at once."),
  queue: integer(0, 1_000)
    .default(16)
    .describe(
      "Jobs that may wait for a place; beyond that callers get `busy`. Callers take turns, and one without a job may wait although others have filled it, up to twice as many in all.",
    ),
  jobsPerHour: integer(0, 1_000_000)
    .default(0)
    .describe("Jobs that a caller may start within an hour; 0: as many as they like."),
  requestsPerMinute: integer(0, 1_000_000)
    .default(1_200)
    .describe("Requests that a caller may send within a minute; 0: as many as they like."),
  failedAuthPerMinute: integer(0, 1_000_000)
    .default(50)
    .describe("Wrong credentials within a minute from one address; 0: as many as they like."),
  maxConnections: integer(1, 65_535).default(2_048).describe("Open sockets."),
  stateDir: text()
    .optional()
    .describe("Where the bridge keeps its state. Default: `codex-gpt-bridge` in the XDG state home."),
  ephemeral: flag()
    .default(false)
    .describe("Keeps jobs and threads in memory only; they are forgotten when the bridge ends."),
  jobKeepDays: integer(1, 3_650).default(30).describe("How long finished jobs are kept, in days."),
  jobKeepCount: integer(1, 10_000_000).default(10_000).describe("How many finished jobs are kept."),
  jobKeepMb: integer(1, 1_000_000).default(512).describe("How much of finished jobs is kept, in MiB."),
  config: text()
    .optional()
    .describe("The config file. Default: `codex-gpt-bridge/config.toml` in the XDG config home."),
  auditPrompts: choice(["hash", "full"])
    .default("hash")
    .describe("What the audit log keeps of a prompt: hash and length, or the whole text."),
  auditKeepDays: integer(1, 3_650).default(30).describe("How long audit lines are kept, in days."),
  auditKeepMb: integer(1, 1_000_000).default(512).describe("How much audit log is kept, in MiB."),
  logLevel: choice(logLevels).default("info").describe("Least level that is logged."),
};

export type Settings = ValuesOf<typeof settings>;
export type SettingName = keyof Settings;

/** One table of `[[projects]]` in the config file. */
export const projectSettings = {
  name: text().optional(),
  path: text(),
  write: truth().optional(),
  secrets: choice(["refuse", "mask", "off"]).optional(),
  model: text().optional(),
  effort: text().optional(),
};
export type ProjectSetting = ValuesOf<typeof projectSettings>;

export const settingNames = Object.keys(settings) as SettingName[];
