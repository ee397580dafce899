/**
 * Redacts text that comes in pieces: holds back the last part until it is certain that no secret goes on beyond it, and
 * keeps what it let go in view as far as a secret could reach back. What comes out is what `redact` would make of the whole.
 */
import { StringDecoder } from "node:string_decoder";
import { LONGEST_SECRET } from "../policy/secret-content.ts";
import { type Redactor, type Replacement, replaceAll } from "./redact.ts";

export interface RedactStream {
  /** What may leave by now; often nothing. Bytes are UTF-8, cut anywhere. */
  readonly write: (chunk: string | Uint8Array) => string;
  /** The rest. Nothing may be written after it. */
  readonly end: () => string;
}

export function createRedactStream(redactor: Redactor): RedactStream {
  const decoder = new StringDecoder("utf8");
  /** `seen` has left already and is kept as context; `held` has not. */
  let seen = "";
  let held = "";

  const release = (isLast: boolean): string => {
    const text = seen + held;
    const replacements = redactor.find(text).filter(({ end }) => end > seen.length);
    const cut = isLast
      ? text.length
      : wholeLetters(text, cutBefore(replacements, text.length - LONGEST_SECRET));
    if (cut <= seen.length) return "";
    const own = replacements.filter(({ start }) => start < cut);
    const shifted = own.map((replacement) => shift(replacement, seen.length));
    const out = replaceAll(text.slice(seen.length, cut), shifted);
    seen = text.slice(Math.max(0, cut - LONGEST_SECRET), cut);
    held = text.slice(cut);
    redactor.note(own);
    return out;
  };
  return {
    write: (chunk) => {
      held += typeof chunk === "string" ? chunk : decoder.write(Buffer.from(chunk));
      return held.length < 4 * LONGEST_SECRET ? "" : release(false);
    },
    end: () => {
      held += decoder.end();
      return held === "" ? "" : release(true);
    },
  };
}

/** The last place up to `limit` that no replacement spans. */
function cutBefore(replacements: readonly Replacement[], limit: number): number {
  const spanning = replacements.find(({ start, end }) => start < limit && end > limit);
  return spanning === undefined ? limit : spanning.start;
}

/** Not between the two halves of one letter. */
function wholeLetters(text: string, cut: number): number {
  return /[\ud800-\udbff]/.test(text[cut - 1] ?? "") ? cut - 1 : cut;
}

/** In a text that begins `by` characters later. A secret that began before it is cut to what is left of it. */
function shift(replacement: Replacement, by: number): Replacement {
  return { ...replacement, start: Math.max(0, replacement.start - by), end: replacement.end - by };
}
