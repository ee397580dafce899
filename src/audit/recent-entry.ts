/** A stored call as `bridge_status` shows it. */
import { z } from "zod";
import type { RecentCall } from "./recent-calls.ts";

const storedCall = z.object({
  ts: z.string(),
  type: z.literal("call"),
  requestId: z.string(),
  subject: z.string(),
  tool: z.string().nullable(),
  outcome: z.string(),
});

/** null for what is no call, or a call of nobody known. */
export function toRecentCall(entry: unknown): { subject: string; recent: RecentCall } | null {
  const { data: call } = storedCall.safeParse(entry);
  if (call === undefined) return null;
  const { ts: at, subject, tool, outcome, requestId } = call;
  return { subject, recent: { at, tool: tool ?? "unknown", outcome, requestId } };
}
