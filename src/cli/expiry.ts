/** When an exception ends: a number of days, or a day. Pure. */
import { fail, ok, type Result } from "../lib/result.ts";

const DAY_MS = 86_400_000;
export const DEFAULT_DAYS = 90;
const MAX_DAYS = 366;

/** ms since the epoch; the end of the day, in UTC, for a date. Nothing lasts longer than a year. */
export function parseExpiry(text: string, now: number): Result<number, string> {
  const at = parse(text, now);
  if (at === null) return fail("has to be a number of days (30d) or a day (2027-01-31)");
  if (at <= now) return fail("lies in the past");
  return at <= now + MAX_DAYS * DAY_MS ? ok(at) : fail("may be at most a year away");
}

function parse(text: string, now: number): number | null {
  const days = /^([1-9]\d{0,5})d$/.exec(text)?.[1];
  if (days !== undefined) return now + Number(days) * DAY_MS;
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return null;
  const at = Date.parse(`${text}T23:59:59.999Z`);
  // A day that does not exist is carried over into the next month by some parsers, and refused by others.
  return Number.isNaN(at) || !new Date(at).toISOString().startsWith(text) ? null : at;
}
