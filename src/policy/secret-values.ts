/**
 * The values that a configuration file gives to names of secrets, in any of the usual notations. Pure, linear. For files
 * whose names say already that secrets are in them: a plain word counts here, unlike in secret-assignments.ts.
 */
import { isEncryptedValue, isPlaceholder } from "./secret-placeholders.ts";

const WORD =
  /pass(?:word|wd|phrase|code)?|pwd|secret|token|api_?-?key|access_?-?key|private_?-?key|client_?-?key-data|auth_?key|account_?key|shared_?key|encryption_?key|signing_?key|connection_?string|credential|refresh|keystring|preshared_?key|sas|auth|key/gi;
/** The rest of the name; the sign; the value, quoted or up to white space. */
const REST =
  /(?=([A-Za-z0-9_.-]{0,40}))\1["']?[ \t]{0,80}(?:=>|[:=]|,(?=[ \t]{0,80}['"]))[ \t]{0,80}(?:"([^"\n]{0,4096})"?|'([^'\n]{0,4096})'?|([^\s,;#"'[{(]{1,256}))/y;
const ELEMENT =
  /<[\w.-]{0,30}(?:pass|secret|token|apikey|privatekey)[\w.-]{0,30}>[ \t\r\n]{0,80}([^<\s][^<]{0,400})<|key="[^"]{0,40}(?:password|apikey|token)[^"]{0,20}"[ \t]{1,20}value="([^"]{1,400})"/gi;
/** Names that hold a word of the list but no secret: where a token is fetched, how long it lives, which one it is. */
const METADATA =
  /(?:ur[il]|endpoint|path|file|filename|name|type|length|expir\w*|expires_?(?:in|at)|ttl|lifetime|limit|max_?tokens|count|regex|pattern|policy|min\w*|max\w*|method|algorithm|id|enabled|required|header|version|prefix|scheme|scope|provider|hint|label|field|hash_?rounds|cost)$/i;

export function secretValues(text: string): { values: string[]; encrypted: boolean } {
  const values: string[] = [];
  let encrypted = false;
  const consider = (value: string): void => {
    if (isEncryptedValue(value)) encrypted = true;
    else if (!isPlaceholder(value) && !/^\d{1,3}$/.test(value)) values.push(value);
  };
  let judgedTo = 0;
  for (const match of text.matchAll(WORD)) {
    if (match.index < judgedTo) continue;
    const word = match[0].toLowerCase();
    REST.lastIndex = match.index + word.length;
    const rest = REST.exec(text);
    if (rest === null) continue;
    const tail = rest[1] ?? "";
    const value = rest[2] ?? rest[3] ?? rest[4] ?? "";
    // `auth` and `key` are words of many things: only alone, and before something long, do they name a secret
    const isBare = word === "auth" || word === "key";
    const isOwnName = tail === "" && !/[A-Za-z0-9.-]/.test(text.charAt(match.index - 1));
    if (isBare ? !isOwnName || value.length < 12 || /\s/.test(value) : METADATA.test(word + tail)) continue;
    consider(value);
    judgedTo = REST.lastIndex;
  }
  for (const match of text.matchAll(ELEMENT)) consider(match[1] ?? match[2] ?? "");
  return { values, encrypted };
}
