/** What OpenAI's Responses API sends, read loosely: a new field or event must not break us. Pure. */
import { z } from "zod";
import type { ApiResponse, ApiStatus } from "../responses-api.ts";

/** Less than none would give money back. */
const tokens = z.number().int().min(0);

const usage = z.looseObject({
  input_tokens: tokens,
  input_tokens_details: z
    .looseObject({ cached_tokens: tokens.catch(0) })
    .nullish()
    .catch(null),
  output_tokens: tokens,
  output_tokens_details: z
    .looseObject({ reasoning_tokens: tokens.catch(0) })
    .nullish()
    .catch(null),
});

const part = z.looseObject({
  type: z.string(),
  text: z.string().optional().catch(undefined),
  refusal: z.string().optional().catch(undefined),
});
const item = z.looseObject({ type: z.string(), content: z.array(part).optional().catch(undefined) });

const statuses = ["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"] as const;

const response = z.looseObject({
  id: z.string().min(1),
  status: z.enum(statuses).catch("in_progress"),
  model: z.string().catch(""),
  output: z.array(item).catch([]),
  reasoning: z
    .looseObject({ effort: z.string().nullish().catch(null) })
    .nullish()
    .catch(null),
  incomplete_details: z.looseObject({ reason: z.string().nullish() }).nullish().catch(null),
  error: z
    .looseObject({ code: z.string().nullish().catch(null), message: z.string().nullish().catch(null) })
    .nullish()
    .catch(null),
  usage: usage.nullish().catch(null),
});

/** null for what is no response at all. */
export function parseResponse(value: unknown, requestId: string | null): ApiResponse | null {
  const { data } = response.safeParse(value);
  if (data === undefined) return null;
  const parts = data.output.flatMap(({ type, content }) => (type === "message" ? (content ?? []) : []));
  const { incomplete_details: incomplete, error } = data;
  return {
    responseId: data.id,
    status: data.status satisfies ApiStatus,
    model: data.model,
    effort: data.reasoning?.effort ?? null,
    outputText: parts.map(({ type, text }) => (type === "output_text" ? (text ?? "") : "")).join(""),
    refusal: parts.find(({ type }) => type === "refusal")?.refusal ?? null,
    incompleteReason: data.status === "incomplete" ? (incomplete?.reason ?? "unknown") : null,
    error:
      error === null || error === undefined
        ? null
        : { code: error.code ?? "unknown", message: error.message ?? "no reason given" },
    usage: data.usage === null || data.usage === undefined ? null : toUsage(data.usage),
    requestId,
  };
}

function toUsage(counts: z.output<typeof usage>): NonNullable<ApiResponse["usage"]> {
  return {
    inputTokens: counts.input_tokens,
    cachedInputTokens: counts.input_tokens_details?.cached_tokens ?? 0,
    outputTokens: counts.output_tokens,
    reasoningOutputTokens: counts.output_tokens_details?.reasoning_tokens ?? 0,
  };
}

const streamEvent = z.looseObject({
  type: z.string(),
  response: z.unknown().optional(),
  delta: z.unknown().optional(),
  code: z.string().nullish().catch(null),
  message: z.string().nullish().catch(null),
});

export type StreamEvent =
  | { readonly kind: "response"; readonly response: unknown; readonly isLast: boolean }
  | { readonly kind: "delta"; readonly of: "answer" | "thought"; readonly characters: number }
  | { readonly kind: "error"; readonly code: string; readonly message: string }
  | { readonly kind: "other"; readonly type: string };

const LAST = new Set(["response.completed", "response.incomplete", "response.failed", "response.cancelled"]);

export function parseStreamEvent(value: unknown): StreamEvent {
  const { data } = streamEvent.safeParse(value);
  if (data === undefined) return { kind: "other", type: "unknown" };
  const { type, delta } = data;
  if (data.response !== undefined)
    return { kind: "response", response: data.response, isLast: LAST.has(type) };
  if (type.endsWith(".delta") && typeof delta === "string") {
    return { kind: "delta", of: type.includes("reasoning") ? "thought" : "answer", characters: delta.length };
  }
  if (type !== "error") return { kind: "other", type };
  return {
    kind: "error",
    code: data.code ?? "unknown",
    message: data.message ?? "no reason given",
  };
}
