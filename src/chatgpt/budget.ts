/**
 * May this question be asked, given what was spent? Facts in, a reservation or a refusal out. Pure. The cap for a call is
 * kept by limiting the tokens of its answer. The caps for a day and a month let a call through while something is left
 * after what was spent and what running calls may still cost: so they are exceeded by no more than one call.
 */
import { fail, ok, type Result } from "../lib/result.ts";
import type { AskFailure, Cap } from "./ask-failure.ts";
import { mostFor, type Price } from "./price.ts";

export interface Caps {
  readonly perCall: number | null;
  readonly perDay: number | null;
  readonly perMonth: number | null;
}

export interface Spent {
  /** Settled, in US dollars. */
  readonly usd: number;
  /** The most that calls may cost which are not settled yet. */
  readonly heldUsd: number;
}

export interface BudgetFacts {
  readonly caps: Caps;
  readonly model: string;
  /** null: the owner's table has none. */
  readonly price: Price | null;
  /** At least as many as the question has. */
  readonly inputTokens: number;
  /** What OpenAI may put in besides, an estimate: held, and not held against the cap for a call. */
  readonly unseenTokens: number;
  readonly maxOutputTokens: number | null;
}

export interface Reservation {
  readonly maxOutputTokens: number | null;
  /** What the call holds until it is settled; 0 where there is no price. */
  readonly heldUsd: number;
}

/** An answer with fewer tokens than this is none. */
const FEWEST_OUTPUT_TOKENS = 256;
/** What a call may use where there are caps and it names no limit: generous for reasoning, and still a limit. */
const MOST_OUTPUT_TOKENS = 65_536;

type Refusal = Extract<AskFailure, { code: "budget_exceeded" }>;

/** What one call holds; without looking at what others spent. */
export function decideReservation(facts: BudgetFacts): Result<Reservation, Refusal> {
  const { caps, price, inputTokens, unseenTokens, model } = facts;
  const strictest = firstCap(caps);
  if (strictest === null) {
    const outputTokens = facts.maxOutputTokens ?? MOST_OUTPUT_TOKENS;
    return ok({
      maxOutputTokens: facts.maxOutputTokens,
      heldUsd: price === null ? 0 : mostFor(price, inputTokens + unseenTokens, outputTokens),
    });
  }
  if (price === null) {
    return fail({ ...refusal(strictest.cap, strictest.usd, 0, model), why: "no_price" });
  }
  const wanted = facts.maxOutputTokens ?? MOST_OUTPUT_TOKENS;
  const affordable = caps.perCall === null ? wanted : outputFor(caps.perCall, price, inputTokens);
  if (affordable < Math.min(wanted, FEWEST_OUTPUT_TOKENS)) {
    return fail({ ...refusal("call", caps.perCall ?? 0, 0, model), why: "too_large" });
  }
  const maxOutputTokens = Math.min(wanted, affordable);
  return ok({ maxOutputTokens, heldUsd: mostFor(price, inputTokens + unseenTokens, maxOutputTokens) });
}

/** Whether a cap is open, now that what was spent is known. null: it is. */
export function decideSpend(
  caps: Caps,
  spent: { readonly day: Spent; readonly month: Spent },
  now: number,
  model: string,
): Refusal | null {
  const periods = [
    { cap: "month", capUsd: caps.perMonth, ...spent.month, end: periodsOf(now).monthEnd },
    { cap: "day", capUsd: caps.perDay, ...spent.day, end: periodsOf(now).dayEnd },
  ] as const;
  for (const { cap, capUsd, usd, heldUsd, end } of periods) {
    if (capUsd === null || usd + heldUsd < capUsd) continue;
    const why = usd >= capUsd ? "spent" : "held";
    return { ...refusal(cap, capUsd, usd, model), why, resetsAt: new Date(end).toISOString() };
  }
  return null;
}

/** In UTC, as OpenAI counts. ms since the epoch. */
export function periodsOf(now: number): {
  dayStart: number;
  dayEnd: number;
  monthStart: number;
  monthEnd: number;
} {
  const date = new Date(now);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  return {
    dayStart: Date.UTC(year, month, day),
    dayEnd: Date.UTC(year, month, day + 1),
    monthStart: Date.UTC(year, month, 1),
    monthEnd: Date.UTC(year, month + 1, 1),
  };
}

/** More than any model makes of a text, save a rare one: most need a token for four letters. */
export function mostTokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / 2) + 16;
}

function outputFor(usd: number, price: Price, inputTokens: number): number {
  const left = usd - mostFor(price, inputTokens, 0);
  if (left < 0) return -1;
  return price.output === 0 ? MOST_OUTPUT_TOKENS : Math.floor((left * 1_000_000) / price.output);
}

function firstCap({ perCall, perDay, perMonth }: Caps): { cap: Cap; usd: number } | null {
  if (perCall !== null) return { cap: "call", usd: perCall };
  if (perDay !== null) return { cap: "day", usd: perDay };
  return perMonth === null ? null : { cap: "month", usd: perMonth };
}

function refusal(cap: Cap, capUsd: number, usedUsd: number, model: string): Omit<Refusal, "why"> {
  return { code: "budget_exceeded", cap, capUsd, usedUsd, resetsAt: null, model };
}
