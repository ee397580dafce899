/**
 * Every setting of `ask_chatgpt`, once: CODEX_CHATGPT_X_Y in the environment is `x_y` in the table `[chatgpt]` of the
 * config file. The one place that names a default model. docs/config.md is made from here.
 */
import { z } from "zod";
import { toFileKey } from "./names.ts";
import { choice, integer, list, text, usd } from "./setting-kinds.ts";
import type { ValuesOf } from "./setting.ts";

export const askSettings = {
  model: text().default("gpt-6-astra").describe("Model that is asked when the caller names none."),
  models: list()
    .default([])
    .describe("Models that a caller may name besides the default. Empty: any that your key may use."),
  timeoutMs: integer(1_000, 86_400_000)
    .default(870_000)
    .describe("Longest that a call waits for its answer, in milliseconds; callers can only shorten it."),
  secrets: choice(["refuse", "redact", "off"])
    .default("refuse")
    .describe("What to do with secrets in a question: send nothing, strike them out, or do not look."),
  maxUsdPerCall: usd().optional().describe("Most that one call may cost, in US dollars."),
  maxUsdPerDay: usd().optional().describe("Most that may be spent in a day (UTC), in US dollars."),
  maxUsdPerMonth: usd().optional().describe("Most that may be spent in a month (UTC), in US dollars."),
};

export type AskSettings = ValuesOf<typeof askSettings>;
export type AskSettingName = keyof AskSettings;

export const askSettingNames = Object.keys(askSettings) as AskSettingName[];

export function toAskEnvironmentName(name: AskSettingName): string {
  return `CODEX_CHATGPT_${toFileKey(name).toUpperCase()}`;
}

const perMillion = z.number("has to be US dollars for a million tokens").min(0, "may not be negative");

/** `[chatgpt.prices."model"]` of the config file, in US dollars for a million tokens. */
export const priceTable = z.record(
  z.string(),
  z.strictObject({ input: perMillion, cached_input: perMillion.optional(), output: perMillion }),
);
export type PriceTable = z.output<typeof priceTable>;
