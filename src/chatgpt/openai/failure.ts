/**
 * What the `openai` SDK throws, and what OpenAI writes into a failed response, as failures of ours. Knows which of them
 * surely cost nothing. Never passes on what a 401 says: it holds a piece of the key.
 */
import type { AskFailure } from "../ask-failure.ts";
import type { ApiFailure } from "../responses-api.ts";

export interface SdkFailure extends ApiFailure {
  /** Sending it again cannot pay twice: OpenAI turned it away, or it never got there. */
  readonly maySendAgain: boolean;
  readonly retryAfterMs: number | null;
}

/** Where no connection came about, nothing was sent. */
const NEVER_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
  "CERT_HAS_EXPIRED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

interface Thrown {
  readonly status: number | null;
  readonly code: string;
  readonly param: string | null;
  readonly message: string;
  readonly requestId: string | null;
  readonly headers: Headers | null;
}

/** `asked`: the model of the question; null where a response was asked about. */
export function toSdkFailure(error: unknown, asked: string | null): SdkFailure {
  const thrown = read(error);
  const { status, requestId } = thrown;
  if (status === null) {
    const cause = causeOf(error);
    const isFree = NEVER_SENT.has(cause);
    return {
      failure: { code: "network", reason: cause },
      requestId,
      mayHaveCost: !isFree,
      maySendAgain: isFree,
      retryAfterMs: null,
    };
  }
  const failure = fromStatus(thrown, status, asked);
  const wasTurnedAway = status === 429 || status === 503;
  return {
    failure,
    requestId,
    mayHaveCost: status >= 500 && status !== 503,
    maySendAgain: wasTurnedAway && failure.code !== "quota_exceeded",
    retryAfterMs: retryAfter(thrown.headers),
  };
}

function fromStatus(thrown: Thrown, status: number, asked: string | null): AskFailure {
  const { code, param, message } = thrown;
  const byCode = fromCode(code, message, asked);
  if (byCode !== null) return byCode;
  switch (status) {
    case 401:
      return { code: "unauthorized", isForbidden: false };
    case 403:
      return { code: "unauthorized", isForbidden: true };
    case 404:
      if (asked === null) return { code: "unknown_response" };
      return /model/i.test(message) || param === "model"
        ? { code: "model_not_found", model: asked }
        : { code: "upstream", status, message: shown(message) };
    case 402:
      return { code: "quota_exceeded" };
    case 429:
      return { code: "rate_limited", retryAfterMs: retryAfter(thrown.headers) };
    case 400:
    case 413:
    case 422:
      return {
        code: "invalid_argument",
        argument: toArgument(param),
        reason: `is not accepted: ${shown(message)}`,
      };
    default:
      return { code: "upstream", status, message: shown(message) };
  }
}

/** null: the code says nothing that the HTTP status does not. */
function fromCode(code: string, message: string, asked: string | null): AskFailure | null {
  switch (code) {
    case "model_not_found":
      return { code: "model_not_found", model: asked ?? "" };
    case "insufficient_quota":
    case "billing_hard_limit_reached":
    case "billing_not_active":
      return { code: "quota_exceeded" };
    case "rate_limit_exceeded":
      return { code: "rate_limited", retryAfterMs: null };
    case "previous_response_not_found":
      return { code: "unknown_response" };
    case "invalid_prompt":
    case "content_policy_violation":
      return { code: "refused_by_model", message: shown(message) };
    case "context_length_exceeded":
      return { code: "invalid_argument", argument: "prompt", reason: "is too long for the model" };
    default:
      return null;
  }
}

/** A response that OpenAI accepted and that then failed. */
export function fromResponseError(
  error: { code: string; message: string } | null,
  asked: string | null,
): AskFailure {
  if (error === null) return { code: "upstream", status: null, message: "no reason given" };
  return (
    fromCode(error.code, error.message, asked) ?? {
      code: "upstream",
      status: null,
      message: shown(error.message),
    }
  );
}

const ARGUMENTS: Readonly<Record<string, string>> = {
  model: "model",
  reasoning: "reasoningEffort",
  max_output_tokens: "maxOutputTokens",
  previous_response_id: "previousResponseId",
  instructions: "instructions",
  text: "outputSchema",
  tools: "webSearch",
  background: "background",
};

/** OpenAI's name of the argument in our words: `text.format.schema` is outputSchema. */
function toArgument(param: string | null): string {
  return ARGUMENTS[param?.split(/[.[]/)[0] ?? ""] ?? "prompt";
}

function read(error: unknown): Thrown {
  const fields =
    typeof error === "object" && error !== null ? (error as Readonly<Record<string, unknown>>) : {};
  const { status, code, param, requestID, headers } = fields;
  const inner = fields["error"];
  const own =
    typeof inner === "object" && inner !== null && "message" in inner && typeof inner.message === "string"
      ? inner.message
      : null;
  return {
    status: typeof status === "number" ? status : null,
    code: typeof code === "string" ? code : "",
    param: typeof param === "string" ? param : null,
    message: own ?? (error instanceof Error ? error.message : "no reason given"),
    requestId: typeof requestID === "string" ? requestID : null,
    headers: headers instanceof Headers ? headers : null,
  };
}

/** The innermost code of a broken connection, or its plain name. */
function causeOf(error: unknown): string {
  let code: string | null = null;
  let current: unknown = error;
  for (let depth = 0; depth < 6 && current instanceof Error; depth++) {
    if ("code" in current && typeof current.code === "string" && current.code !== "")
      ({ code } = current as { code: string });
    current = current.cause instanceof AggregateError ? (current.cause.errors[0] as unknown) : current.cause;
  }
  if (code !== null) return code;
  return error instanceof SyntaxError ? "the answer was no JSON" : "connection lost";
}

function retryAfter(headers: Headers | null): number | null {
  const ms = Number(headers?.get("retry-after-ms") ?? Number.NaN);
  if (Number.isFinite(ms)) return ms;
  const seconds = Number(headers?.get("retry-after") ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds * 1_000 : null;
}

/** One line, without its full stop: it stands inside a sentence. */
function shown(message: string): string {
  return message.replaceAll(/\s+/g, " ").trim().replace(/\.$/, "").slice(0, 500);
}
