/**
 * Asks a tunnel program's own health endpoint whether it lives and whether it is ready. Only ever speaks to the
 * address that it is given (loopback), sends no credential, and ends nothing itself.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { TunnelEvent } from "./provider.ts";

export interface HealthUrls {
  /** Answers as long as the process is alive, with any status. */
  readonly live: string;
  /** 200 once it carries calls. */
  readonly ready: string;
}

export interface HealthTiming {
  /** Until it is ready. */
  readonly soonMs: number;
  /** While it is ready. */
  readonly laterMs: number;
  readonly answerMs: number;
  /** For the program to say where its endpoint is. */
  readonly addressMs: number;
}

const usualTiming: HealthTiming = { soonMs: 250, laterMs: 5_000, answerMs: 5_000, addressMs: 30_000 };
/** In a row: one slow answer on a busy machine is no death. */
const SILENCES = 3;

/** Settles with the reason when the program has to be taken for dead, or with null when `signal` ends the watch. */
export async function watchHealth(
  address: () => Promise<HealthUrls | null>,
  hear: (event: TunnelEvent) => void,
  timing: Partial<HealthTiming>,
  signal: AbortSignal,
): Promise<string | null> {
  const { soonMs, laterMs, answerMs, addressMs } = { ...usualTiming, ...timing };
  const deadline = performance.now() + addressMs;
  let urls: HealthUrls | null = null;
  while (urls === null) {
    urls = await address();
    if (urls !== null) break;
    if (signal.aborted) return null;
    if (performance.now() > deadline) return "it never said where its health endpoint is";
    await quiet(soonMs, signal);
  }
  let silences = 0;
  while (!signal.aborted) {
    const ready = await ask(urls.ready, answerMs, signal);
    if (signal.aborted) return null;
    if (ready?.ok === true) hear({ type: "ready", says: ready.body });
    else hear({ type: "unready", why: toReason(ready) });
    const answered = ready !== null || (await ask(urls.live, answerMs, signal)) !== null;
    silences = answered ? 0 : silences + 1;
    if (silences >= SILENCES && !signal.aborted) return "its health endpoint does not answer any more";
    await quiet(ready?.ok === true ? laterMs : soonMs, signal);
  }
  return null;
}

interface HealthAnswer {
  readonly ok: boolean;
  readonly status: number;
  readonly body: string;
}

const MAX_BODY = 200;

async function ask(url: string, answerMs: number, signal: AbortSignal): Promise<HealthAnswer | null> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
    const answer = await fetch(url, { redirect: "manual", signal: limit });
    const body = (await beginningOf(answer)).trim().slice(0, MAX_BODY);
    return { ok: answer.status === 200, status: answer.status, body };
  } catch {
    return null;
  }
}

/** Whoever listens there may answer without end; the rest is not waited for. */
async function beginningOf({ body }: Response): Promise<string> {
  let text = "";
  if (body === null) return text;
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length >= MAX_BODY) break;
  }
  return text;
}

function toReason(answer: HealthAnswer | null): string {
  if (answer === null) return "its health endpoint does not answer";
  return `it answers ${answer.status}${answer.body === "" ? "" : `: ${answer.body}`}`;
}

async function quiet(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    // the watch ends
  }
}
