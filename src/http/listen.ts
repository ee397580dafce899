/**
 * The socket under the app: limits in time and number, and JSON answers to what is not HTTP enough to reach a route.
 * Never routes, authenticates or reads a body.
 */
import { createServer, STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener, RequestError } from "@hono/node-server";
import { nanoid } from "nanoid";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { createRefusalLane } from "./refusal-lane.ts";
import { jsonHeaders } from "./refusal.ts";

export interface ListenOptions {
  readonly app: { fetch(request: Request, env: object): Response | Promise<Response> };
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Open sockets; one more is closed at once. */
  readonly maxConnections: number;
  readonly clock: Clock;
  readonly log: Log;
  /** For tests; what is left out keeps its default. */
  readonly limits?: Partial<ReceiveLimits>;
}

/** How long a request may take to arrive, in ms, and how long nobody may take up its answer. How long the answer takes to be made is nobody's business here. */
export interface ReceiveLimits {
  readonly headersTimeout: number;
  readonly requestTimeout: number;
  readonly connectionsCheckingInterval: number;
  /** Above the 60 s after which proxies usually drop an idle connection, so that it is theirs to close. */
  readonly keepAliveTimeout: number;
  /** A socket is cut when it has taken nothing of its answer for this long. */
  readonly takeTimeout: number;
}

const defaultLimits: ReceiveLimits = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 2_000,
  keepAliveTimeout: 65_000,
  takeTimeout: 30_000,
};

/** Requests of one connection that wait for their answers. Hardly any client sends a second one before the first is answered. */
const MOST_AT_ONCE = 16;

export interface Listening {
  readonly url: string;
  readonly port: number;
  /** Takes no new connection, lets running answers finish for `graceMs`, then cuts what is left. */
  close(graceMs: number): Promise<void>;
}

export type ListenFailure = { code: "address_in_use" | "address_not_available" | "port_not_permitted" };

/** Throws only for what is not about the address. */
export async function listen(options: ListenOptions): Promise<Result<Listening, ListenFailure>> {
  const { app, host, clock, log } = options;
  const refusals = createRefusalLane(clock);
  const answering = new WeakMap<Duplex, ServerResponse>();
  const waiting = new WeakMap<Duplex, number>();
  const serve = getRequestListener((request, env) => app.fetch(request, env), {
    hostname: "localhost",
    errorHandler: (error) => {
      const requestId = nanoid();
      const status = error instanceof RequestError ? 400 : 500;
      log[status === 400 ? "warn" : "error"]({ requestId, err: error }, "request not answerable");
      return new Response(bodyOf(status, requestId), { status, headers: headersOf(requestId) });
    },
  });
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const { socket } = incoming;
    const unanswered = (waiting.get(socket) ?? 0) + 1;
    // Node hears any number of them at once, before the first is answered.
    if (unanswered > MOST_AT_ONCE) {
      socket.destroy();
      return;
    }
    waiting.set(socket, unanswered);
    outgoing.once("close", () => {
      waiting.set(socket, (waiting.get(socket) ?? 1) - 1);
    });
    answering.set(socket, outgoing);
    // The URL is built with the name above, whatever the Host: the app judges the header as it was sent.
    incoming.headers.host = "";
    void serve(incoming, outgoing);
  };

  const { takeTimeout, ...limits } = { ...defaultLimits, ...options.limits };
  const server = createServer({ ...limits, requireHostHeader: false }, onRequest);
  server.maxConnections = options.maxConnections;
  // Nothing has moved on this socket for that long, in either direction.
  server.setTimeout(takeTimeout, (socket) => {
    const answer = answering.get(socket);
    const isBeingMade = answer?.writableFinished === false && socket.writableLength === 0;
    if (!isBeingMade) socket.destroy();
  });
  // The app itself says `100 Continue`, once it wants the body.
  server.on("checkContinue", onRequest);
  server.on("checkExpectation", (incoming) => {
    void refuseRaw(incoming.socket, 417, "unknown expectation");
  });
  server.on("connect", (_incoming, socket) => {
    void refuseRaw(socket, 405, "CONNECT");
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const answer = answering.get(socket);
    // What comes after a complete request is not that request's fault, nor may it take the place of its answer.
    const isAnswering =
      answer !== undefined && !answer.writableFinished && (answer.headersSent || answer.req.complete);
    if (isAnswering || !socket.writable || error.code === "ECONNRESET") socket.destroy(error);
    else void refuseRaw(socket, statusOf(error), error.code ?? "unknown");
  });

  const failure = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    server.once("error", resolve);
    server.listen(options.port, host, () => {
      server.off("error", resolve);
      resolve(null);
    });
  });
  if (failure !== null) return fail({ code: failureCode(failure) });
  // Without a listener, a failing accept (too many open files) would end the process.
  server.on("error", (error) => {
    log.error({ err: error }, "the listening socket failed");
  });

  const { port } = server.address() as AddressInfo;
  return ok({ url: `http://${host.includes(":") ? `[${host}]` : host}:${String(port)}`, port, close });

  async function close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
    // A kept-alive connection becomes idle when its answer is out; Node closes only those that are idle now.
    const sweep = setInterval(() => {
      server.closeIdleConnections();
    }, 50);
    const cut = setTimeout(() => {
      server.closeAllConnections();
    }, graceMs);
    await closed;
    clearInterval(sweep);
    clearTimeout(cut);
  }

  /** For what never becomes a Request. */
  async function refuseRaw(
    socket: Duplex & { destroySoon?: () => void },
    status: number,
    reason: string,
  ): Promise<void> {
    const requestId = nanoid();
    log.warn({ requestId, status, reason }, "request refused");
    socket.on("error", () => {
      socket.destroy();
    });
    await refusals.enter();
    const body = bodyOf(status, requestId);
    const headers = {
      ...headersOf(requestId),
      connection: "close",
      "content-length": String(Buffer.byteLength(body)),
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n${body}`);
    if (socket.destroySoon === undefined) socket.end();
    else socket.destroySoon();
  }
}

function statusOf(error: NodeJS.ErrnoException): number {
  if (error.code === "HPE_HEADER_OVERFLOW") return 431;
  if (error.code === "HPE_CHUNK_EXTENSIONS_OVERFLOW") return 413;
  return error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
}

function failureCode(error: NodeJS.ErrnoException): ListenFailure["code"] {
  if (error.code === "EADDRINUSE") return "address_in_use";
  if (["EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN"].includes(error.code ?? "")) return "address_not_available";
  if (error.code === "EACCES") return "port_not_permitted";
  throw error;
}

function bodyOf(status: number, ref: string): string {
  return JSON.stringify({
    ok: false,
    error: { code: "bad_request", message: `${STATUS_CODES[status] ?? "Error"}.`, ref },
  });
}

function headersOf(requestId: string): Record<string, string> {
  return { ...jsonHeaders, "x-request-id": requestId };
}
