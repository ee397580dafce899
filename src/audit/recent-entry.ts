/** A stored call as `bridge_status` shows it. */
import type { RecentCall } from "./recent-calls.ts";

interface StoredCall {
  readonly ts: string;
  readonly requestId: string;
  readonly subject: string;
  readonly tool: string | null;
  readonly outcome: string;
}

/** null for what is no call, or a call of nobody known. */
export function toRecentCall(entry: unknown): { subject: string; recent: RecentCall } | null {
  if (!isStoredCall(entry)) return null;
  const { ts: at, subject, tool, outcome, requestId } = entry;
  return { subject, recent: { at, tool: tool ?? "unknown", outcome, requestId } };
}

/** By hand: each start reads these, and nothing else of it needs zod. */
function isStoredCall(entry: unknown): entry is StoredCall {
  const fields = new Map<string, unknown>(Object.entries(entry ?? {}));
  const isText = (name: string): boolean => typeof fields.get(name) === "string";
  return (
    fields.get("type") === "call" &&
    ["ts", "requestId", "subject", "outcome"].every(isText) &&
    (isText("tool") || fields.get("tool") === null)
  );
}
