/** The port to OpenAI's Responses API: one question, its answer, and what can be asked about it later. */
import type { Usage } from "../codex/events.ts";
import type { Result } from "../lib/result.ts";
import type { AskFailure } from "./ask-failure.ts";

export type ReasoningEffort = "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max";

export interface ApiQuestion {
  readonly model: string;
  /** Texts of one message, in order. */
  readonly texts: readonly string[];
  readonly instructions: string | null;
  readonly effort: ReasoningEffort | null;
  readonly maxOutputTokens: number | null;
  readonly previousResponseId: string | null;
  readonly webSearch: boolean;
  readonly outputSchema: Readonly<Record<string, unknown>> | null;
  /** True: OpenAI goes on without us, and `start` returns as soon as it has begun. */
  readonly background: boolean;
}

export type ApiStatus = "queued" | "in_progress" | "completed" | "incomplete" | "failed" | "cancelled";

export interface ApiResponse {
  readonly responseId: string;
  readonly status: ApiStatus;
  readonly model: string;
  readonly effort: string | null;
  readonly outputText: string;
  /** The model's own words when it refused. */
  readonly refusal: string | null;
  readonly incompleteReason: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly usage: Usage | null;
  /** OpenAI's id of the HTTP request. */
  readonly requestId: string | null;
}

export interface ApiFailure {
  readonly failure: AskFailure;
  readonly requestId: string | null;
  /** False only where OpenAI surely did no work for it. */
  readonly mayHaveCost: boolean;
}

/** What is heard while an answer is made. `outputTokens` is an estimate. */
export type ApiNews =
  | { readonly type: "accepted"; readonly responseId: string }
  | { readonly type: "phase"; readonly phase: string }
  | { readonly type: "tokens"; readonly outputTokens: number };

/**
 * Nothing here is thrown for what OpenAI says or for a broken connection. A request that may have been paid for is never
 * sent twice. After `signal` is aborted everything returns soon, with code `cancelled`.
 */
export interface ResponsesApi {
  start(
    question: ApiQuestion,
    hear: (news: ApiNews) => void,
    signal: AbortSignal,
  ): Promise<Result<ApiResponse, ApiFailure>>;
  retrieve(responseId: string, signal: AbortSignal): Promise<Result<ApiResponse, ApiFailure>>;
  /** Ends a background response. */
  cancel(responseId: string, signal: AbortSignal): Promise<Result<ApiResponse, ApiFailure>>;
}
