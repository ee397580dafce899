/**
 * Finds the secrets in a text: where they are, of what kind, and how sure. Pure. Knows forms, not files: what to do
 * about a finding is decided elsewhere.
 */
import { ASSIGNMENT_WORDS, secretAssignedAt } from "./secret-assignments.ts";
import { createGate, type Gate } from "./secret-gate.ts";
import type { ContentHit } from "./secret-kinds.ts";
import { isPlaceholderToken } from "./secret-placeholders.ts";
import { endOfPrivateKey, PRIVATE_KEY_STARTS } from "./secret-private-key.ts";
import { CONTENT_RULES } from "./secret-rules.ts";
import { credentialsOfUrl } from "./secret-urls.ts";

/** No secret is recognized over a longer stretch than this: what a stream must keep in view. */
export const LONGEST_SECRET = 16 * 1024;

/** How far around a secret its company is looked for. */
const NEAR = 1_500;

type Judge = (text: string, start: number) => ContentHit | null;

/** One judge for each literal of the gate, in the same order; of two at one place the first to see a secret wins. */
const entries: readonly { readonly literal: string; readonly judge: Judge }[] = [
  ...PRIVATE_KEY_STARTS.map((literal) => ({ literal, judge: judgePrivateKey })),
  { literal: "://", judge: credentialsOfUrl },
  ...CONTENT_RULES.flatMap((rule) =>
    rule.literals.map((literal) => ({
      literal,
      judge: (text: string, start: number): ContentHit | null => {
        rule.pattern.lastIndex = start;
        const match = rule.pattern.exec(text);
        if (match === null) return null;
        const value = match[1] ?? match[0];
        if (rule.near !== undefined && !rule.near.test(text.slice(Math.max(0, start - NEAR), start + NEAR)))
          return null;
        if (isPlaceholderToken(value) || (rule.decodes !== undefined && !decodesTo(value, rule.decodes)))
          return null;
        const end = start + match[0].length;
        const from = match[1] === undefined ? start : start + match[0].lastIndexOf(match[1]);
        return {
          kind: rule.kind,
          verdict: rule.verdict,
          start: from,
          end: match[1] === undefined ? end : from + match[1].length,
        };
      },
    })),
  ),
  ...ASSIGNMENT_WORDS.map((literal) => ({
    literal,
    judge: (text: string, start: number): ContentHit | null => {
      const span = secretAssignedAt(text, start, start + literal.length);
      return span === null ? null : { kind: "assignment", verdict: "warn", isVague: true, ...span };
    },
  })),
];

export const SECRET_LITERALS: readonly string[] = entries.map(({ literal }) => literal);

const gate = createGate(SECRET_LITERALS);

/**
 * `bytes` are the text's characters, one byte each (what `Buffer.from(text, "latin1")` gives): the gate reads them.
 * `text` is asked for only where something may be. Hits are sorted and do not overlap.
 */
export function findSecrets(bytes: Uint8Array, text: () => string): ContentHit[] {
  return findWith(gate, bytes, text, judgeAt);
}

/** The secret that the literal number `literal` opens at `start`, if there is one. */
export function judgeAt(text: string, literal: number, start: number): ContentHit | null {
  return entries[literal]?.judge(text, start) ?? null;
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly isVague?: boolean;
}

/** The same walk with any gate and judge; `redact.ts` adds literals of its own. */
export function findWith<H extends Span>(
  opener: Gate,
  bytes: Uint8Array,
  text: () => string,
  judge: (text: string, literal: number, start: number) => H | null,
): H[] {
  const hits: H[] = [];
  let whole: string | null = null;
  let lastStart = 0;
  let lastEnd = 0;
  opener.scan(bytes, (literal, start) => {
    if (start >= lastStart && start < lastEnd) return;
    whole ??= text();
    const hit = judge(whole, literal, start);
    if (hit === null) return;
    hits.push(hit);
    if (hit.isVague !== true && hit.end > lastEnd) [lastStart, lastEnd] = [hit.start, hit.end];
  });
  return withoutOverlap(hits);
}

/** Of spans that overlap one is left, as wide as all of them and called by the surest. */
function withoutOverlap<H extends Span>(hits: H[]): H[] {
  if (hits.length < 2) return hits;
  const kept: H[] = [];
  for (const hit of hits.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const last = kept.at(-1);
    if (last === undefined || hit.start >= last.end) kept.push(hit);
    else {
      const surest = last.isVague === true && hit.isVague !== true ? hit : last;
      kept[kept.length - 1] = { ...surest, start: last.start, end: Math.max(last.end, hit.end) };
    }
  }
  return kept;
}

function judgePrivateKey(text: string, start: number): ContentHit | null {
  const end = endOfPrivateKey(text, start);
  return end === null ? null : { kind: "private-key", verdict: "block", start, end };
}

function decodesTo(base64: string, form: RegExp): boolean {
  try {
    return form.test(atob(base64));
  } catch {
    return false; // no base64 after all
  }
}
