/**
 * The kinds of settings: text, number, switch, list, one of several. Environment and flags give text, the file gives
 * TOML values: each kind reads both. Knows no setting.
 */
import { fail, ok, type Result } from "../lib/result.ts";
import { setting, type Setting } from "./setting.ts";

export const integer = (min: number, max: number): Setting<number> =>
  setting((value) => {
    const number = toNumber(value, /^\d{1,12}$/);
    return Number.isSafeInteger(number) ? ok(number) : fail(["has to be a whole number"]);
  })
    .check(`has to be at least ${min}`, (value) => value >= min)
    .check(`may be at most ${max}`, (value) => value <= max);

export const usd = (): Setting<number> =>
  setting((value) => {
    const number = toNumber(value, /^\d{1,9}(?:\.\d{1,9})?$/);
    return Number.isFinite(number) ? ok(number) : fail(["has to be an amount in US dollars, such as 2.50"]);
  }).check("has to be more than 0", (value) => value > 0);

/** NaN for what is none. `written`: how it may look as a text. */
function toNumber(value: unknown, written: RegExp): number {
  if (typeof value === "string") return written.test(value.trim()) ? Number(value) : Number.NaN;
  return typeof value === "number" ? value : Number.NaN;
}

const TRUE = new Set<unknown>([true, "1", "true", "yes", "on"]);
const FALSE = new Set<unknown>([false, "", "0", "false", "no", "off"]);

export const flag = (): Setting<boolean> =>
  setting((value) => {
    const word = typeof value === "string" ? value.trim().toLowerCase() : value;
    if (TRUE.has(word)) return ok(true);
    return FALSE.has(word) ? ok(false) : fail(["has to be 1 or 0"]);
  });

/** Of the file alone, where true and false need no other words. */
export const truth = (): Setting<boolean> =>
  setting((value) => (typeof value === "boolean" ? ok(value) : fail(["has to be true or false"])));

export const list = (): Setting<string[]> =>
  setting((value) => {
    if (typeof value === "string") return ok(value.split(",").map(trim).filter(isFilled));
    if (!Array.isArray(value)) return fail(["has to be a list, separated by commas"]);
    const texts = value.filter((part) => typeof part === "string");
    return texts.length === value.length ? ok(texts) : fail(["has to be a list of texts"]);
  });

export const text = (): Setting<string> =>
  setting((value) => {
    const found = readText(value);
    return found.ok ? ok(trim(found.value)) : found;
  }).check("must not be empty", isFilled);

/** Its spaces count. */
export const secret = (shortest: number): Setting<string> =>
  setting(readText).check(`has to have at least ${shortest} characters`, (value) => value.length >= shortest);

export const choice = <const T extends string>(values: readonly T[]): Setting<T> =>
  setting((value) => {
    const found = values.find((known) => known === value);
    return found === undefined ? fail([`has to be one of: ${values.join(", ")}`]) : ok(found);
  });

function readText(value: unknown): Result<string, readonly string[]> {
  return typeof value === "string" ? ok(value) : fail(["has to be a text"]);
}

function trim(value: string): string {
  return value.trim();
}

function isFilled(value: string): boolean {
  return value !== "";
}
