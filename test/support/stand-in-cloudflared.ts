/**
 * A stand-in for Cloudflare's `cloudflared`, as far as the bridge uses it: `tunnel ... --url` (quick), `tunnel ... run
 * --url <url> <name>` and `tunnel ... run` with TUNNEL_TOKEN. Writes to stderr what the original writes, answers
 * `/ready`, and has an edge on loopback that passes requests on under the public host. STAND_IN_* are for tests.
 */
import { writeFile } from "node:fs/promises";
import { createServer, request, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";

const { env } = process;
const mode = env["STAND_IN_MODE"] ?? "";
const say = (level: string, text: string): void =>
  void process.stderr.write(`${new Date().toISOString().slice(0, 19)}Z ${level} ${text}\n`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "no-autoupdate": { type: "boolean" },
    metrics: { type: "string" },
    config: { type: "string" },
    url: { type: "string" },
  },
});
if (env["STAND_IN_RECORD"] !== undefined) {
  const record = { argv: process.argv.slice(2), env };
  await writeFile(env["STAND_IN_RECORD"], `${JSON.stringify(record)}\n`, { flag: "a" });
}

const isQuick = !positionals.includes("run");
if (mode === "refused") {
  say(
    "ERR",
    'Error requesting new quick Tunnel error="429 Too Many Requests from https://api.trycloudflare.com"',
  );
  process.exit(1);
}
if (!isQuick && positionals.length < 3 && (env["TUNNEL_TOKEN"] ?? "") === "") {
  say("ERR", '"cloudflared tunnel run" requires the ID or name of the tunnel to run');
  process.exit(1);
}
const host = isQuick ? `stand-in-${process.pid}.trycloudflare.com` : (env["STAND_IN_HOST"] ?? "");
const origin = values.url ?? env["STAND_IN_ORIGIN"] ?? "";

const state = { connected: false };
const metrics = await listen((incoming, outgoing) => {
  if (incoming.url !== "/ready") outgoing.writeHead(404).end();
  else {
    const readyConnections = state.connected ? 1 : 0;
    outgoing.writeHead(state.connected ? 200 : 503);
    outgoing.end(JSON.stringify({ status: state.connected ? 200 : 503, readyConnections }));
  }
});
say("INF", "Thank you for trying Cloudflare Tunnel. See https://developers.cloudflare.com/cloudflare-one/");
if (isQuick) {
  say("INF", "Requesting new quick Tunnel on trycloudflare.com...");
  const lines = [
    "Your quick Tunnel has been created! Visit it at (it may take some time to be reachable):",
    `https://${host}`,
  ];
  const width = Math.max(...lines.map(({ length }) => length));
  const border = `+${"-".repeat(width + 4)}+`;
  for (const line of [border, ...lines.map((text) => `|  ${text.padEnd(width)}  |`), border])
    say("INF", line);
}
say("INF", `Starting metrics server on 127.0.0.1:${metrics}/metrics`);

/** What Cloudflare does with a request for the public host. */
const edge = await listen((incoming, outgoing) => {
  const { method, headers, url } = incoming;
  const passed = request(`${origin}${url ?? "/"}`, { method, headers: { ...headers, host } }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  });
  passed.on("error", () => outgoing.writeHead(502).end());
  incoming.pipe(passed);
});
if (env["STAND_IN_EDGE"] !== undefined) await writeFile(env["STAND_IN_EDGE"], `http://127.0.0.1:${edge}\n`);
state.connected = true;
say("INF", "Registered tunnel connection connIndex=0 event=0 ip=198.41.200.13 location=test protocol=quic");
process.on("SIGTERM", () => {
  say("INF", "Initiating graceful shutdown due to signal terminated ...");
  process.exit(0);
});

async function listen(onRequest: RequestListener): Promise<number> {
  const server = createServer(onRequest);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return (server.address() as AddressInfo).port;
}
