/**
 * The second opinion on a doubtful name: the first bytes of the file, as text. Pure. It clears a name only where the
 * text proves it harmless; text that proves nothing leaves the verdict of the name as it was.
 */
import type { Look } from "./secret-kinds.ts";
import { isEncryptedValue, isPlaceholder } from "./secret-placeholders.ts";
import { hasPrivateKey } from "./secret-private-key.ts";
import { hasUrlCredentials } from "./secret-urls.ts";

/** `harmless`: proven so. `unknown`: the verdict of the name stands. `more`: only a larger part of the file can tell. */
export type LookResult = "block" | "warn" | "harmless" | "unknown" | "more";

/**
 * `text` is the file's beginning (any encoding decoded, other bytes as Latin-1); `whole` says that nothing follows it.
 * `template` files are judged by the content rules alone, so the answer here is `harmless`.
 */
export function judgeLook(look: Look, text: string, whole: boolean): LookResult {
  switch (look) {
    case "dotenv":
      return afterAll(judgeDotenv(text, false), whole);
    case "envrc":
      return afterAll(judgeDotenv(text, true), whole);
    case "pem":
      return judgePem(text, whole);
    case "key":
      return judgeKey(text, whole);
    case "assignments":
      return judgeAssignments(text, whole);
    case "manifest":
      return judgeManifest(text, whole);
    case "npmrc":
      return judgeNpmrc(text, whole);
    case "url":
      return hasPasswordForWeb(text) ? "block" : afterAll("harmless", whole);
    case "filled":
      return /^\s*[^\s#;]/m.test(text) ? "block" : afterAll("harmless", whole);
    case "template":
      return "harmless";
  }
}

/** Nothing is proven by a part. */
function afterAll(result: LookResult, whole: boolean): LookResult {
  return whole || result === "block" ? result : "more";
}

const DOTENV_LINE = /^\s*(?:export\s+|set\s+)?[\w.-]+\s*[=:]\s*(.*)$/;
const PUBLIC_VARIABLE = /^\s*(?:export\s+)?DOTENV_PUBLIC_KEY\w*\s*=/;

function judgeDotenv(text: string, script: boolean): LookResult {
  let encrypted = false;
  for (const line of text.split(/[\r\n]+/)) {
    const bare = line.trim();
    if (bare === "" || bare.startsWith("#") || PUBLIC_VARIABLE.test(line)) continue;
    const value = DOTENV_LINE.exec(line)?.[1]?.replace(/\s#.*$/, "");
    if (value === undefined && script) continue;
    if (value !== undefined && isEncryptedValue(value)) encrypted = true;
    else if (value === undefined || !isPlaceholder(value)) return "block";
  }
  return encrypted || !script ? "warn" : "harmless";
}

const PUBLIC_BLOCK =
  /-----BEGIN (?:TRUSTED |X509 |NEW |RSA |EC |DSA )?(?:CERTIFICATE(?: REQUEST)?|PUBLIC KEY|DH PARAMETERS|EC PARAMETERS|DSA PARAMETERS|X9\.42 DH PARAMETERS|X509 CRL|PKCS7|CMS|PGP PUBLIC KEY BLOCK|PGP SIGNATURE|PGP SIGNED MESSAGE|PGP MESSAGE|SSH SIGNATURE)-----|^(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\S+|sk-\S+) AAAA|---- BEGIN SSH2 PUBLIC KEY ----|-----BEGIN PGP (?:PUBLIC|SIGN|MESSAGE)/m;
function judgePem(text: string, whole: boolean): LookResult {
  if (hasPrivateKey(text)) return "block";
  const first = text.charCodeAt(0);
  if (first === 0x99 || first === 0x98 || first === 0xc6) return "harmless"; // OpenPGP public key packet
  if (
    first === 0x85 ||
    first === 0x84 ||
    first === 0x88 ||
    first === 0x89 ||
    first === 0xc1 ||
    first === 0xc2
  )
    return "harmless"; // message, signature
  if (text.trim() === "" || PUBLIC_BLOCK.test(text)) return whole ? "harmless" : "more";
  return /PRIVATE KEY/.test(text) && whole ? "harmless" : "unknown";
}

/** `.key` is also Keynote's ending, and many programs' for translations and registries. */
function judgeKey(text: string, whole: boolean): LookResult {
  if (text.startsWith("PK\u0003\u0004")) return "harmless";
  const pem = judgePem(text, whole);
  if (pem !== "unknown") return pem;
  if (!/^[\t\n\r\u0020-\uffff]*$/.test(text) || /\(private-key|\bKey: \(/.test(text)) return "block";
  if (/[\u0080-\u009f]/.test(text)) return "block";
  const dense = /[A-Za-z0-9+/_-]{20,}={0,2}/g;
  if ([...text.matchAll(dense)].some(([token]) => /\d/.test(token) && /[A-Za-z]/.test(token))) return "block";
  const readable = /^\s*["']?[\w. -]+["']?\s*[:=]\s*\S/m.test(text) || /[^\s]\s+[^\s]+\s+\S/.test(text);
  return readable ? afterAll("harmless", whole) : "unknown";
}

const SECRET_WORD =
  "pass(?:word|wd|phrase|code)?|pwd|secret|token|api_?-?key|access_?-?key|private_?-?key|client_?-?key-data|auth_?key|account_?key|shared_?key|encryption_?key|signing_?key|connection_?string|credential|refresh|keystring|preshared_?key|sas";
/** `name = value`, `name: value`, `"name": "value"`, `'name' => 'value'`; the value is quoted or ends at white space. */
const ASSIGNMENT = new RegExp(
  `["']?(?<![A-Za-z0-9])([A-Za-z0-9_.@:/-]{0,60}?(?:${SECRET_WORD})[A-Za-z0-9_.-]{0,40}|_?auth|key)["']?[ \\t]*(?:=>|[:=]|,(?=[ \\t]*['"]))[ \\t]*(?:"([^"\\n]{0,4096})"|'([^'\\n]{0,4096})'|([^\\s,;#"'\\[{(]{1,4096}))`,
  "gi",
);
const ELEMENT = new RegExp(
  `<(?:[\\w.-]{0,30}(?:${SECRET_WORD})[\\w.-]{0,30}|pass)(?:\\s[^>]{0,200})?>\\s*([^<\\s][^<]{0,400})</|key="[^"]{0,40}(?:password|apikey|token)[^"]{0,20}"\\s+value="([^"]{1,400})"`,
  "gi",
);
/** Names that hold a word of the list but no secret: where a token is fetched, how long it lives, which one it is. */
const METADATA =
  /(?:ur[il]|uri|endpoint|path|file|filename|name|type|length|expir\w*|expires_?(?:in|at)|ttl|lifetime|limit|max_?tokens|count|regex|pattern|policy|min\w*|max\w*|method|algorithm|id|_id|enabled|required|header|version|prefix|scheme|scope|provider|hint|label|field|hash_?rounds|cost)$/i;

/** The values that `text` gives to names of secrets; placeholders, references and metadata are left out. */
export function secretValues(text: string): { values: string[]; encrypted: boolean } {
  const values: string[] = [];
  let encrypted = false;
  const consider = (value: string): void => {
    if (isEncryptedValue(value)) encrypted = true;
    else if (value.length >= 3 && !isPlaceholder(value) && !/^\d{1,3}$/.test(value)) values.push(value);
  };
  for (const match of text.matchAll(ASSIGNMENT)) {
    const value = match[2] ?? match[3] ?? match[4] ?? "";
    const name = match[1] ?? "";
    if (/^(?:_?auth|key)$/i.test(name) ? value.length >= 12 && !/\s/.test(value) : !METADATA.test(name))
      consider(value);
  }
  for (const match of text.matchAll(ELEMENT)) consider(match[1] ?? match[2] ?? "");
  return { values, encrypted };
}

function judgeAssignments(text: string, whole: boolean): LookResult {
  const { values, encrypted } = secretValues(text);
  if (values.length > 0 || hasPrivateKey(text) || hasPasswordForWeb(text)) return "block";
  if (encrypted) return "warn";
  const structured = /^\s*(?:[{[<]|---)|["']?[\w.-]+["']?\s*(?:=>|[:=])/m.test(text) || isOnlyComments(text);
  return structured ? afterAll("harmless", whole) : "unknown";
}

/** A file that is called `secrets`: a Kubernetes Secret, or any value of a name of its own choice. */
function judgeManifest(text: string, whole: boolean): LookResult {
  if (/^sops:|"sops"\s*:|\bENC\[|^\$ANSIBLE_VAULT/m.test(text)) return "warn";
  if (
    /^\s*kind:\s*["']?SealedSecret|^\s*kind:\s*["']?ExternalSecret|^\s*kind:\s*["']?SecretStore/m.test(text)
  )
    return "harmless";
  if (/^\s*kind:\s*["']?Secret\b/m.test(text)) {
    const data = /^\s*(?:data|stringData):\s*\n((?:[ \t]+\S.*\n?|\s*\n)+)/m.exec(text)?.[1] ?? "";
    const filled = [...data.matchAll(/^[ \t]+[\w.-]+:[ \t]*(\S.*)$/gm)].some(
      (line) => !isPlaceholder(line[1] ?? ""),
    );
    return filled ? "block" : afterAll("harmless", whole);
  }
  return judgeAssignments(text, whole);
}

function judgeNpmrc(text: string, whole: boolean): LookResult {
  const secret =
    /(?:^|[:\s])(?:_authToken|_auth|_password|npmAuthToken|npmAuthIdent|token|password|key)["']?\s*[=:]\s*(["']?)([^\s"']{3,})\1/gim;
  const filled = [...text.matchAll(secret)].some((match) => !isPlaceholder(match[2] ?? ""));
  return filled || hasPasswordForWeb(text) || hasPrivateKey(text) ? "block" : afterAll("harmless", whole);
}

function isOnlyComments(text: string): boolean {
  return !/^\s*[^\s#;/]/m.test(text);
}

/** A URL with a password in it, or git's header for one. */
function hasPasswordForWeb(text: string): boolean {
  return hasUrlCredentials(text) || /extraheader\s*=\s*["']?authorization:\s*\S+\s+\S{8}/i.test(text);
}
