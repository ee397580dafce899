/** Sends a request again where that cannot pay twice, and waits in between as OpenAI asks. Never goes on after an abort. */
import type { Clock } from "../../lib/clock.ts";
import { pause } from "../../lib/pause.ts";
import { fail, type Result } from "../../lib/result.ts";
import type { ApiFailure } from "../responses-api.ts";
import { toSdkFailure } from "./failure.ts";

export interface SendRules {
  readonly clock: Clock;
  /** The model of the question; null where a response is asked about. */
  readonly asked: string | null;
  /** Asking about a response costs nothing: then anything that may pass is tried again. */
  readonly isFree: boolean;
  readonly signal: AbortSignal;
}

const MAX_TRIES = 4;
const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 20_000;

export async function send<T>(
  rules: SendRules,
  once: () => Promise<Result<T, ApiFailure>>,
): Promise<Result<T, ApiFailure>> {
  const { clock, asked, isFree, signal } = rules;
  for (let tries = 1; ; tries++) {
    if (signal.aborted) return fail(aborted(tries > 1));
    try {
      return await once();
    } catch (error) {
      if (signal.aborted) return fail(aborted(true));
      const failure = toSdkFailure(error, asked);
      const isPassing = failure.failure.code === "upstream" || failure.failure.code === "network";
      const mayTryAgain = failure.maySendAgain || (isFree && isPassing);
      const pauseMs = failure.retryAfterMs ?? FIRST_PAUSE_MS * 2 ** (tries - 1) * (1 + Math.random() / 4);
      if (!mayTryAgain || tries === MAX_TRIES || pauseMs > LONGEST_PAUSE_MS) return fail(failure);
      await pause(clock, pauseMs, signal);
    }
  }
}

export function aborted(mayHaveCost: boolean): ApiFailure {
  return { failure: { code: "cancelled" }, requestId: null, mayHaveCost };
}
