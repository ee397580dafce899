/**
 * The Responses API through the `openai` SDK, which is loaded with the first question: it takes longer than the rest of
 * the start. The SDK itself never sends anything twice and never logs.
 */
import type { Clock } from "../../lib/clock.ts";
import { fail, ok, type Result } from "../../lib/result.ts";
import type { ApiFailure, ApiNews, ApiQuestion, ApiResponse, ResponsesApi } from "../responses-api.ts";
import { parseResponse, parseStreamEvent } from "./response.ts";
import { aborted, send } from "./send.ts";
import { toSdkFailure } from "./failure.ts";
import { narrowFetch } from "./narrow-fetch.ts";
import { toRequestBody } from "./request-body.ts";

export interface ResponsesApiParts {
  readonly apiKey: string;
  /** null: OpenAI's own. */
  readonly baseUrl: string | null;
  readonly clock: Clock;
}

const CHARACTERS_OF_A_TOKEN = 4;
/** Our own limits end a call; this one only has to be longer. */
const SDK_TIMEOUT_MS = 24 * 3_600_000;
const SHORT_REQUEST_MS = 60_000;

export async function createResponsesApi(parts: ResponsesApiParts): Promise<ResponsesApi> {
  const { clock } = parts;
  const { OpenAI } = await import("openai");
  const client = new OpenAI({
    apiKey: parts.apiKey,
    baseURL: parts.baseUrl ?? "https://api.openai.com/v1",
    organization: null,
    project: null,
    maxRetries: 0,
    timeout: SDK_TIMEOUT_MS,
    logLevel: "off",
    fetch: narrowFetch,
  });

  async function startBackground(
    question: ApiQuestion,
    hear: (news: ApiNews) => void,
    signal: AbortSignal,
  ): Promise<Result<ApiResponse, ApiFailure>> {
    const { data, request_id: requestId } = await client.responses
      .create({ ...toRequestBody(question), stream: false }, { signal, timeout: SHORT_REQUEST_MS })
      .withResponse();
    const response = parseResponse(data, requestId);
    if (response === null) return fail(nonsense(requestId));
    hear({ type: "accepted", responseId: response.responseId });
    return ok(response);
  }

  async function startStream(
    question: ApiQuestion,
    hear: (news: ApiNews) => void,
    signal: AbortSignal,
  ): Promise<Result<ApiResponse, ApiFailure>> {
    const { data: events, request_id: requestId } = await client.responses
      .create({ ...toRequestBody(question), stream: true }, { signal })
      .withResponse();
    let characters = 0;
    let isAccepted = false;
    try {
      for await (const raw of events) {
        const event = parseStreamEvent(raw);
        if (event.kind === "error") {
          const { code, message } = event;
          return fail({
            ...lost(requestId),
            failure: { code: "upstream", status: null, message: `${code}: ${message}` },
          });
        }
        if (event.kind === "delta") {
          characters += event.characters;
          hear({ type: "phase", phase: event.of === "answer" ? "answering" : "thinking" });
          hear({ type: "tokens", outputTokens: Math.ceil(characters / CHARACTERS_OF_A_TOKEN) });
        }
        if (event.kind === "other" && event.type.includes("web_search")) {
          hear({ type: "phase", phase: "searching the web" });
        }
        if (event.kind !== "response") continue;
        const response = parseResponse(event.response, requestId);
        if (response === null) continue;
        if (!isAccepted) hear({ type: "accepted", responseId: response.responseId });
        isAccepted = true;
        if (event.isLast) return ok(response);
      }
    } catch (error) {
      if (signal.aborted) return fail(aborted(true));
      // What breaks off an answer that has begun, whatever it is called: OpenAI may have it whole.
      const { failure } = toSdkFailure(error, question.model);
      return fail({ ...lost(requestId), ...(failure.code === "network" ? { failure } : {}) });
    }
    return fail(isAccepted ? lost(requestId) : nonsense(requestId));
  }

  async function ask(
    asking: () => Promise<{ data: unknown; request_id: string | null }>,
    signal: AbortSignal,
  ): Promise<Result<ApiResponse, ApiFailure>> {
    return send({ clock, asked: null, isFree: true, signal }, async () => {
      const { data, request_id: requestId } = await asking();
      const response = parseResponse(data, requestId);
      return response === null ? fail(nonsense(requestId)) : ok(response);
    });
  }

  return {
    async start(question, hear, signal) {
      const rules = { clock, asked: question.model, isFree: false, signal };
      return send(rules, async () =>
        (question.background ? startBackground : startStream)(question, hear, signal),
      );
    },
    async retrieve(responseId, signal) {
      const options = { signal, timeout: SHORT_REQUEST_MS };
      return ask(async () => client.responses.retrieve(responseId, {}, options).withResponse(), signal);
    },
    async cancel(responseId, signal) {
      const options = { signal, timeout: SHORT_REQUEST_MS };
      return ask(async () => client.responses.cancel(responseId, options).withResponse(), signal);
    },
  };
}

function lost(requestId: string | null): ApiFailure {
  return { failure: { code: "network", reason: "connection lost" }, requestId, mayHaveCost: true };
}

function nonsense(requestId: string | null): ApiFailure {
  const message = "it answered with something that is no response";
  return { failure: { code: "upstream", status: null, message }, requestId, mayHaveCost: true };
}
