/**
 * Every way in which a question to ChatGPT comes to nothing, and the words for it. The codes are API; the words are for
 * the model that asked and for its user: no secret, no path, and never more than one step to take next.
 */
import { toAskEnvironmentName } from "../config/ask-settings.ts";

export type Cap = "call" | "day" | "month";

export type AskFailure =
  | { readonly code: "no_api_key" }
  | { readonly code: "unauthorized"; readonly isForbidden: boolean }
  | { readonly code: "model_not_found"; readonly model: string }
  | { readonly code: "model_not_allowed"; readonly allowed: readonly string[] }
  | { readonly code: "rate_limited"; readonly retryAfterMs: number | null }
  | { readonly code: "quota_exceeded" }
  /** `spent`: the cap is used up. `held`: calls that still run may use it up. `no_price`: nobody can tell. */
  | {
      readonly code: "budget_exceeded";
      readonly cap: Cap;
      readonly why: "spent" | "held" | "no_price" | "too_large";
      readonly capUsd: number;
      readonly usedUsd: number;
      /** ISO 8601; null where waiting does not help. */
      readonly resetsAt: string | null;
      readonly model: string;
    }
  | {
      readonly code: "secrets_found";
      readonly kinds: Readonly<Record<string, number>>;
      readonly places: readonly string[];
    }
  | { readonly code: "file_not_allowed"; readonly file: string; readonly why: FileRefusal }
  | { readonly code: "refused_by_model"; readonly message: string }
  | { readonly code: "incomplete"; readonly reason: string }
  | { readonly code: "timeout"; readonly limitMs: number }
  | { readonly code: "cancelled" }
  | { readonly code: "network"; readonly reason: string }
  | { readonly code: "upstream"; readonly status: number | null; readonly message: string }
  | { readonly code: "unknown_response" }
  | { readonly code: "invalid_argument"; readonly argument: string; readonly reason: string }
  /** `cause`: a code of the operating system or of SQLite. */
  | { readonly code: "internal"; readonly cause: string | null };

/** `place`: outside, missing, unreadable or no regular file; which of them is nobody's business. */
export type FileRefusal = "place" | "no_project" | "not_text" | "too_large" | "too_many" | "all_too_large";

export type AskFailureCode = AskFailure["code"];

export const askFailureCodes = [
  "no_api_key",
  "unauthorized",
  "model_not_found",
  "model_not_allowed",
  "rate_limited",
  "quota_exceeded",
  "budget_exceeded",
  "secrets_found",
  "file_not_allowed",
  "refused_by_model",
  "incomplete",
  "timeout",
  "cancelled",
  "network",
  "upstream",
  "unknown_response",
  "invalid_argument",
  "internal",
] as const satisfies readonly AskFailureCode[];

export interface AskError {
  readonly code: AskFailureCode;
  readonly message: string;
  readonly retryable: boolean;
  /** When a spent cap is open again, ISO 8601. */
  readonly resetsAt?: string;
}

export interface AskWords {
  readonly error: AskError;
  readonly nextAction: string;
}

const TELL_USER = "Tell the user; the same call would fail again.";
const OWNER_ONLY = "Tell the user: only the owner can change this. Go on without ChatGPT's answer.";

export function toAskWords(failure: AskFailure): AskWords {
  const { message, retryable, nextAction, resetsAt } = words(failure);
  const error = { code: failure.code, message, retryable, ...(resetsAt === undefined ? {} : { resetsAt }) };
  return { error, nextAction };
}

interface Words {
  readonly message: string;
  readonly retryable: boolean;
  readonly nextAction: string;
  readonly resetsAt?: string;
}

function words(failure: AskFailure): Words {
  switch (failure.code) {
    case "no_api_key":
      return no(
        "There is no OpenAI API key: the variable OPENAI_API_KEY did not reach this MCP server.",
        'Tell the user to set OPENAI_API_KEY and to name it in env_vars of the MCP server "chatgpt" in the Codex configuration.',
      );
    case "unauthorized":
      return failure.isForbidden
        ? no("OpenAI says that this API key may not do this (403).", TELL_USER)
        : no("OpenAI does not accept the API key (401).", "Tell the user to check OPENAI_API_KEY.");
    case "model_not_found":
      return no(
        `OpenAI does not know the model "${failure.model}", or this API key may not use it.`,
        "Leave model out to use the default, or tell the user.",
      );
    case "model_not_allowed":
      return no(
        `The owner does not allow this model. Allowed: ${failure.allowed.join(", ")}.`,
        "Name one of these models, or leave model out to use the default.",
      );
    case "rate_limited":
      return yes(
        `OpenAI takes no more calls for now (rate limit)${failure.retryAfterMs === null ? "" : `; the next is possible in ${seconds(failure.retryAfterMs)}`}.`,
        `Call again in ${seconds(failure.retryAfterMs ?? 20_000)}.`,
      );
    case "quota_exceeded":
      return no("The OpenAI account has no credit left (quota).", TELL_USER);
    case "budget_exceeded":
      return budgetWords(failure);
    case "secrets_found":
      return no(
        `The question was not sent: it holds what looks like secrets (${kinds(failure.kinds)}) in ${failure.places.join(", ")}.`,
        "Take them out, or describe them without their values, and ask again.",
      );
    case "file_not_allowed":
      return no(fileWords(failure.file, failure.why), "Leave the file out, or name another one.");
    case "refused_by_model":
      return no(
        `The model refused: "${failure.message}".`,
        "Ask in another way, or go on without the answer.",
      );
    case "incomplete":
      return failure.reason === "max_output_tokens"
        ? no(
            "The answer was cut off before it began: its tokens went into reasoning.",
            "Ask again with a larger maxOutputTokens or a lower reasoningEffort. The tokens used were paid.",
          )
        : no(
            `The answer was cut off (${failure.reason}).`,
            "Ask in another way, or go on without the answer.",
          );
    case "timeout":
      return yes(
        `There was no answer within ${seconds(failure.limitMs)}.`,
        "Ask with background true, or with a lower reasoningEffort.",
      );
    case "cancelled":
      return no("The call was cancelled.", "Ask again only if the user wants that.");
    case "network":
      return yes(
        `OpenAI could not be reached, or the connection broke (${failure.reason}).`,
        "Call ask_chatgpt_result first if an id was given; else ask again in a moment.",
      );
    case "upstream":
      return yes(
        `OpenAI failed${failure.status === null ? "" : ` (${failure.status})`}: ${failure.message}.`,
        "Ask again in a moment.",
      );
    case "unknown_response":
      return no(
        "There is no such response, or none from this project yet.",
        "Use the responseId of an earlier answer, or ask anew with ask_chatgpt.",
      );
    case "invalid_argument":
      return no(
        `The argument "${failure.argument}" ${failure.reason}.`,
        "Correct the argument and call again.",
      );
    case "internal":
      return yes(
        `The MCP server itself failed${failure.cause === null ? "" : ` (${failure.cause})`}. The reason is in its log.`,
        "Call again in a moment; if it fails again, tell the user.",
      );
  }
}

function budgetWords(failure: Extract<AskFailure, { code: "budget_exceeded" }>): Words {
  const { cap, capUsd, usedUsd, resetsAt, model, why } = failure;
  const name = toAskEnvironmentName(
    cap === "call" ? "maxUsdPerCall" : cap === "day" ? "maxUsdPerDay" : "maxUsdPerMonth",
  );
  if (why === "no_price") {
    return no(
      `There is a spend cap, but no price for the model "${model}", so nobody can tell what a call costs.`,
      `Name a model that has a price, or tell the user to add one ([chatgpt.prices."${model}"] in the config file).`,
    );
  }
  if (why === "too_large") {
    return no(
      `This question alone would cost more than one call may (${dollars(capUsd)}, ${name}).`,
      "Ask something shorter, with fewer files.",
    );
  }
  const reset = resetsAt === null ? "" : ` It resets at ${resetsAt}.`;
  const used = `The cap for a ${cap} is used up: ${dollars(usedUsd)} of ${dollars(capUsd)} (${name}).`;
  const again = resetsAt === null ? {} : { resetsAt };
  if (why === "held") {
    return {
      ...yes(
        `What is left of the cap for a ${cap} (${dollars(capUsd)}, ${name}) is held by calls that still run.${reset}`,
        "Wait until they have ended, then call again.",
      ),
      ...again,
    };
  }
  return { ...no(`${used}${reset}`, `${OWNER_ONLY}${reset}`), ...again };
}

function fileWords(file: string, why: FileRefusal): string {
  switch (why) {
    case "place":
      return `${file} may not be sent: it is no readable file inside the project.`;
    case "no_project":
      return "No file can be sent: this MCP server does not run inside a project.";
    case "not_text":
      return `${file} may not be sent: it is no text.`;
    case "too_large":
      return `${file} is too large to be sent.`;
    case "too_many":
      return "These are too many files for one question.";
    case "all_too_large":
      return "These files are too large together for one question.";
  }
}

function no(message: string, nextAction: string): Words {
  return { message, retryable: false, nextAction };
}

function yes(message: string, nextAction: string): Words {
  return { message, retryable: true, nextAction };
}

function kinds(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([kind, count]) => `${kind}: ${count}`)
    .join(", ");
}

function seconds(ms: number): string {
  const whole = Math.max(1, Math.ceil(ms / 1_000));
  return whole === 1 ? "1 second" : `${whole} seconds`;
}

function dollars(usd: number): string {
  return `$${usd.toFixed(usd < 0.1 ? 4 : 2)}`;
}
