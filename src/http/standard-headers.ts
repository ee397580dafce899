/**
 * Puts back the request headers of protocol 2026-07-28 that a proxy dropped, from the body they mirror. For a bridge
 * on loopback behind a tunnel only: elsewhere the headers are there for the proxies to read, and a missing one is an
 * error. Never touches a header that is present, so a mismatch is still refused.
 */
import { claimedVersion, isRecord } from "./message-meta.ts";

/** `request.headers` is changed in place; a body without the 2026-07-28 envelope changes nothing. */
export function restoreStandardHeaders(request: Request, body: unknown): void {
  const version = claimedVersion(body);
  if (version === null || !isRecord(body) || typeof body["method"] !== "string") return;
  restore(request.headers, "mcp-protocol-version", version);
  restore(request.headers, "mcp-method", body["method"]);
  const field = nameField.get(body["method"]);
  const name = field !== undefined && isRecord(body["params"]) ? body["params"][field] : undefined;
  if (typeof name === "string") restore(request.headers, "mcp-name", toHeaderValue(name));
}

// Spec 2026-07-28, Streamable HTTP, "Standard Request Headers" (SEP-2243).
const nameField = new Map([
  ["tools/call", "name"],
  ["prompts/get", "name"],
  ["resources/read", "uri"],
]);

const plainValue = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

function restore(headers: Headers, name: string, value: string): void {
  if (!headers.has(name) && plainValue.test(value)) headers.set(name, value);
}

/** SEP-2243: what a header cannot carry as it is goes as base64 between `=?base64?` and `?=`. */
function toHeaderValue(value: string): string {
  const isPlain = plainValue.test(value) && !(value.startsWith("=?base64?") && value.endsWith("?="));
  return isPlain ? value : `=?base64?${Buffer.from(value, "utf8").toString("base64")}?=`;
}
