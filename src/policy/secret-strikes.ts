/**
 * Which exact values are struck out wherever they appear, once a scan has seen them: a password has no form of its own
 * when Codex prints it alone. Pure. What is short, a placeholder, a common word, an address or a path stays readable.
 */
import { countClasses, isWeakPassword, isWordList } from "./secret-assignments.ts";
import type { ContentHit, Look } from "./secret-kinds.ts";
import { isEncryptedValue } from "./secret-placeholders.ts";
import { secretValues } from "./secret-values.ts";

const SHORTEST = 12;
const LONGEST = 4_096;
/** So many different letters at least: `------------` and `aaaabbbbcccc` stand in files of every kind. */
const LEAST_LETTERS = 6;

const ADDRESS =
  /^(?:[a-z][a-z0-9+.-]*:\/\/|[~.]{0,2}\/|[A-Za-z]:\\)|^[\w.+-]+@[\w.-]+$|^(?:[\w-]+\.)+[a-z]{2,}(?::\d+)?(?:\/|$)/i;
const NUMBERS = /^[\d\s.:,/TZ+-]+$/;
const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** `isNamed`: something says that this is a secret; else only its own look does. */
export function isWorthStriking(value: string, isNamed: boolean): boolean {
  if (value.length < SHORTEST || value.length > LONGEST || /[\r\n]/.test(value)) return false;
  if (isWeakPassword(value) || isEncryptedValue(value) || ADDRESS.test(value) || NUMBERS.test(value))
    return false;
  if (new Set(value).size < LEAST_LETTERS || isWordList(value)) return false;
  const isWords = /^[\p{L}\s.,;:!?'-]+$/u.test(value);
  if (isNamed) return !isWords && countClasses(value) >= 2;
  return /\d/.test(value) && /[A-Za-z]/.test(value) && !/\s/.test(value) && !UUID.test(value);
}

/** Of what the content rules found in a text. */
export function strikesOfHits(text: string, hits: readonly ContentHit[]): string[] {
  return hits.flatMap(({ kind, start, end }) => {
    const value = text.slice(start, end);
    if (kind === "private-key") return value.match(/[A-Za-z0-9+/]{32,}={0,2}/g) ?? [];
    return isWorthStriking(value, true) ? [value] : [];
  });
}

const LINE = /^[ \t]*(?:export[ \t]+|set[ \t]+)?[\w.-]{1,128}[ \t]*[=:][ \t]*(\S.*)$/gm;

/** Of a file that its name gave away, and that was not cleared by what stands in it. */
export function strikesOfNamedFile(text: string, look: Look): string[] {
  const named = secretValues(text).values.filter((value) => isWorthStriking(value, true));
  if (look !== "dotenv" && look !== "envrc") return named;
  const others = [...text.matchAll(LINE)]
    .map(([, value = ""]) => unquoted(value))
    .filter((value) => isWorthStriking(value, false));
  return [...new Set([...named, ...others])];
}

function unquoted(value: string): string {
  const quoted = /^(["'`])(.*)\1/.exec(value)?.[2];
  return quoted ?? value.replace(/\s#.*$/, "").trim();
}
