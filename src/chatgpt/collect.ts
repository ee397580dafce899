/** Waits for a response that OpenAI makes in the background: asks again and again, patiently, until it has ended. */
import type { Clock } from "../lib/clock.ts";
import { pause } from "../lib/pause.ts";
import type { Result } from "../lib/result.ts";
import type { ApiFailure, ApiResponse, ResponsesApi } from "./responses-api.ts";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

/** What was known last when `signal` was aborted first. A broken connection is waited out as long as there is time. */
export async function collect(
  api: Pick<ResponsesApi, "retrieve">,
  responseId: string,
  clock: Clock,
  hear: (response: ApiResponse) => void,
  signal: AbortSignal,
): Promise<Result<ApiResponse, ApiFailure>> {
  let pauseMs = FIRST_PAUSE_MS;
  let last: Result<ApiResponse, ApiFailure> | null = null;
  for (;;) {
    const now = await api.retrieve(responseId, signal);
    if (signal.aborted && last !== null && !now.ok) return last;
    if (now.ok ? hasEnded(now.value) : !mayPass(now.failure)) return now;
    if (now.ok) hear(now.value);
    if (now.ok || last === null) last = now;
    if (signal.aborted) return last;
    await pause(clock, pauseMs, signal);
    if (signal.aborted) return last;
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 1.5);
  }
}

export function hasEnded({ status }: ApiResponse): boolean {
  return status !== "queued" && status !== "in_progress";
}

function mayPass({ failure }: ApiFailure): boolean {
  return failure.code === "network" || failure.code === "upstream" || failure.code === "rate_limited";
}
