/**
 * `ask_chatgpt` from its arguments to its outcome: prepared, paid for out of the purse, sent once, waited for, settled.
 * What may have been paid is never forgotten: it counts as what it cost, or as the most that it may have.
 */
import { ok, type Result } from "../lib/result.ts";
import { failureOf, NOTHING_ASKED, type AskOutcome } from "./ask-answer.ts";
import type { AskFailure } from "./ask-failure.ts";
import type { AskArgs } from "./ask-input.ts";
import type { AskCall, AskRoom } from "./ask-room.ts";
import { decideReservation, mostTokensOf } from "./budget.ts";
import { createCallEnd, type CallEnd, type EndCause } from "./call-end.ts";
import { collect, hasEnded } from "./collect.ts";
import { prepareQuestion } from "./prepare-question.ts";
import { costOf, priceOf, type Price } from "./price.ts";
import type { Hold } from "./purse.ts";
import type { ApiFailure, ApiNews, ApiQuestion, ApiResponse, ResponsesApi } from "./responses-api.ts";

const CANCEL_MS = 5_000;
/** Long enough to learn what a call that was broken off has used. */
const LATE_MS = 3_000;
/** What OpenAI adds to any question; a call that holds too little could cost more than it holds. */
const UNSEEN_TOKENS = 8_000;
/** What a search brings into the conversation, or a conversation that nobody here knows; paid as input. */
const MANY_UNSEEN_TOKENS = 50_000;

export async function askChatgpt(args: AskArgs, call: AskCall, room: AskRoom): Promise<AskOutcome> {
  const { config } = room;
  if (config.apiKey === null) return refused({ code: "no_api_key" });
  const prepared = await prepareQuestion(args, room);
  if (!prepared.ok) return refused(prepared.failure);
  const asked = prepared.value;
  const price = priceOf(config.prices, asked.model);
  const paid = await payFor(asked, price, room);
  if (!paid.ok) return { ...refused(paid.failure), model: asked.model, hasPrice: price !== null };
  const { hold, question } = paid.value;
  const timeoutMs = Math.min(args.timeoutMs ?? config.timeoutMs, config.timeoutMs);
  const end = createCallEnd({
    clock: room.clock,
    timeoutMs,
    client: call.signal,
    shutdown: room.shutdown,
    background: question.background,
  });
  try {
    const api = await room.api();
    return await send(
      { question, price, hold, api, end, timeoutMs, call, room },
      args.outputSchema !== undefined,
    );
  } finally {
    end.release();
    hold.leave();
  }
}

interface Sending {
  readonly question: ApiQuestion;
  readonly price: Price | null;
  readonly hold: Hold;
  readonly api: ResponsesApi;
  readonly end: CallEnd;
  readonly timeoutMs: number;
  readonly call: AskCall;
  readonly room: AskRoom;
}

async function payFor(
  question: ApiQuestion,
  price: Price | null,
  room: AskRoom,
): Promise<Result<{ hold: Hold; question: ApiQuestion }, AskFailure>> {
  const { maxUsdPerCall = null, maxUsdPerDay = null, maxUsdPerMonth = null } = room.config;
  const purse = await room.purse();
  const earlier = question.previousResponseId === null ? null : purse.byResponse(question.previousResponseId);
  // None: nobody here knows it, or its use was never counted.
  const earlierTokens = earlier === null ? 0 : earlier.inputTokens + earlier.outputTokens;
  const texts = [...question.texts, question.instructions ?? "", JSON.stringify(question.outputSchema)];
  const inputTokens = texts.reduce((sum, text) => sum + mostTokensOf(text), earlierTokens);
  const unseenTokens =
    UNSEEN_TOKENS +
    (question.webSearch ? MANY_UNSEEN_TOKENS : 0) +
    (question.previousResponseId !== null && earlierTokens === 0 ? MANY_UNSEEN_TOKENS : 0);
  const caps = { perCall: maxUsdPerCall, perDay: maxUsdPerDay, perMonth: maxUsdPerMonth };
  const { model, effort, background, maxOutputTokens } = question;
  const reservation = decideReservation({ caps, model, price, inputTokens, unseenTokens, maxOutputTokens });
  if (!reservation.ok) return reservation;
  const { heldUsd } = reservation.value;
  const project = room.project?.path ?? null;
  const held = purse.hold({ callId: room.newCallId(), project, model, effort, background, heldUsd });
  if (!held.ok) return held;
  return ok({
    hold: held.value,
    question: { ...question, maxOutputTokens: reservation.value.maxOutputTokens },
  });
}

async function send(sending: Sending, wantsJson: boolean): Promise<AskOutcome> {
  const { question, price, hold, api, end, call } = sending;
  let responseId: string | null = null;
  const hear = (news: ApiNews): void => {
    if (news.type === "phase") call.progress.phase = news.phase;
    else if (news.type === "tokens") call.progress.outputTokens = news.outputTokens;
    else {
      ({ responseId } = news);
      hold.accepted(responseId);
      call.progress.phase = question.background ? "thinking in the background" : "thinking";
    }
  };
  if (end.cause() !== null) {
    hold.settle({ costUsd: 0, usage: null });
    return refused({ code: "cancelled" });
  }
  hold.sent();
  call.progress.phase = "asking";
  // A background question is let through to its id even when nobody waits any more: without it the answer is lost.
  const untilAccepted = question.background ? new AbortController().signal : end.signal;
  const started = await api.start(question, hear, untilAccepted);
  const result = await follow(started, responseId, sending);
  const cause = end.cause();
  const base = {
    responseId,
    model: question.model,
    effort: question.effort,
    background: question.background,
    wantsJson,
    hasPrice: price !== null,
    wasSent: true,
  };
  if (!result.ok) {
    const { failure, requestId, mayHaveCost } = result.failure;
    if (!mayHaveCost) hold.settle({ costUsd: 0, usage: null });
    else await settleLate(responseId, sending);
    const own = cause === null ? failure : causeFailure(cause, sending);
    return { ...base, failure: own, response: null, requestId, costUsd: mayHaveCost ? null : 0 };
  }
  const response = result.value;
  const requestId = (started.ok ? started.value.requestId : started.failure.requestId) ?? response.requestId;
  if (!hasEnded(response)) {
    const failure = cause === "cancelled" ? ({ code: "cancelled" } as const) : null;
    return { ...base, failure, response, requestId, costUsd: null };
  }
  const costUsd = costOfEnded(response, price);
  if (isSettled(costUsd, price)) hold.settle({ costUsd, usage: response.usage });
  return { ...base, failure: failureOf(response, question.model), response, requestId, costUsd };
}

/** A background response is waited for; an answer whose connection broke is looked for where OpenAI keeps it. */
async function follow(
  started: Result<ApiResponse, ApiFailure>,
  responseId: string | null,
  { question, api, end, call, room }: Sending,
): Promise<Result<ApiResponse, ApiFailure>> {
  if (
    started.ok ? hasEnded(started.value) : responseId === null || started.failure.failure.code !== "network"
  ) {
    return started;
  }
  if (responseId === null) return started;
  const hear = ({ status }: ApiResponse): void => {
    call.progress.phase = status === "queued" ? "waiting in OpenAI's queue" : "thinking in the background";
  };
  const waited: Result<ApiResponse, ApiFailure> =
    end.cause() === null ? await collect(api, responseId, room.clock, hear, end.signal) : started;
  if (end.cause() === "cancelled" && question.background && !(waited.ok && hasEnded(waited.value))) {
    const cancelled = await api.cancel(responseId, AbortSignal.timeout(CANCEL_MS));
    if (cancelled.ok) return cancelled;
  }
  if (!started.ok && !waited.ok) return started;
  return end.cause() !== null && !waited.ok && started.ok ? ok(started.value) : waited;
}

/** A call that was broken off costs what OpenAI says that it has used; where that is not told, what it held. */
async function settleLate(responseId: string | null, { api, end, hold, price }: Sending): Promise<void> {
  if (responseId !== null && end.cause() !== "shutdown") {
    const late = await api.retrieve(responseId, AbortSignal.timeout(LATE_MS));
    if (late.ok && hasEnded(late.value) && late.value.usage !== null) {
      hold.settle({ costUsd: costOfEnded(late.value, price), usage: late.value.usage });
    }
  }
}

/** Where there is a price and no count of what was used, the call goes on counting as the most that it may have cost. */
function isSettled(costUsd: number | null, price: Price | null): boolean {
  return costUsd !== null || price === null;
}

/** 0 where nothing was used; null where that cannot be told. */
export function costOfEnded(response: ApiResponse, price: Price | null): number | null {
  if (price === null) return null;
  if (response.usage !== null) return costOf(price, response.usage);
  return response.status === "failed" ? 0 : null;
}

function causeFailure(cause: EndCause, { timeoutMs }: Sending): AskFailure {
  return cause === "timeout" ? { code: "timeout", limitMs: timeoutMs } : { code: "cancelled" };
}

function refused(failure: AskFailure): AskOutcome {
  return { ...NOTHING_ASKED, failure };
}
