/**
 * One MCP message in, one answer out, in both protocol eras and in the form that the client accepts. The protocol
 * itself is the SDK's; this file chooses which of its parts answers. Keeps no session and knows no tool.
 */
import {
  createMcpHandler,
  isLegacyRequest,
  legacyStatelessFallback,
  ProtocolErrorCode,
  Server,
  WebStandardStreamableHTTPServerTransport,
  type AuthInfo,
  type McpHandlerRequestOptions,
  type McpHttpHandler,
  type McpServerFactory,
} from "@modelcontextprotocol/server";
import { type Accepted } from "./accept.ts";
import { claimedVersion, isRecord, metaOf } from "./message-meta.ts";
import { jsonHeaders } from "./refusal.ts";
import { restoreStandardHeaders } from "./standard-headers.ts";

interface McpMessage {
  readonly request: Request;
  /** Parsed, of bounded depth, not an array. */
  readonly body: unknown;
  readonly authInfo: AuthInfo;
  readonly accepted: Accepted;
}

export interface McpEndpoint {
  answer(message: McpMessage): Promise<Response>;
  /** Ends open subscription streams and everything in flight. */
  close(): Promise<void>;
}

export interface McpEndpointOptions {
  /** Called once per request; has to be cheap. */
  readonly mcpServer: McpServerFactory;
  /** See standard-headers.ts. */
  readonly restoreHeaders: boolean;
  /** Rejected messages and failures that the SDK has already answered: for the log only. */
  readonly onError: (error: Error) => void;
}

export function createMcpEndpoint({ mcpServer, restoreHeaders, onError }: McpEndpointOptions): McpEndpoint {
  const options = { legacy: "reject", onerror: onError, maxSubscriptions: 16 } as const;
  const modern = {
    auto: createMcpHandler(mcpServer, options),
    json: withoutConsoleWarning(() => createMcpHandler(mcpServer, { ...options, responseMode: "json" })),
    sse: createMcpHandler(mcpServer, { ...options, responseMode: "sse" }),
  };
  const legacyStream = legacyStatelessFallback(mcpServer, onError);

  return {
    async answer({ request, body, authInfo, accepted }) {
      if (isNoVersion(request.headers.get("mcp-protocol-version")) || isNoVersion(claimedVersion(body))) {
        return badVersion();
      }
      if (restoreHeaders) restoreStandardHeaders(request, body);
      const given = { authInfo, parsedBody: body };
      if (!(await isLegacy(request, body))) return modernHandler(accepted).fetch(request, given);
      acceptBothForms(request);
      const streams = accepted.sse && (!accepted.json || asksForProgress(body));
      if (streams) return legacyStream(request, given);
      const server = await mcpServer({ era: "legacy", authInfo, requestInfo: request });
      // Who logs while it works needs a stream to do so; the bridge's own server never does.
      if (!accepted.sse || !logs(server)) return answerLegacyInJson(server, request, given);
      await server.close();
      return legacyStream(request, given);
    },
    async close() {
      await Promise.all(Object.values(modern).map((handler) => handler.close()));
    },
  };

  function modernHandler({ json, sse }: Accepted): McpHttpHandler {
    if (json) return sse ? modern.auto : modern.json;
    return modern.sse;
  }
}

/** Shorter than any credential may be. */
const LONGEST_VERSION = 31;

/** The SDK names the version that it does not know in its error: what is sent there by mistake must not come back. */
function isNoVersion(version: string | null): boolean {
  return version !== null && version.length > LONGEST_VERSION;
}

function badVersion(): Response {
  const error = { code: ProtocolErrorCode.InvalidParams, message: "That is no protocol version." };
  const body = JSON.stringify({ jsonrpc: "2.0", id: null, error });
  return new Response(body, { status: 400, headers: jsonHeaders });
}

/** The SDK's own classification; what carries the new envelope is known without asking, save `initialize`. */
async function isLegacy(request: Request, body: unknown): Promise<boolean> {
  if (claimedVersion(body) !== null && !isInitialize(body)) return false;
  return await isLegacyRequest(request, body);
}

type McpServer = Awaited<ReturnType<McpServerFactory>>;

function logs(server: McpServer): boolean {
  const { logging } = server instanceof Server ? server.getCapabilities() : server.server.getCapabilities();
  return logging !== undefined;
}

/** One exchange of the 2025 era as a single JSON body. When the client goes away first, the server's signal is aborted. */
async function answerLegacyInJson(
  server: McpServer,
  request: Request,
  given: Required<McpHandlerRequestOptions>,
): Promise<Response> {
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
  await server.connect(transport);
  const gone = Promise.withResolvers<Response>();
  const onAbort = (): void => {
    gone.resolve(new Response(null, { status: 499 }));
  };
  const { signal } = request;
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([transport.handleRequest(request, given), gone.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    await server.close();
  }
}

/** The SDK's 2025 transport insists on both forms, whichever of them it then sends. */
function acceptBothForms(request: Request): void {
  const accept = request.headers.get("accept");
  if (accept?.includes("application/json") === true && accept.includes("text/event-stream")) return;
  request.headers.set("accept", "application/json, text/event-stream");
}

function isInitialize(body: unknown): boolean {
  return isRecord(body) && body["method"] === "initialize";
}

function asksForProgress(body: unknown): boolean {
  return metaOf(body)["progressToken"] !== undefined;
}

/** The SDK warns on the console that a JSON answer drops mid-call notifications. Such a client asked for that, and stderr is for JSON lines. */
function withoutConsoleWarning<T>(make: () => T): T {
  // oxlint-disable-next-line no-console
  const { warn } = console;
  console.warn = () => {}; // oxlint-disable-line no-console
  try {
    return make();
  } finally {
    console.warn = warn; // oxlint-disable-line no-console
  }
}
