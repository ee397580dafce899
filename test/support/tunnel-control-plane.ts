/**
 * A stand-in for OpenAI's tunnel service on loopback, after the published wire (github.com/openai/tunnel-client,
 * docs/protocol.md): poll, commands with deadlines and shard tokens, responses with a list of allowed headers. On the
 * other side it is what a connector of ChatGPT posts to. What breaks the protocol is kept in `violations`.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";

export const tunnelId = `tunnel_${"0123456789abcdef".repeat(2)}`;
export const controlPlaneKey = "sk-control-plane-key-for-tests-0123456789";

export type Outcome =
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly headers: Readonly<Record<string, readonly string[]>>;
      readonly body: unknown;
      readonly notifications: readonly unknown[];
    }
  /** Nobody answered in time; the connector is told so. */
  | { readonly kind: "expired" };

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export interface ControlPlane {
  /** For CONTROL_PLANE_BASE_URL. */
  readonly url: string;
  /** What a connector posts MCP messages to. */
  readonly connectorUrl: string;
  readonly violations: readonly string[];
  /** Each call that was taken in ends in exactly one of these. */
  counts(): { taken: number; answered: number; expired: number; open: number };
  /** Answers that came after their deadline, or twice. */
  lateAnswers(): number;
  polls(): number;
  call(message: unknown, options?: CallOptions): Promise<Outcome>;
  /** Cuts everything, as a crash of the service would; queue and calls are kept. */
  goAway(): Promise<void>;
  /** On the same port. */
  comeBack(): Promise<void>;
  close(): Promise<void>;
}

interface Command {
  readonly requestId: string;
  readonly shardToken: string;
  readonly message: unknown;
  readonly headers: Readonly<Record<string, string>>;
  readonly deadline: number;
  readonly notifications: unknown[];
  readonly settle: (outcome: Outcome) => void;
}

const MAX_COMMANDS = 25;
const LONGEST_POLL_MS = 2_000;
const USUAL_TIMEOUT_MS = 30_000;
const RESPONSE_HEADERS = new Set([
  "content-type",
  "mcp-session-id",
  "mcp-protocol-version",
  "last-event-id",
  "access-control-expose-headers",
  "www-authenticate",
]);
/** What the connector's own HTTP is made of; the rest goes along. */
const HOP_HEADERS = new Set(["host", "connection", "content-length", "transfer-encoding", "accept-encoding"]);

const responseBody = z.strictObject({
  request_id: z.string(),
  channel: z.literal("main").optional(),
  resp_json: z.unknown().optional(),
  resp_headers: z.record(z.string(), z.array(z.string())).optional(),
  resp_code: z.number().int(),
  resp_type: z
    .enum(["jsonrpc_response", "jsonrpc_notify", "notify_ack", "session_termination_response"])
    .default("jsonrpc_response"),
});

export async function startControlPlane(): Promise<ControlPlane> {
  const queue: Command[] = [];
  const pending = new Map<string, Command>();
  const waiting = new Set<() => void>();
  const violations: string[] = [];
  const counts = { taken: 0, answered: 0, expired: 0 };
  let lateAnswers = 0;
  let polls = 0;
  let server = await listenOn(0);
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;

  async function listenOn(wanted: number): Promise<Server> {
    const made = createServer((incoming, outgoing) => {
      route(incoming, outgoing).catch((error: unknown) => {
        violations.push(`unreadable request: ${String(error)}`);
        outgoing.destroy();
      });
    });
    made.listen(wanted, "127.0.0.1");
    await once(made, "listening");
    return made;
  }

  async function call(message: unknown, options: CallOptions = {}): Promise<Outcome> {
    const { headers = {}, timeoutMs = USUAL_TIMEOUT_MS } = options;
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const requestId = randomUUID();
    counts.taken += 1;
    const late = setTimeout(() => {
      settle({ kind: "expired" });
    }, timeoutMs);
    function settle(outcome: Outcome): void {
      if (!pending.delete(requestId)) return;
      clearTimeout(late);
      counts[outcome.kind] += 1;
      resolve(outcome);
    }
    const command: Command = {
      requestId,
      shardToken: randomBytes(12).toString("hex"),
      message,
      headers,
      deadline: performance.now() + timeoutMs,
      notifications: [],
      settle,
    };
    pending.set(requestId, command);
    queue.push(command);
    for (const wake of waiting) wake();
    return promise;
  }

  async function route(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(incoming.url ?? "/", url);
    if (pathname === `/v1/mcp/${tunnelId}`) return connector(incoming, outgoing);
    if (incoming.headers.authorization !== `Bearer ${controlPlaneKey}`) {
      violations.push(`${pathname} without the key`);
      return send(outgoing, 401, { error: "unauthorized" });
    }
    if (pathname === `/v1/tunnels/${tunnelId}`)
      return send(outgoing, 200, { id: tunnelId, name: "stand-in" });
    if (pathname === `/v1/tunnels/${tunnelId}/poll`) return poll(searchParams, outgoing);
    if (pathname === `/v1/tunnels/${tunnelId}/response` && incoming.method === "POST") {
      return response(incoming, outgoing);
    }
    violations.push(`${incoming.method} ${pathname} is no part of the protocol`);
    send(outgoing, 404, { error: "not_found" });
  }

  async function poll(search: URLSearchParams, outgoing: ServerResponse): Promise<void> {
    polls += 1;
    const limit = Number(search.get("limit") ?? MAX_COMMANDS);
    if (!(limit >= 1 && limit <= MAX_COMMANDS)) violations.push(`poll with limit ${limit}`);
    const waitMs = Math.min(Number(search.get("timeout_ms") ?? LONGEST_POLL_MS), LONGEST_POLL_MS);
    const ended = once(outgoing, "close");
    if (queue.length === 0) await somethingComes(waitMs, ended);
    if (outgoing.destroyed) return;
    const given = queue
      .splice(0, Math.min(limit, MAX_COMMANDS))
      .filter(({ requestId }) => pending.has(requestId));
    if (given.length === 0) {
      outgoing.writeHead(204).end();
      return;
    }
    // A client that went away while it polled has not got them.
    outgoing.once("close", () => {
      if (!outgoing.writableFinished) queue.unshift(...given);
    });
    send(outgoing, 200, { commands: given.map(toWire) });
  }

  async function somethingComes(waitMs: number, ended: Promise<unknown>): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(goOn, waitMs);
      waiting.add(goOn);
      void ended.then(goOn);
      function goOn(): void {
        clearTimeout(timer);
        waiting.delete(goOn);
        resolve();
      }
    });
  }

  async function response(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const parsed = responseBody.safeParse(await readJson(incoming));
    if (!parsed.success) {
      violations.push(`response: ${parsed.error.message}`);
      return send(outgoing, 400, { error: "invalid" });
    }
    const { request_id: requestId, resp_headers: headers = {}, resp_type: type } = parsed.data;
    const command = pending.get(requestId);
    if (command === undefined) {
      lateAnswers += 1;
      return send(outgoing, 404, { error: "not_pending" });
    }
    if (incoming.headers["x-tunnel-shard-token"] !== command.shardToken) {
      violations.push("response with another command's shard token");
      return send(outgoing, 400, { error: "shard" });
    }
    for (const name of Object.keys(headers)) {
      if (!RESPONSE_HEADERS.has(name.toLowerCase())) violations.push(`response header ${name}`);
    }
    if (type === "jsonrpc_notify") command.notifications.push(parsed.data.resp_json);
    else {
      const { resp_code: status, resp_json: body } = parsed.data;
      command.settle({ kind: "answered", status, headers, body, notifications: command.notifications });
    }
    send(outgoing, 200, { status: "ok" });
  }

  async function connector(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    if (incoming.method !== "POST") return send(outgoing, 405, { error: "POST only" });
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(incoming.headers)) {
      if (typeof value === "string" && !HOP_HEADERS.has(name)) headers[name] = value;
    }
    const outcome = await call(await readJson(incoming), { headers });
    if (outcome.kind === "expired") return send(outgoing, 504, { error: "no response in time" });
    for (const [name, values] of Object.entries(outcome.headers)) {
      if (name.toLowerCase() !== "content-type") outgoing.setHeader(name, [...values]);
    }
    if (outcome.body === undefined) outgoing.writeHead(outcome.status).end();
    else send(outgoing, outcome.status, outcome.body);
  }

  async function goAway(): Promise<void> {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  return {
    url,
    connectorUrl: `${url}/v1/mcp/${tunnelId}`,
    violations,
    counts: () => ({ ...counts, open: pending.size }),
    lateAnswers: () => lateAnswers,
    polls: () => polls,
    call,
    goAway,
    async comeBack() {
      server = await listenOn(port);
    },
    async close() {
      for (const command of pending.values()) command.settle({ kind: "expired" });
      if (server.listening) await goAway();
    },
  };
}

function toWire({ requestId, shardToken, message, headers, deadline }: Command): unknown {
  return {
    request_id: requestId,
    shard_token: shardToken,
    command_type: "jsonrpc",
    channel: "main",
    created_at: new Date().toISOString(),
    response_timeout: `${Math.max(0, Math.floor(deadline - performance.now()))}ms`,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    jsonrpc: message,
    a_field_of_the_future: true,
  };
}

async function readJson(incoming: IncomingMessage): Promise<unknown> {
  let text = "";
  incoming.setEncoding("utf8");
  for await (const chunk of incoming) text += String(chunk);
  return JSON.parse(text);
}

function send(outgoing: ServerResponse, status: number, body: unknown): void {
  outgoing.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
