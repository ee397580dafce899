/**
 * Recognizes the armour of a private key and how far its body goes, also where the end is missing, the line breaks are
 * escaped, or the lines are string literals of a program. Pure, and linear whatever the text.
 */

const HEADER =
  /-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----|---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----|PuTTY-User-Key-File-\d:/y;
/** All that may stand between header and end: base64, RFC 1421 headers, escapes, quotes, plus signs, margins. */
const BODY = /[A-Za-z0-9+/=\s\\:,."'`+#*|>()_@-]*/y;
const END = /-----END [A-Z0-9 ]{3,40}-----|---- END SSH2 [A-Z ]{3,40} ----|Private-MAC: [0-9a-f]{0,64}/;
const NEXT_START = /-----BEGIN |---- BEGIN SSH2|PuTTY-User-Key-File-/;
/** Enough letters in a row that they are a key and no words. */
const RUN = /[A-Za-z0-9+/=]{32}/;
const MAX_LENGTH = 15 * 1024;

/** The first letters that any private key begins with, for the gate. */
export const PRIVATE_KEY_STARTS = ["-----BEGIN ", "---- BEGIN SSH2", "PuTTY-User-Key-File-"] as const;

/** Where the key that begins at `start` ends; null where there is none, or only the header of a manual. */
export function endOfPrivateKey(text: string, start: number): number | null {
  HEADER.lastIndex = start;
  const header = HEADER.exec(text);
  if (header === null) return null;
  const bodyStart = start + header[0].length;
  const rest = text.slice(bodyStart, start + MAX_LENGTH);
  const next = rest.search(NEXT_START);
  BODY.lastIndex = 0;
  const body = BODY.exec(next < 0 ? rest : rest.slice(0, next))?.[0] ?? "";
  const end = END.exec(body);
  const inner = end === null ? body : body.slice(0, end.index);
  const run = RUN.exec(inner.slice(0, 1200))?.[0];
  if (run === undefined || new Set(run).size <= 3) return null;
  return bodyStart + (end === null ? lengthWithoutEnd(inner) : end.index + end[0].length);
}

/** The end is missing: the key goes on as long as its lines are dense. */
function lengthWithoutEnd(body: string): number {
  let length = 0;
  let dense = false;
  for (const line of body.split(/(?<=\n|\\n)/)) {
    const isDense = /[A-Za-z0-9+/=]{16}/.test(line);
    if (dense && !isDense) {
      const tail = /^[\s"']*[A-Za-z0-9+/]{0,76}={1,2}/.exec(line); // a short last line, with its padding
      return length + (tail?.[0].length ?? 0);
    }
    dense ||= isDense;
    length += line.length;
  }
  return body.trimEnd().length;
}

/** True where the text holds a private key with a body. */
export function hasPrivateKey(text: string): boolean {
  for (const literal of PRIVATE_KEY_STARTS) {
    for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + literal.length)) {
      if (endOfPrivateKey(text, at) !== null) return true;
    }
  }
  return /AGE-SECRET-KEY-1[A-Z0-9]{40}/.test(text);
}
