/**
 * Judges `name = value` by the name and the look of the value: `DB_PASSWORD=...`, `"clientSecret": "..."`. Pure.
 * For passwords and tokens without a form of their own; never certain, so it warns and redacts but does not block.
 */
import { isPlaceholder } from "./secret-placeholders.ts";

/** Words that the gate looks for; the name may go on before and after them. */
export const ASSIGNMENT_WORDS = [
  "password",
  "passwd",
  "passphrase",
  "secret",
  "token",
  "api_key",
  "apikey",
  "api-key",
  "access_key",
  "accesskey",
  "private_key",
  "privatekey",
  "credential",
  "auth_key",
  "encryption_key",
  "signing_key",
  "account_key",
  "shared_key",
] as const;

/** From the end of the word: the rest of the name, the sign, an opening quote, the value. */
const REST =
  /(?=([A-Za-z0-9_.-]{0,30}))\1\\?["'`]?\]?[ \t]{0,8}(?::=|=>|=(?!=)|:(?!:))[ \t]{0,8}(?:b?\\?(["'`]))?([A-Za-z0-9+/_.~!@#$%^&*?-]{6,256}={0,2})/y;
/** A value may go on with signs that no password is recognized by, but that belong to it. */
const VALUE_END = /[^\s"'`,;&<>\\]{0,256}/y;
const METADATA =
  /(?:ur[il]|endpoint|path|file(?:name)?|name|type|length|expir\w*|ttl|limit|count|regex|pattern|policy|min\w*|max\w*|method|algorithm|[_-]id|Id|enabled|required|header|version|prefix|scheme|scope|provider|hint|label|field|rounds|cost|class|component|page|form|input|reset|strength|manager|store|service|confirm\w*|placeholder|title|text|message|error|ref)s?$/i;
/** The word goes on: `tokenizer`, `secretary`, `passwordless`. */
const OTHER_WORD = /^(?!s\b|s[A-Z_.-]|key|value|data|string|text)[a-z]/;
/** An expression of a program: a call, a member, a path, a variable of a template. */
const EXPRESSION =
  /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+$|^(?:\.{0,2}\/|~\/|[A-Za-z]+:\/\/|process\.|this\.|self\.|new |await )|[()[\]{};]/;
/** Values that everybody uses for "no real one". */
const WEAK =
  /^(?:pass(?:word|wd)?|secret|token|admin|root|user(?:name)?|guest|test(?:ing)?|demo|default|foo(?:bar)?|bar|baz|qwerty|postgres|mysql|redis|rabbitmq|minio(?:admin)?|letmein|changeit|string|required|optional|password\d{1,3}|pass\d{1,3}|abc123|12345\d*|abcdef\d*)$/i;

export interface AssignedSecret {
  readonly start: number;
  readonly end: number;
}

/** `wordEnd` is where one of `ASSIGNMENT_WORDS` ends in `text`. null: no assignment, or no value worth a word. */
export function secretAssignedAt(text: string, wordStart: number, wordEnd: number): AssignedSecret | null {
  REST.lastIndex = wordEnd;
  const match = REST.exec(text);
  if (match === null) return null;
  const [whole, tail = "", quote, value = ""] = match;
  if (METADATA.test(tail) || OTHER_WORD.test(tail)) return null;
  const start = wordEnd + whole.length - value.length;
  const isVariable = quote === undefined && isShellVariable(text, wordStart, wordEnd + tail.length);
  if (!isSecretValue(value, quote !== undefined || isVariable)) return null;
  VALUE_END.lastIndex = start + value.length;
  VALUE_END.test(text);
  return { start, end: VALUE_END.lastIndex };
}

/** What a field of a structured answer says by its name. */
export function isSecretField(name: string, value: string): boolean {
  const word = ASSIGNMENT_WORDS.find((candidate) => name.toLowerCase().includes(candidate));
  if (word === undefined || /\s/.test(value) || value.length < 6) return false;
  const tail = name.slice(name.toLowerCase().indexOf(word) + word.length);
  return !METADATA.test(tail) && !OTHER_WORD.test(tail) && isSecretValue(value, true);
}

export function isWeakPassword(value: string): boolean {
  return WEAK.test(value) || isPlaceholder(value);
}

/** `NAME=value`, in capitals: nothing but a value can follow. */
function isShellVariable(text: string, wordStart: number, nameEnd: number): boolean {
  if (text.charCodeAt(nameEnd) !== 0x3d) return false;
  for (let at = nameEnd - 1; at > nameEnd - 64; at--) {
    const code = text.charCodeAt(at);
    const isCapital = code >= 0x41 && code <= 0x5a;
    if (isCapital || code === 0x5f || (code >= 0x30 && code <= 0x39)) continue;
    return at < wordStart && !(code >= 0x61 && code <= 0x7a) && code !== 0x2e;
  }
  return false;
}

function isSecretValue(value: string, isLiteral: boolean): boolean {
  if (!/\d/.test(value) || isWeakPassword(value) || EXPRESSION.test(value)) return false;
  const classes = countClasses(value);
  if (classes < 2 || isWordList(value)) return false;
  if (isLiteral) return value.length >= 8 || classes >= 3;
  return value.length >= 20 && /\d.*\D.*\d/.test(value);
}

/** Small letters, capitals, digits, signs: how many of the four. */
export function countClasses(value: string): number {
  let seen = 0;
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code >= 0x61 && code <= 0x7a) seen |= 1;
    else if (code >= 0x41 && code <= 0x5a) seen |= 2;
    else if (code >= 0x30 && code <= 0x39) seen |= 4;
    else seen |= 8;
  }
  return (seen & 1) + ((seen >> 1) & 1) + ((seen >> 2) & 1) + (seen >> 3);
}

/** `step-2-of-3`, `v1.2.3`, `some_name_2`: words and numbers with signs between them. */
export function isWordList(value: string): boolean {
  const parts = value.split(/[-_./]/);
  return parts.length > 1 && parts.every((part) => /^(?:[a-z]*|[A-Z]?[a-z]+|[A-Z]*|v?\d{1,4})$/.test(part));
}
