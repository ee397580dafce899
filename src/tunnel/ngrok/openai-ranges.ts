/**
 * The addresses that ChatGPT calls from, as OpenAI publishes them (developers.openai.com, "IP egress ranges"). They
 * tell a network, not a person: every user of ChatGPT calls from there. Never a substitute for a credential.
 */
import { readFile, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { z } from "zod";
import { fail, ok, type Result } from "../../lib/result.ts";

export const RANGES_URL = "https://openai.com/chatgpt-connectors.json";

const ANSWER_WITHIN_MS = 15_000;
const MAX_BYTES = 1024 * 1024;
/** OpenAI asks to fetch the list regularly; an older copy would shut out, and let in, the wrong ones. */
const KEPT_FOR_MS = 7 * 86_400_000;

const published = z.looseObject({
  prefixes: z
    .array(z.looseObject({ ipv4Prefix: z.string().optional(), ipv6Prefix: z.string().optional() }))
    .min(1),
});
const kept = z.looseObject({ version: z.literal(1), at: z.number(), ranges: z.array(z.string()).min(1) });

export interface RangesParts {
  readonly url: string;
  /** Where the last list that could be fetched is kept. */
  readonly file: string;
  readonly now: () => number;
}

/** The list as it is published now, or a copy that is not older than a week. Nothing is let in without a list. */
export async function readOpenaiRanges(
  { url, file, now }: RangesParts,
  signal: AbortSignal,
): Promise<Result<string[], string>> {
  const fetched = await fetchRanges(url, signal);
  if (fetched.ok) {
    const copy = { version: 1, at: now(), ranges: fetched.value };
    await writeFile(file, JSON.stringify(copy), { mode: 0o600 });
    return fetched;
  }
  const copy = parseKept(await readFile(file, "utf8").catch(() => ""));
  const isFresh = copy !== null && copy.at <= now() && now() - copy.at < KEPT_FOR_MS;
  return isFresh ? ok(copy.ranges) : fetched;
}

async function fetchRanges(url: string, signal: AbortSignal): Promise<Result<string[], string>> {
  try {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]);
    const answer = await fetch(url, { signal: deadline, redirect: "error" });
    if (!answer.ok) return fail(`${url} answers ${answer.status}`);
    const text = await answer.text();
    if (text.length > MAX_BYTES) return fail(`${url} is larger than it can be`);
    return toRanges(text, url);
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return fail(`${url} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

function toRanges(text: string, url: string): Result<string[], string> {
  const parsed = published.safeParse(parseJson(text));
  if (!parsed.success) return fail(`${url} is not the list that it was`);
  const ranges = parsed.data.prefixes
    .flatMap(({ ipv4Prefix, ipv6Prefix }) => [ipv4Prefix, ipv6Prefix])
    .filter((range) => range !== undefined);
  const wrong = ranges.find((range) => !isRange(range));
  if (wrong !== undefined || ranges.length === 0) return fail(`${url} has what is no range of addresses`);
  return ok([...new Set(ranges)]);
}

/** An address and a prefix length that leaves most of the world out. */
function isRange(text: string): boolean {
  const [address = "", length = "", ...more] = text.split("/");
  const family = isIP(address);
  if (family === 0 || more.length > 0 || !/^\d{1,3}$/.test(length)) return false;
  return Number(length) >= 8 && Number(length) <= (family === 4 ? 32 : 128);
}

function parseKept(text: string): z.output<typeof kept> | null {
  const parsed = kept.safeParse(parseJson(text));
  return parsed.success && parsed.data.ranges.every(isRange) ? parsed.data : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
