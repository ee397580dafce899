/** What a call came to, as the tool's answer: one flat object for answers, failures and refusals. Pure. */
import type { AskFailure } from "./ask-failure.ts";
import { toAskWords } from "./ask-failure.ts";
import type { AskOutput } from "./ask-input.ts";
import { fromResponseError } from "./openai/failure.ts";
import type { ApiResponse } from "./responses-api.ts";

export interface AskOutcome {
  /** null: there is an answer, or one may come. */
  readonly failure: AskFailure | null;
  /** As far as one is known. */
  readonly response: ApiResponse | null;
  readonly responseId: string | null;
  readonly model: string | null;
  readonly effort: string | null;
  readonly background: boolean;
  readonly wantsJson: boolean;
  readonly costUsd: number | null;
  readonly hasPrice: boolean;
  readonly requestId: string | null;
  /** Something was sent. */
  readonly wasSent: boolean;
}

export const NOTHING_ASKED: Omit<AskOutcome, "failure"> = {
  response: null,
  responseId: null,
  model: null,
  effort: null,
  background: false,
  wantsJson: false,
  costUsd: null,
  hasPrice: false,
  requestId: null,
  wasSent: false,
};

/** What is wrong with a response that has ended; null: nothing. */
export function failureOf(response: ApiResponse, model: string | null): AskFailure | null {
  const { status, refusal, outputText, incompleteReason, error } = response;
  if (status === "failed") return fromResponseError(error, model);
  if (status === "cancelled") return { code: "cancelled" };
  if (refusal !== null && outputText === "")
    return { code: "refused_by_model", message: refusal.slice(0, 2_000) };
  if (status === "incomplete" && (outputText === "" || incompleteReason === "content_filter")) {
    return { code: "incomplete", reason: incompleteReason ?? "unknown" };
  }
  return null;
}

export function toAskContent(outcome: AskOutcome, elapsedMs: number): AskOutput {
  const { failure, response } = outcome;
  const isCut = response?.status === "incomplete";
  const words = failure === null ? null : toAskWords(failure);
  const cutWords = failure === null && isCut ? cutOff(response) : null;
  return {
    status: statusOf(outcome),
    nextAction: words?.nextAction ?? cutWords?.nextAction ?? nextAction(outcome),
    outputText: response?.outputText ?? "",
    output: outcome.wantsJson && response !== null ? parsed(response.outputText) : null,
    responseId: outcome.responseId,
    model: response !== null && response.model !== "" ? response.model : outcome.model,
    reasoningEffort: response?.effort ?? outcome.effort,
    truncated: isCut,
    usage: response?.usage ?? null,
    estimatedCostUsd: outcome.costUsd,
    costNote: costNote(outcome),
    requestId: outcome.requestId,
    elapsedMs: Math.round(elapsedMs),
    error: words?.error ?? cutWords?.error ?? null,
  };
}

function statusOf({ failure, response, wasSent }: AskOutcome): AskOutput["status"] {
  if (failure === null) return response?.status ?? "in_progress";
  if (!wasSent) return "refused";
  if (failure.code === "cancelled") return "cancelled";
  return response?.status === "incomplete" ? "incomplete" : "failed";
}

function nextAction({ response }: AskOutcome): string {
  return response?.status === "queued" || response?.status === "in_progress"
    ? "Do something else, then call ask_chatgpt_result with this responseId. Do not ask again."
    : "Judge the answer before you use it. To go on in this conversation, give responseId as previousResponseId.";
}

/** Text that was cut off is still an answer; the code says so. */
function cutOff(response: ApiResponse) {
  return {
    error: {
      code: "incomplete",
      message: `The answer was cut off (${response.incompleteReason ?? "unknown"}).`,
      retryable: false,
    },
    nextAction:
      "Use what is there, or ask for the rest with previousResponseId and a larger maxOutputTokens.",
  };
}

function costNote({ costUsd, hasPrice, wasSent, model, response }: AskOutcome): string | null {
  if (costUsd !== null || !wasSent) return null;
  if (!hasPrice) return `The owner's table has no price for ${model ?? "this model"}.`;
  return response?.usage === null || response === null ? "What was used is not known yet." : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null; // the text says what the model said instead
  }
}
