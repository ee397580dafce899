/** What tokens cost, from the owner's table alone: OpenAI's API knows no prices. Pure. */
import type { PriceTable } from "../config/ask-settings.ts";
import type { Usage } from "../codex/events.ts";

/** US dollars for a million tokens. */
export interface Price {
  readonly input: number;
  readonly cachedInput: number;
  readonly output: number;
}

const MILLION = 1_000_000;
/** `gpt-6-sol-2026-08-01` is the model that is called `gpt-6-sol`. */
const SNAPSHOT = /-\d{4}-\d{2}-\d{2}$/;

/** null: the table does not name the model. */
export function priceOf(table: PriceTable, model: string): Price | null {
  const own = Object.hasOwn(table, model) ? table[model] : undefined;
  const plain = model.replace(SNAPSHOT, "");
  const found = own ?? (Object.hasOwn(table, plain) ? table[plain] : undefined);
  if (found === undefined) return null;
  return { input: found.input, cachedInput: found.cached_input ?? found.input, output: found.output };
}

/** In US dollars. */
export function costOf(price: Price, usage: Usage): number {
  const cached = Math.min(usage.cachedInputTokens, usage.inputTokens);
  const fresh = usage.inputTokens - cached;
  return (fresh * price.input + cached * price.cachedInput + usage.outputTokens * price.output) / MILLION;
}

/** Nobody pays less for tokens that were cached: this is the most that so many can cost. */
export function mostFor(price: Price, inputTokens: number, outputTokens: number): number {
  return (inputTokens * Math.max(price.input, price.cachedInput) + outputTokens * price.output) / MILLION;
}
