/**
 * The walk of one HTTP request: request id, Host, Origin, route, caller, body, MCP. Each step refuses before the next
 * one costs anything, and no body is read for a caller who is not let in. Knows Hono; never a tool, never the policy.
 */
import type { AuthInfo, McpServerFactory } from "@modelcontextprotocol/server";
import { Hono, type Context } from "hono";
import { nanoid } from "nanoid";
import type { AuthFailure, Caller, Scope } from "../auth/caller.ts";
import type { Challenges } from "../auth/challenge.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Result } from "../lib/result.ts";
import { parseAccept } from "./accept.ts";
import { readJsonBody, type Wire } from "./json-body.ts";
import type { McpEndpoint } from "./mcp.ts";
import { createRefusalLane } from "./refusal-lane.ts";
import { jsonHeaders, toResponse, type HttpRefusal } from "./refusal.ts";
import { createVisitorCheck } from "./visitor.ts";

/** Checks the credential of a request, without reading its body. `peer`: the address at the other end of the socket. */
export type Authenticate = (
  request: Request,
  peer: string,
) => Result<Caller, AuthFailure> | Promise<Result<Caller, AuthFailure>>;

/** One request that reached /mcp, accepted or refused, at the moment its answer is known. */
export interface Arrival {
  readonly requestId: string;
  /** Wall time of the arrival, ms since the epoch. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Null where the request was refused before its caller was known. */
  readonly caller: Caller | null;
  /** The code of this room's own refusal; absent where MCP answered, if only with a JSON-RPC error. */
  readonly reason?: HttpRefusal["code"];
}

/** What answers at `/oauth/*` and `/.well-known/*`, where a client can sign in. */
export interface OAuthRoutes {
  /** True for a page to which a browser is sent from the client's own site: no request of ours would come from there. */
  isEntrance(method: string, path: string): boolean;
  /** null where there is nothing; `allow` where there is, for other methods. */
  answer(request: Request, wire: Wire, requestId: string): Promise<Response | { allow: string } | null>;
}

export interface AppParts {
  readonly version: string;
  /** Host names besides loopback's own, without a port. */
  readonly allowedHosts: readonly string[];
  /** More of them, which come and go while the bridge runs. */
  readonly currentHosts?: () => readonly string[];
  readonly authenticate: Authenticate;
  readonly challenges: Challenges;
  /** null where nobody can sign in. */
  readonly oauth?: OAuthRoutes | null;
  /** One server per request. `ctx.authInfo.extra` carries the caller and the request id: see `callOf`. */
  readonly mcpServer: McpServerFactory;
  readonly readiness: () => { ok: true } | { ok: false; reason: string };
  /** Prometheus text, or null where there are no metrics. */
  readonly metrics: (() => Promise<string>) | null;
  /** True on a loopback bind: see standard-headers.ts. */
  readonly restoreHeaders: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Awaited by nobody; when it throws, the request is answered 500, since what cannot be recorded must not pass. */
  readonly onArrival?: (arrival: Arrival) => void;
}

interface HttpEnv {
  Bindings: Wire;
  Variables: { requestId: string; caller: Caller; refusal: HttpRefusal };
}

export interface BridgeApp {
  readonly app: Hono<HttpEnv>;
  /** Loads what answers MCP. The first call does so too; the start of the bridge does not wait for it. */
  readonly load: () => Promise<void>;
  /** Ends what MCP still has open; call it when the listener has closed. */
  readonly close: () => Promise<void>;
}

export function createApp(parts: AppParts): BridgeApp {
  const { clock, log, metrics, onArrival, oauth = null } = parts;
  const refusals = createRefusalLane(clock);
  const visitorRefusal = createVisitorCheck(parts.allowedHosts, parts.currentHosts);
  let endpoint: Promise<McpEndpoint> | null = null;
  const mcp = async (): Promise<McpEndpoint> => (endpoint ??= loadEndpoint(parts));
  const health = JSON.stringify({ ok: true, name: "codex-gpt-bridge", version: parts.version });
  const app = new Hono<HttpEnv>();

  app.use(async (c, next) => {
    const at = clock.now();
    const start = clock.monotonic();
    c.set("requestId", nanoid());
    const refusal = visitorRefusal(c.req.raw, c.env?.incoming);
    if (refusal === null || isExpected(refusal, c)) await next();
    else c.res = refuse(c, refusal);
    finish(c, at, clock.monotonic() - start);
    const later = c.get("refusal") === undefined ? null : refusals.enter();
    if (later !== null) await later;
  });

  app.post("/mcp", async (c) => {
    const authenticated = await authenticate(c);
    if (!authenticated.ok) return refuse(c, authenticated.failure);
    c.set("caller", authenticated.value);
    const accepted = parseAccept(c.req.raw.headers.get("accept"));
    if (!accepted.json && !accepted.sse) return refuse(c, { code: "not_acceptable" });
    const body = await readJsonBody(c.req.raw, c.env ?? {});
    if (!body.ok) return refuse(c, body.failure);
    let lacking: Scope | null = null;
    const lacks = (scope: Scope): void => {
      lacking = scope;
    };
    const authInfo = toAuthInfo({ caller: authenticated.value, requestId: c.get("requestId"), lacks });
    const answer = await (await mcp()).answer({ request: c.req.raw, body: body.value, authInfo, accepted });
    return lacking === null
      ? answer
      : toForbidden(answer, parts.challenges.insufficientScope(lacking), c.req.raw);
  });
  app.all("/mcp", (c) => refuse(c, { code: "method_not_allowed", allow: "POST" }));

  app.get("/healthz", () => new Response(health, { headers: jsonHeaders }));
  app.get("/readyz", () => {
    const readiness = parts.readiness();
    return new Response(JSON.stringify(readiness), {
      status: readiness.ok ? 200 : 503,
      headers: jsonHeaders,
    });
  });
  if (metrics !== null) {
    app.get("/metrics", async (c) => {
      const authenticated = await authenticate(c);
      if (!authenticated.ok) return refuse(c, authenticated.failure);
      c.set("caller", authenticated.value);
      return c.body(await metrics(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
    });
  }
  if (oauth !== null) {
    const sendOn = async (c: Context<HttpEnv>): Promise<Response> => {
      const answer = await oauth.answer(c.req.raw, c.env ?? {}, c.get("requestId"));
      if (answer === null) return refuse(c, { code: "not_found" });
      return "allow" in answer ? refuse(c, { code: "method_not_allowed", allow: answer.allow }) : answer;
    };
    app.all("/oauth/*", sendOn);
    app.all("/.well-known/*", sendOn);
  }
  app.notFound((c) => refuse(c, { code: "not_found" }));
  app.onError((error, c) => {
    log.error({ requestId: c.get("requestId"), err: error }, "a request failed");
    const response = refuse(c, { code: "internal" });
    response.headers.set("x-request-id", c.get("requestId"));
    return response;
  });

  return {
    app,
    async load() {
      await mcp();
    },
    async close() {
      await (await endpoint)?.close();
    },
  };

  function refuse(c: Context<HttpEnv>, refusal: HttpRefusal): Response {
    c.set("refusal", refusal);
    const shape = c.req.path === "/mcp" ? "json-rpc" : "json";
    return toResponse(refusal, shape, c.get("requestId"), parts.challenges);
  }

  async function authenticate(c: Context<HttpEnv>): Promise<Result<Caller, AuthFailure>> {
    return parts.authenticate(c.req.raw, c.env?.incoming?.socket.remoteAddress ?? "");
  }

  /** Whoever signs in comes from the client's own site, as a navigation and with nothing but an address. */
  function isExpected(refusal: HttpRefusal, c: Context<HttpEnv>): boolean {
    if (refusal.code !== "cross_site" || oauth === null) return false;
    const { headers } = c.req.raw;
    const isPage =
      headers.get("sec-fetch-mode") === "navigate" && headers.get("sec-fetch-dest") === "document";
    return isPage && oauth.isEntrance(c.req.method, c.req.path);
  }

  function finish(c: Context<HttpEnv>, at: number, elapsedMs: number): void {
    const requestId = c.get("requestId");
    const { method, path } = c.req;
    const { status } = c.res;
    const refusal: HttpRefusal | undefined = c.get("refusal");
    c.res.headers.set("x-request-id", requestId);
    const fields = { requestId, method, path, status, elapsedMs: Math.round(elapsedMs) };
    if (refusal !== undefined) log.warn({ ...fields, ...refusal }, "request refused");
    else if (path === "/mcp") log.info(fields, "request answered");
    else log.debug(fields, "request answered");
    if (path !== "/mcp" || onArrival === undefined) return;
    const caller: Caller | undefined = c.get("caller");
    const arrival = { requestId, at, method, path, status, caller: caller ?? null };
    onArrival(refusal === undefined ? arrival : { ...arrival, reason: refusal.code });
  }
}

/** The MCP SDK is a quarter of all that the bridge loads. */
async function loadEndpoint({ mcpServer, restoreHeaders, log }: AppParts): Promise<McpEndpoint> {
  const { createMcpEndpoint } = await import("./mcp.ts");
  return createMcpEndpoint({
    mcpServer,
    restoreHeaders,
    onError: (error) => {
      log.debug({ reason: error.message }, "MCP rejected a message");
    },
  });
}

/** Who calls, and under which id the call is in the logs. */
export interface Call {
  readonly caller: Caller;
  readonly requestId: string;
  /** For a tool that refuses because of the caller's scopes: where the answer has not begun, it becomes a 403. */
  readonly lacks: (scope: Scope) => void;
}

function toAuthInfo(call: Call): AuthInfo {
  // The credential itself stays in this room.
  return { token: "", clientId: call.caller.subject, scopes: [...call.caller.scopes], extra: { call } };
}

/** Takes the call back out of the SDK's `authInfo` (`ctx.http?.authInfo` in a handler). Throws where createApp did not put it there. */
export function callOf(authInfo: AuthInfo | undefined): Call {
  const call = authInfo?.extra?.["call"];
  if (call === undefined) throw new Error("this MCP request did not come through the HTTP room");
  return call as Call;
}

/**
 * MCP 2026-07-28, authorization: a call that needs more scope is answered 403, and the client may ask for it. The body
 * stays the tool's own answer. ChatGPT reads the challenge there, in `_meta`, and takes any 403 for a broken connector.
 */
function toForbidden(answer: Response, challenge: string, request: Request): Response {
  if (request.headers.get("user-agent")?.startsWith("openai-mcp/") === true) return answer;
  const headers = new Headers(answer.headers);
  headers.set("www-authenticate", challenge);
  return new Response(answer.body, { status: 403, headers });
}
