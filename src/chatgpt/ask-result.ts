/** `ask_chatgpt_result`: the answer of an earlier call, whichever process made it. Asks no question and spends nothing. */
import { failureOf, NOTHING_ASKED, type AskOutcome } from "./ask-answer.ts";
import type { AskFailure } from "./ask-failure.ts";
import type { AskResultArgs } from "./ask-input.ts";
import type { AskCall, AskRoom } from "./ask-room.ts";
import { costOfEnded } from "./ask.ts";
import { createCallEnd } from "./call-end.ts";
import { collect, hasEnded } from "./collect.ts";
import { priceOf } from "./price.ts";

/** Shorter than the patience of a client that was told nothing. */
const DEFAULT_WAIT_MS = 45_000;

export async function collectAnswer(args: AskResultArgs, call: AskCall, room: AskRoom): Promise<AskOutcome> {
  const { config, redactor } = room;
  const none = (failure: AskFailure): AskOutcome => ({ ...NOTHING_ASKED, failure });
  if (config.apiKey === null) return none({ code: "no_api_key" });
  const purse = await room.purse();
  const stored =
    args.responseId === undefined
      ? purse.newest(room.project?.path ?? null)
      : purse.byResponse(args.responseId);
  const responseId = args.responseId ?? stored?.responseId;
  if (responseId === undefined) return none({ code: "unknown_response" });
  if (config.secrets !== "off" && redactor.find(responseId).some(({ isSecret }) => isSecret)) {
    return none({ code: "unknown_response" });
  }
  const timeoutMs = Math.min(args.timeoutMs ?? DEFAULT_WAIT_MS, config.timeoutMs);
  const end = createCallEnd({
    clock: room.clock,
    timeoutMs,
    client: call.signal,
    shutdown: room.shutdown,
    background: true,
  });
  const hear = ({ status }: { status: string }): void => {
    call.progress.phase = status === "queued" ? "waiting in OpenAI's queue" : "thinking in the background";
  };
  try {
    const result = await collect(await room.api(), responseId, room.clock, hear, end.signal);
    const model = stored?.model ?? null;
    const base = {
      ...NOTHING_ASKED,
      responseId,
      model,
      effort: stored?.effort ?? null,
      background: stored?.background ?? false,
      wasSent: true,
    };
    if (!result.ok) {
      const { failure, requestId } = result.failure;
      const isLate = end.cause() === "timeout" && failure.code === "cancelled";
      return {
        ...base,
        failure: isLate ? { code: "timeout", limitMs: timeoutMs } : failure,
        requestId,
      };
    }
    const response = result.value;
    const price = priceOf(config.prices, model ?? response.model);
    const { requestId } = response;
    if (!hasEnded(response)) {
      return { ...base, failure: null, response, requestId, hasPrice: price !== null };
    }
    const costUsd = costOfEnded(response, price);
    // What was held had a price when it was asked; a table that has lost it gives nothing back.
    if (stored !== null && !stored.isSettled && (costUsd !== null || stored.heldUsd === 0))
      purse.settle(stored.callId, { costUsd, usage: response.usage });
    const failure = failureOf(response, model);
    return { ...base, failure, response, requestId, costUsd, hasPrice: price !== null, wantsJson: true };
  } finally {
    end.release();
  }
}
