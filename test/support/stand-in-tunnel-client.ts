/**
 * A stand-in for OpenAI's `tunnel-client`, as far as the bridge uses it: `--version`, `init`, `doctor --json`, and
 * `run`, which polls a control plane and forwards what it gets to an MCP server after the published wire. Reads its
 * settings as the original does (flags before environment before profile). STAND_IN_* are for tests.
 */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const { env } = process;
const jsonType = { "Content-Type": ["application/json"] };
const mode = env["STAND_IN_MODE"] ?? "";
const say = (level: string, msg: string, fields: object = {}): void =>
  void process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), level, msg, ...fields })}\n`);

// Nobody may be there any more to read it: the worst leftover is one that does not die of that.
process.stdout.on("error", () => {});

const { values: flags, positionals } = parseArgs({
  strict: false,
  allowPositionals: true,
  options: Object.fromEntries(
    ["sample", "profile", "profile-dir", "tunnel-id", "mcp-server-url", "health-listen-addr"].map((name) => [
      name,
      { type: "string" as const },
    ]),
  ),
});
const flag = (name: string): string => (typeof flags[name] === "string" ? flags[name] : "");

if (env["STAND_IN_RECORD"] !== undefined) {
  const record = { argv: process.argv.slice(2), env };
  await writeFile(env["STAND_IN_RECORD"], `${JSON.stringify(record)}\n`, { flag: "a" });
}
if (flags["version"] === true) {
  process.stdout.write(`${env["STAND_IN_VERSION"] ?? "0.0.14 (git sha: stand-in)"}\n`);
} else {
  const commands: Record<string, () => Promise<void>> = { init, doctor, run };
  await commands[positionals[0] ?? ""]?.();
}

function profilePath(): string {
  const directory = flag("profile-dir") || env["TUNNEL_CLIENT_PROFILE_DIR"] || "";
  return join(directory, `${flag("profile")}.yaml`);
}

async function init(): Promise<void> {
  if (!/^tunnel_[a-z0-9]{32}$/.test(flag("tunnel-id"))) return refuse("tunnel ID is required");
  if (flag("sample") !== "sample_mcp_remote_no_auth") return refuse(`unknown sample ${flag("sample")}`);
  if (mode === "no-init") return refuse("mcp-server-url is not a URL");
  await mkdir(join(profilePath(), ".."), { recursive: true });
  const lines = [
    "config_version: 1",
    "control_plane:",
    '  base_url: "https://api.openai.com"',
    `  tunnel_id: ${JSON.stringify(flag("tunnel-id"))}`,
    '  api_key: "env:CONTROL_PLANE_API_KEY"',
    "health:",
    `  listen_addr: ${JSON.stringify(flag("health-listen-addr"))}`,
    "mcp:",
    "  server_urls:",
    "    - channel: main",
    `      url: ${JSON.stringify(flag("mcp-server-url"))}`,
  ];
  await writeFile(profilePath(), `${lines.join("\n")}\n`);
  process.stdout.write(`Created profile ${flag("profile")} at ${profilePath()}\n`);
}

interface Settings {
  readonly tunnelId: string;
  readonly apiKey: string;
  readonly baseUrl: string;
  readonly mcpUrl: string;
  readonly healthAddress: string;
}

async function settings(): Promise<Settings> {
  const profile = await readFile(profilePath(), "utf8");
  const value = (key: string): string => new RegExp(`^\\s*${key}: "(.*)"$`, "m").exec(profile)?.[1] ?? "";
  return {
    tunnelId: env["CONTROL_PLANE_TUNNEL_ID"] ?? value("tunnel_id"),
    apiKey: env["CONTROL_PLANE_API_KEY"] ?? env["OPENAI_API_KEY"] ?? "",
    baseUrl: env["CONTROL_PLANE_BASE_URL"] ?? value("base_url"),
    mcpUrl: env["MCP_SERVER_URL"] ?? value("url"),
    healthAddress: env["HEALTH_LISTEN_ADDR"] ?? value("listen_addr"),
  };
}

async function doctor(): Promise<void> {
  const { tunnelId, apiKey, mcpUrl } = await settings();
  const metadata = new URL("/.well-known/oauth-protected-resource/mcp", mcpUrl).href;
  const reached = await statusOf(mcpUrl);
  const described = await statusOf(metadata);
  const key = apiKey !== "" && mode !== "doctor-no-key";
  const checks = [
    check("config_source", true, `profile: ${flag("profile")}`),
    check("profile_load", true, profilePath()),
    check("tunnel_id", true, tunnelId),
    check(
      "control_plane_api_key",
      key,
      key ? "env:CONTROL_PLANE_API_KEY" : "control plane API key is required",
    ),
    check("mcp_target", true, mcpUrl),
    check("mcp_server_reachable", reached !== null, `HTTP ${reached} from ${mcpUrl}`),
    check("oauth_metadata", described === 200, `HTTP ${described} from ${metadata}`),
    check("health_listener", true, "ephemeral bind ok"),
    { id: "codex_plugin", status: "SKIP", summary: "Codex not detected locally" },
  ];
  const failed = checks.filter(({ status }) => status === "FAIL").map(({ id }) => id);
  const report = { result: failed.length === 0 ? "ok" : "fail", failed_checks: failed, checks };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  process.exitCode = failed.length === 0 ? 0 : 2;
}

function check(
  id: string,
  passed: boolean,
  summary: string,
): { id: string; status: string; summary: string } {
  return { id, status: passed ? "PASS" : "FAIL", summary, ...(passed ? {} : { next: [`look at ${id}`] }) };
}

async function statusOf(url: string): Promise<number | null> {
  return fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    ({ status }) => status,
    () => null,
  );
}

interface Command {
  readonly request_id: string;
  readonly shard_token: string;
  readonly command_type: string;
  readonly channel?: string;
  readonly response_timeout?: string;
  readonly headers?: Record<string, string[]>;
  readonly jsonrpc?: { id?: unknown };
}

async function run(): Promise<void> {
  const { tunnelId, apiKey, baseUrl, mcpUrl, healthAddress } = await settings();
  if (apiKey === "") return refuse("control plane API key is required");
  if (mode === "die-at-start") {
    say("ERROR", "control plane rejected the key", { error: "status 401" });
    process.exit(1);
  }
  const health = { ready: false, reason: "mcp probe pending" };
  const healthServer = createServer((incoming, outgoing) => {
    if (mode === "deaf" && health.ready) return; // lives, and answers nobody any more
    if (incoming.url === "/healthz") outgoing.end("live");
    else if (incoming.url === "/readyz") {
      outgoing.writeHead(health.ready ? 200 : 503).end(health.ready ? "ready" : health.reason);
      if (mode === "deaf" && health.ready) say("INFO", "deaf from now on");
    } else outgoing.writeHead(404).end();
  });
  const [host = "127.0.0.1", port = "0"] = healthAddress.split(/:(?=\d+$)/);
  await new Promise<void>((resolve) => {
    healthServer.listen(Number(port), host, resolve);
  });
  const healthUrl = `http://127.0.0.1:${(healthServer.address() as AddressInfo).port}`;
  if (env["HEALTH_URL_FILE"] !== undefined) await writeFile(env["HEALTH_URL_FILE"], `${healthUrl}\n`);
  process.on("SIGTERM", () => {
    if (mode === "ignores-term") say("WARN", "SIGTERM is not heard here");
    else process.exit(0);
  });

  const tunnelUrl = `${baseUrl}/v1/tunnels/${tunnelId}`;
  const clientHeaders = {
    authorization: `Bearer ${apiKey}`,
    "x-tunnel-client-name": "stand-in",
    "x-tunnel-client-version": "0.0.14",
    "x-tunnel-client-instance-id": randomUUID(),
  };
  const places = Number(env["MCP_MAX_CONCURRENT_REQUESTS"] ?? 10);
  const buffer = Number(env["CONTROL_PLANE_MAX_INFLIGHT_REQUESTS"] ?? 20);
  const buffered: { command: Command; deadline: number }[] = [];
  let active = 0;

  await probe();
  say("INFO", "tunnel-client started", { tunnel_id: tunnelId });
  for (let pauseMs = 100; ;) {
    if (buffered.length >= buffer) {
      await sleep(20);
      continue;
    }
    try {
      const limit = Math.min(buffer - buffered.length, 25);
      const polled = await fetch(`${tunnelUrl}/poll?limit=${limit}&timeout_ms=15000`, {
        headers: clientHeaders,
      });
      const receivedAt = performance.now();
      if (polled.status === 200) {
        const { commands } = (await polled.json()) as { commands: Command[] };
        for (const command of commands) buffered.push({ command, deadline: receivedAt + timeoutOf(command) });
        work();
      } else if (polled.status !== 204) throw new Error(`poll answers ${polled.status}`);
      pauseMs = 100;
    } catch (error) {
      say("WARN", "poll failed", { error: String(error) });
      await sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, 2_000);
    }
  }

  /** One initialize, as the original's startup probe. */
  async function probe(): Promise<void> {
    const clientInfo = { name: "tunnel-client", version: "0.0.14" };
    const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo };
    const answer = await fetch(mcpUrl, {
      method: "POST",
      headers: { ...mcpHeaders({}), ...staticHeaders(env["MCP_DISCOVERY_EXTRA_HEADERS"]) },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }),
    }).catch((error: unknown) => error);
    if (mode === "never-ready") health.reason = "mcp probe failed: as the test wants it";
    else health.ready = answer instanceof Response && answer.status === 200;
    if (answer instanceof Response && !health.ready && mode === "")
      health.reason = `mcp probe: ${answer.status}`;
  }

  function work(): void {
    while (active < places) {
      const next = buffered.shift();
      if (next === undefined) return;
      active += 1;
      void serve(next.command, next.deadline).finally(() => {
        active -= 1;
        work();
      });
    }
  }

  async function serve(command: Command, deadline: number): Promise<void> {
    const leftMs = deadline - performance.now();
    if (leftMs <= 0 || command.command_type !== "jsonrpc") return;
    const signal =
      leftMs > 86_400_000 ? new AbortController().signal : AbortSignal.timeout(Math.ceil(leftMs));
    try {
      await forward(command, signal);
    } catch (error) {
      if (signal.aborted) return; // its deadline has passed: nothing is answered
      say("ERROR", "mcp request failed", { error: String(error) });
      const failure = { version: 1, source: "connect", upstream_response_received: false };
      const rpcError = { code: -32603, message: "Bad Gateway", data: { tunnel_failure: failure } };
      const body = { jsonrpc: "2.0", id: command.jsonrpc?.id ?? null, error: rpcError };
      const answer = {
        resp_json: body,
        resp_headers: jsonType,
        resp_code: 502,
        resp_type: "jsonrpc_response",
      };
      await post(command, answer, signal);
    }
  }

  async function forward(command: Command, signal: AbortSignal): Promise<void> {
    const answer = await fetch(mcpUrl, {
      method: "POST",
      headers: mcpHeaders(command.headers ?? {}),
      body: JSON.stringify(command.jsonrpc),
      signal,
    });
    const text = await answer.text();
    const headers = allowed(answer.headers);
    const isStream = answer.headers.get("content-type")?.startsWith("text/event-stream") === true;
    const messages: { id?: unknown }[] = isStream ? eventsOf(text) : text === "" ? [] : [JSON.parse(text)];
    const last = messages.pop();
    for (const message of messages) {
      await post(
        command,
        { resp_json: message, resp_headers: headers, resp_code: 200, resp_type: "jsonrpc_notify" },
        signal,
      );
    }
    const common = { resp_headers: headers, resp_code: answer.status };
    if (last === undefined) await post(command, { ...common, resp_type: "notify_ack" }, signal);
    else await post(command, { ...common, resp_json: last, resp_type: "jsonrpc_response" }, signal);
  }

  async function post(command: Command, body: object, signal: AbortSignal): Promise<void> {
    for (let pauseMs = 100; !signal.aborted; pauseMs = Math.min(pauseMs * 2, 2_000)) {
      const sent = await fetch(`${tunnelUrl}/response`, {
        method: "POST",
        headers: {
          ...clientHeaders,
          "content-type": "application/json",
          "x-tunnel-shard-token": command.shard_token,
        },
        body: JSON.stringify({ request_id: command.request_id, channel: command.channel ?? "main", ...body }),
        signal,
      }).catch(() => null);
      if (sent !== null && ![408, 429, 502, 503, 504].includes(sent.status)) return;
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
  }
}

/** The connector's headers are applied last. */
function mcpHeaders(fromConnector: Record<string, string[]>): Record<string, string> {
  const connector = Object.entries(fromConnector).map(([name, values]) => [
    name.toLowerCase(),
    values.join(", "),
  ]);
  return {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    ...staticHeaders(env["MCP_EXTRA_HEADERS"]),
    ...Object.fromEntries(connector),
  };
}

function staticHeaders(text = ""): Record<string, string> {
  const pairs = text.split(", ").map((pair) => pair.split(": "));
  return Object.fromEntries(
    pairs
      .filter(([name]) => name !== "")
      .map(([name = "", value = ""]) => [
        name.toLowerCase(),
        value.startsWith("env:") ? (env[value.slice(4)] ?? "") : value,
      ]),
  );
}

function allowed(headers: Headers): Record<string, string[]> {
  const names = [
    "Content-Type",
    "Mcp-Session-Id",
    "Mcp-Protocol-Version",
    "Last-Event-ID",
    "Access-Control-Expose-Headers",
    "WWW-Authenticate",
  ];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers.get(name);
      return value === null || value === "" ? [] : [[name, [value]]];
    }),
  );
}

function eventsOf(text: string): { id?: unknown }[] {
  return text
    .split(/\r?\n\r?\n/)
    .map((event) =>
      event
        .split(/\r?\n/)
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).trim())
        .join("\n"),
    )
    .filter((data) => data !== "")
    .map((data) => JSON.parse(data) as { id?: unknown });
}

function timeoutOf({ response_timeout: timeout }: Command): number {
  const [, amount, unit] = /^(\d+)(ns|us|ms|s|m|h)$/.exec(timeout ?? "") ?? [];
  const scale = { ns: 1e-6, us: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit ?? ""];
  return amount === undefined || scale === undefined ? Infinity : Number(amount) * scale;
}

function refuse(problem: string): void {
  process.stderr.write(`${problem}\n`);
  process.exitCode = 1;
}
