/** Finds the password, or the token, in a URL. Pure. Passwords that everybody uses on their own machine are none. */
import { isWeakPassword } from "./secret-assignments.ts";
import type { ContentHit } from "./secret-kinds.ts";
import { isPlaceholder } from "./secret-placeholders.ts";

const USER_AND_PASSWORD = /:\/\/([^\s:/?#@"'<>`\\]{0,128}):([^\s/?#@"'`\\]{1,256})@(?=[\w.[$%{<-])/y;
const TOKEN_ALONE = /:\/\/([A-Za-z0-9_-]{20,255})@(?=[\w.[-])/y;
const SCHEME = /[a-z][a-z0-9+.-]{1,24}$/i;
const WEB = /^(?:https?|git|ftps?|wss?|svn|hg|socks\d?)(?:\+\w+)?$/i;
/** This machine, or a container beside it: a name without a dot. */
const OWN_MACHINE = /^(?:localhost|127\.\d|0\.0\.0\.0|\[::1\]|host\.docker\.internal|[\w-]{1,40}(?![\w.-]))/i;
const ANY_MACHINE = /^(?:[\w-]{1,40}\.){0,3}(?:example|invalid|test|your)\b|^[<$%{]/i;
const WORD_FOR_PASSWORD =
  /^(?:pass(?:word|wd)?|pwd|pw|secret|token|key|x-oauth-basic|x-access-token|anon(?:ymous|cvs)?)$/i;

/** `start` is where `://` stands. */
export function credentialsOfUrl(text: string, start: number): ContentHit | null {
  if (!hasUserInfo(text, start + 3)) return null;
  USER_AND_PASSWORD.lastIndex = start;
  const both = USER_AND_PASSWORD.exec(text);
  if (both !== null) {
    const [whole, user = "", password = ""] = both;
    const hostStart = start + whole.length;
    if (isNoPassword(user, password, text.slice(hostStart, hostStart + 80))) return tokenAsUser(user, start);
    const from = start + 3 + user.length + 1;
    return { kind: kindOfUrl(text, start), verdict: "block", start: from, end: from + password.length };
  }
  TOKEN_ALONE.lastIndex = start;
  const token = TOKEN_ALONE.exec(text)?.[1];
  return token === undefined ? null : tokenAsUser(token, start);
}

/** True where the text holds a URL with a password or a token in it. */
export function hasUrlCredentials(text: string): boolean {
  for (let at = text.indexOf("://"); at >= 0; at = text.indexOf("://", at + 3)) {
    if (credentialsOfUrl(text, at) !== null) return true;
  }
  return false;
}

/** Most URLs go on with a host and a slash: seen without a pattern. */
function hasUserInfo(text: string, from: number): boolean {
  for (let at = from; at < from + 400; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x40) return true;
    if (!(code > 0x20) || code === 0x2f || code === 0x22 || code === 0x27 || code === 0x60) return false;
  }
  return false;
}

function kindOfUrl(text: string, start: number): "basic-auth-url" | "database-url" {
  const scheme = SCHEME.exec(text.slice(Math.max(0, start - 26), start))?.[0] ?? "";
  return WEB.test(scheme) ? "basic-auth-url" : "database-url";
}

/** `https://TOKEN@host`, `https://TOKEN:x-oauth-basic@host` */
function tokenAsUser(user: string, start: number): ContentHit | null {
  const isToken = user.length >= 20 && /\d/.test(user) && /[A-Za-z]/.test(user) && !isPlaceholder(user);
  return isToken
    ? { kind: "basic-auth-url", verdict: "block", start: start + 3, end: start + 3 + user.length }
    : null;
}

function isNoPassword(user: string, password: string, host: string): boolean {
  if (user.startsWith("[redacted")) return true;
  if (password.length < 4 || isPlaceholder(password) || WORD_FOR_PASSWORD.test(password)) return true;
  const isUsual = isWeakPassword(password) || password === user;
  if (ANY_MACHINE.test(host)) return isUsual || password.length < 8 || !/\d/.test(password);
  return isUsual && OWN_MACHINE.test(host);
}
