/** Reads the `_meta` of a JSON-RPC message that nobody has validated yet. Never changes or judges it. */
import { PROTOCOL_VERSION_META_KEY } from "@modelcontextprotocol/server";

/** An empty object where there is none. */
export function metaOf(body: unknown): Readonly<Record<string, unknown>> {
  const params = isRecord(body) ? body["params"] : undefined;
  const meta = isRecord(params) ? params["_meta"] : undefined;
  return isRecord(meta) ? meta : {};
}

/** The protocol version that a message's own `_meta` names; null for every message of the 2025 era. */
export function claimedVersion(body: unknown): string | null {
  const version = metaOf(body)[PROTOCOL_VERSION_META_KEY];
  return typeof version === "string" ? version : null;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
