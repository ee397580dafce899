/**
 * How much of a bare Hono + SDK server's speed is left behind the HTTP room: one trivial tool, both eras, at 1, 16 and
 * 64 connections, interleaved in one run. Prints the ratios and exits 1 when one is below the target.
 *
 *   node test/bench/http.ts [--seconds 0.4] [--rounds 15] [--noise]
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Agent, request, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { serve } from "@hono/node-server";
import { createMcpHandler, Server, type McpRequestContext } from "@modelcontextprotocol/server";
import { Hono } from "hono";
import { createChallenges } from "../../src/auth/challenge.ts";
import { createAuthenticate } from "../../src/auth/bearer.ts";
import { createApp } from "../../src/http/app.ts";
import { listen } from "../../src/http/listen.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";

const token = "bench-token-bench-token-bench-token-";
const target = 0.7;
const tools = [{ name: "status", inputSchema: { type: "object" as const } }];
const serverOptions = { capabilities: { tools: {} } };

/** The same low-level server for both: the ratio is of what stands in front of it. */
function mcpServer(_ctx: McpRequestContext): Server {
  const server = new Server({ name: "bench", version: "0.0.0" }, serverOptions);
  server.setRequestHandler("tools/list", () => ({ tools }));
  server.setRequestHandler("tools/call", () => ({ content: [{ type: "text", text: "fine" }] }));
  return server;
}

const servers: Record<string, () => Promise<number>> = {
  bare: () =>
    new Promise((resolve) => {
      const handler = createMcpHandler(mcpServer);
      const app = new Hono();
      app.all("/mcp", (c) => handler.fetch(c.req.raw));
      app.get("/healthz", (c) => c.json({ ok: true }));
      serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => {
        resolve(port);
      });
    }),
  bridge: async () => {
    const { app } = createApp({
      version: "0.0.0",
      allowedHosts: [],
      challenges: createChallenges(null),
      authenticate: createAuthenticate({ token, noAuth: false, headerSecret: null }),
      mcpServer,
      readiness: () => ({ ok: true }),
      metrics: null,
      restoreHeaders: true,
      clock: systemClock,
      log: silentLog,
      onArrival: () => {},
    });
    const listening = await listen({
      app,
      host: "127.0.0.1",
      port: 0,
      maxConnections: 2048,
      clock: systemClock,
      log: silentLog,
    });
    if (!listening.ok) throw new Error(listening.failure.code);
    return listening.value.port;
  },
};

interface Shape {
  readonly headers: Record<string, string>;
  readonly body: string;
}

const call = (params: object): string =>
  JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { name: "status", arguments: {}, ...params },
  });

const common = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  authorization: `Bearer ${token}`,
};

const eras: Record<string, Shape> = {
  "2025": { headers: { ...common, "mcp-protocol-version": "2025-11-25" }, body: call({}) },
  "2026": {
    headers: {
      ...common,
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "status",
    },
    body: call({
      _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { name: "bench", version: "0" },
        "io.modelcontextprotocol/clientCapabilities": {},
      },
    }),
  },
};

/** Answers per second over `connections` kept-alive sockets, each sending its next call when the last is answered. */
async function measure(port: number, shape: Shape, connections: number, seconds: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const headers = { ...shape.headers, "content-length": Buffer.byteLength(shape.body) };
  const end = performance.now() + seconds * 1000;
  let answered = 0;
  const ask = async (): Promise<void> => {
    const outgoing = request({ agent, port, host: "127.0.0.1", path: "/mcp", method: "POST", headers });
    outgoing.end(shape.body);
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    response.resume();
    await once(response, "end");
    if (response.statusCode !== 200) throw new Error(`answered ${String(response.statusCode)}`);
    answered += 1;
  };
  const worker = async (): Promise<void> => {
    while (performance.now() < end) await ask();
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: connections }, worker));
  agent.destroy();
  return answered / ((performance.now() - began) / 1000);
}

/** Strangers on the same socket while the caller works: wrong tokens, garbage, half-open connections. */
function makeNoise(port: number): () => void {
  const timer = setInterval(() => {
    for (const line of [
      "GARBAGE\r\n\r\n",
      "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
      "GET / HT",
    ]) {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => {});
      socket.end(line);
    }
  }, 5);
  return () => {
    clearInterval(timer);
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function option(name: string, fallback: number): number {
  const index = process.argv.indexOf(`--${name}`);
  return index === -1 ? fallback : Number(process.argv[index + 1]);
}

function start(name: string): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(import.meta.filename, ["--serve", name]);
  return new Promise((resolve, reject) => {
    child.once("message", (port) => {
      resolve({ child, port: Number(port) });
    });
    child.once("exit", (code) => {
      reject(new Error(`${name} ended with ${String(code)}`));
    });
  });
}

async function main(): Promise<void> {
  const seconds = option("seconds", 0.4);
  const rounds = option("rounds", 15);
  const bare = await start("bare");
  const bridge = await start("bridge");
  const stopNoise = process.argv.includes("--noise") ? makeNoise(bridge.port) : () => {};
  let worst = Infinity;
  try {
    for (const shape of Object.values(eras)) {
      for (const { port } of [bare, bridge]) await measure(port, shape, 16, 1);
    }
    console.log("era   connections   bare/s   bridge/s   ratio");
    for (const [era, shape] of Object.entries(eras)) {
      for (const connections of [1, 16, 64]) {
        const rates = { bare: [] as number[], bridge: [] as number[] };
        for (let round = 0; round < rounds; round += 1) {
          rates.bare.push(await measure(bare.port, shape, connections, seconds));
          rates.bridge.push(await measure(bridge.port, shape, connections, seconds));
        }
        const [bareRate, bridgeRate] = [median(rates.bare), median(rates.bridge)];
        // Of neighbours in time, so that other work on the machine slows both.
        const ratio = median(rates.bridge.map((rate, round) => rate / (rates.bare[round] ?? NaN)));
        worst = Math.min(worst, ratio);
        const row = [
          era,
          String(connections).padStart(8),
          bareRate.toFixed(0).padStart(13),
          bridgeRate.toFixed(0).padStart(10),
        ];
        console.log(`${row.join(" ")} ${ratio.toFixed(2).padStart(9)}`);
      }
    }
  } finally {
    stopNoise();
    bare.child.kill();
    bridge.child.kill();
  }
  console.log(`worst ratio ${worst.toFixed(2)}, target ${String(target)}`);
  if (worst < target) process.exitCode = 1;
}

const serveIndex = process.argv.indexOf("--serve");
const serveName = process.argv[serveIndex + 1] ?? "";
if (serveIndex === -1) await main();
else process.send?.(await servers[serveName]?.());
