/**
 * The look at everything that would leave, before it does: a secret keeps the question at home, or is struck out.
 * Uses the one redactor, which knows the forms of secrets and the values in this process's environment.
 */
import type { Redactor, Replacement } from "../audit/redact.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import type { AskFailure } from "./ask-failure.ts";

export type SecretsMode = "refuse" | "redact" | "off";

export interface OutgoingText {
  /** What the caller calls it: `prompt`, `files: src/a.ts`. */
  readonly place: string;
  readonly text: string;
  /** An id or a name: a part of it struck out would make it another one, so it is refused. */
  readonly isFixed?: boolean;
  /** The owner lets it pass as it is. */
  readonly isExcepted?: boolean;
}

/** The texts as they may leave, in order. */
export function screenTexts(
  texts: readonly OutgoingText[],
  mode: SecretsMode,
  redactor: Redactor,
): Result<readonly string[], AskFailure> {
  if (mode === "off") return ok(texts.map(({ text }) => text));
  const kinds: Record<string, number> = {};
  const places = new Set<string>();
  const refuse = (place: string, found: readonly Replacement[]): void => {
    places.add(place);
    for (const { by } of found) kinds[kindOf(by)] = (kinds[kindOf(by)] ?? 0) + 1;
  };
  const cleaned = texts.map(({ place, text, isFixed = false, isExcepted = false }) => {
    const found = isExcepted ? [] : secretsIn(text, redactor);
    if (found.length === 0) return text;
    if (mode === "refuse" || isFixed) {
      refuse(place, found);
      return text;
    }
    const clean = redactor.redact(text);
    const left = secretsIn(clean, redactor);
    if (left.length > 0) refuse(place, left);
    return clean;
  });
  return places.size === 0 ? ok(cleaned) : fail({ code: "secrets_found", kinds, places: [...places] });
}

function secretsIn(text: string, redactor: Redactor): readonly Replacement[] {
  return redactor.find(text).filter(({ isSecret }) => isSecret);
}

/** `[redacted:github]` is of the kind `github`. */
function kindOf(by: string): string {
  return by.slice("[redacted:".length, -1);
}
