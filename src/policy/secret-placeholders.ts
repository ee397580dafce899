/**
 * Tells a value from the mark of a missing one: `${VAR}`, `<token>`, `your-key-here`, `xxxx`, `null`. Pure.
 * Wrong towards "it is a value": a password that somebody really chose is never called a placeholder.
 */

/** Taken from elsewhere at run time: a variable, a template's hole, a function call. */
const REFERENCE =
  /^(?:\$[{(]|\$[a-z_]\w*(?:[/:.,-]|$)|%[\w.]+%$|\{\{|<%|<[\w .:/-]*>$|\[[\w .-]+\]$|@[\w.]+@$|#\{|env[.([]|process\.env|os\.(?:environ|getenv)|secrets?\.|var\.|vault:|op:\/\/|arn:aws:|ref\+|!(?:vault|ENV|Ref|Sub|GetAtt)\b)/i;
/** A hole inside a longer value, as in `postgres://user:${PASSWORD}@host`. */
const HOLE = /\$\{|\$\(|\{\{|<%|<[\w-]{2,40}>|%\(/;
const WORDS =
  /example|placeholder|change[_-]?(?:me|it|this)\b|your[_-]|[_-]your|^your|yourkey|yourtoken|redacted|replace[_-]?(?:me|this|with)|insert[_-]|x{4,}|\*{3,}|\.{3}|…|dummy|to[_-]?be[_-]?(?:set|filled)|not[_-]?a[_-]?real|fill[_-]?(?:me|in)|[_-]here$|^todo\b|^tbd$/i;
const NOTHING = /^(?:null|nil|none|undefined|true|false|yes|no|on|off|string|str|any|~|n\/a|-+|_+|\?+)$/i;

/** True where `value` stands for a secret that is not there. Quotes around it do not matter. */
export function isPlaceholder(value: string): boolean {
  const bare = value
    .trim()
    .replace(/^(["'`])(.*)\1[;,]?$/s, "$2")
    .trim();
  if (bare === "" || NOTHING.test(bare) || REFERENCE.test(bare) || HOLE.test(bare) || WORDS.test(bare))
    return true;
  return bare.length >= 4 && distinctLetters(bare) <= 2;
}

/** The same for a token of a known form, which is long and random: nothing that chance could put into it counts. */
export function isPlaceholderToken(token: string): boolean {
  return TOKEN_WORDS.test(token) || distinctLetters(token.slice(-24)) <= 2;
}

const TOKEN_WORDS =
  /example|placeholder|redacted|replace[_-]|insert[_-]|your[_-]|[_-]your|x{8,}|0{12,}|\*{3,}|\.{3}|[_-]here$/i;

/** Already ciphertext: dotenvx, SOPS, Ansible Vault, Rails. */
export function isEncryptedValue(value: string): boolean {
  return /^["']?(?:encrypted:|ENC\[|\$ANSIBLE_VAULT|age1|vault:v\d+:|!vault)/.test(value.trim());
}

function distinctLetters(value: string): number {
  const seen = new Set<string>();
  for (const letter of value) {
    seen.add(letter);
    if (seen.size > 2) break;
  }
  return seen.size;
}
