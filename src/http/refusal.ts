/**
 * Every way in which the HTTP room itself says no, and the one translation of them to the wire: always JSON, in
 * JSON-RPC's shape on /mcp. Never HTML, a stack, a path, or anything that the request contained.
 */
import type { AuthFailure } from "../auth/caller.ts";
import type { Challenges } from "../auth/challenge.ts";

export type HttpRefusal =
  | { code: "too_many_headers" }
  | { code: "malformed_host" }
  | { code: "foreign_host"; host: string }
  | { code: "foreign_origin"; origin: string }
  | { code: "cross_site" }
  | { code: "not_found" }
  | { code: "method_not_allowed"; allow: string }
  | { code: "not_acceptable" }
  | { code: "unsupported_media_type" }
  | { code: "unsupported_encoding" }
  | { code: "body_too_large" }
  | { code: "body_incomplete" }
  | { code: "not_utf8" }
  | { code: "not_json" }
  | { code: "too_deep" }
  | { code: "reserved_key" }
  | { code: "batch" }
  | { code: "internal" }
  | AuthFailure;

interface Wire {
  readonly status: number;
  /** JSON-RPC 2.0 section 5.1; -32000 is the server's own range. */
  readonly rpcCode: -32700 | -32600 | -32603 | -32000;
  readonly message: string;
}

const wireOf: Readonly<Record<HttpRefusal["code"], Wire>> = {
  too_many_headers: { status: 431, rpcCode: -32000, message: "The request has too many headers." },
  malformed_host: {
    status: 400,
    rpcCode: -32000,
    message: "The Host header is missing, repeated or malformed.",
  },
  foreign_host: { status: 403, rpcCode: -32000, message: "This host name is not served here." },
  foreign_origin: { status: 403, rpcCode: -32000, message: "Requests from this origin are not allowed." },
  cross_site: { status: 403, rpcCode: -32000, message: "Requests from other sites are not allowed." },
  not_found: { status: 404, rpcCode: -32000, message: "Not found." },
  method_not_allowed: { status: 405, rpcCode: -32000, message: "Method not allowed." },
  not_acceptable: {
    status: 406,
    rpcCode: -32000,
    message: "The answer is application/json or text/event-stream.",
  },
  unsupported_media_type: {
    status: 415,
    rpcCode: -32000,
    message: "The content type must be application/json.",
  },
  unsupported_encoding: { status: 415, rpcCode: -32000, message: "Encoded bodies are not accepted." },
  body_too_large: { status: 413, rpcCode: -32000, message: "The body is larger than 1 MiB." },
  body_incomplete: { status: 400, rpcCode: -32700, message: "The body did not arrive completely." },
  not_utf8: { status: 400, rpcCode: -32700, message: "The body is not UTF-8." },
  not_json: { status: 400, rpcCode: -32700, message: "The body is not JSON." },
  too_deep: { status: 400, rpcCode: -32600, message: "The body is nested too deeply." },
  reserved_key: { status: 400, rpcCode: -32600, message: "The body has a key that is not accepted." },
  batch: { status: 400, rpcCode: -32600, message: "Batches are not accepted: send one message per request." },
  internal: { status: 500, rpcCode: -32603, message: "Internal error." },
  no_credential: { status: 401, rpcCode: -32000, message: "Authentication is required." },
  wrong_credential: { status: 401, rpcCode: -32000, message: "The credential is not valid." },
  too_many_requests: { status: 429, rpcCode: -32000, message: "Too many requests." },
};

/** `ref` is the request id: a tunnel may drop the header that carries it. */
export function toResponse(
  refusal: HttpRefusal,
  shape: "json-rpc" | "json",
  ref: string,
  challenges: Challenges,
): Response {
  const { status, rpcCode, message } = wireOf[refusal.code];
  const body =
    shape === "json-rpc"
      ? { jsonrpc: "2.0", id: null, error: { code: rpcCode, message, data: { code: refusal.code, ref } } }
      : { ok: false, error: { code: refusal.code, message, ref } };
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...jsonHeaders, ...ownHeaders(refusal, challenges) },
  });
}

/** The headers of every JSON answer that is not MCP's own. */
export const jsonHeaders = {
  "content-type": "application/json",
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
} as const;

function ownHeaders(refusal: HttpRefusal, challenges: Challenges): Record<string, string> {
  switch (refusal.code) {
    case "no_credential":
      return { "www-authenticate": challenges.noCredential };
    case "wrong_credential":
      return { "www-authenticate": challenges.wrongCredential };
    case "too_many_requests":
      return { "retry-after": String(Math.max(1, Math.ceil(refusal.retryAfterMs / 1000))) };
    case "method_not_allowed":
      return { allow: refusal.allow };
    default:
      return {};
  }
}
