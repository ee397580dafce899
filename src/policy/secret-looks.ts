/**
 * The second opinion on a doubtful name: the first bytes of the file, as text. Pure. It clears a name only where the
 * text proves it harmless; text that proves nothing leaves the verdict of the name as it was.
 */
import type { Look } from "./secret-kinds.ts";
import { isEncryptedValue, isPlaceholder } from "./secret-placeholders.ts";
import { hasPrivateKey } from "./secret-private-key.ts";
import { hasUrlCredentials } from "./secret-urls.ts";
import { secretValues } from "./secret-values.ts";

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
      return /^[ \t]*[^\s#;]/m.test(text) ? "block" : afterAll("harmless", whole);
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
/** The first bytes of an OpenPGP public key, an encrypted message, a signature. */
const PUBLIC_PGP_PACKETS = "\u0098\u0099\u00c6\u0084\u0085\u00c1\u0088\u0089\u00c2";

function judgePem(text: string, whole: boolean): LookResult {
  if (hasPrivateKey(text)) return "block";
  if (PUBLIC_PGP_PACKETS.includes(text.charAt(0)) && text !== "") return "harmless";
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
  const dense = [...text.matchAll(/[A-Za-z0-9+/_-]{20,4096}/g)];
  if (dense.some(([token]) => /\d/.test(token) && /[A-Za-z]/.test(token))) return "block";
  const readable =
    /[\w ]["']?[ \t]{0,80}[:=][ \t]{0,80}\S/.test(text) || /\S[ \t]{1,80}\S{1,80}[ \t]{1,80}\S/.test(text);
  return readable ? afterAll("harmless", whole) : "unknown";
}

function judgeAssignments(text: string, whole: boolean): LookResult {
  const { values, encrypted } = secretValues(text);
  if (values.length > 0 || hasPrivateKey(text) || hasPasswordForWeb(text)) return "block";
  if (encrypted) return "warn";
  const structured =
    /^[ \t]*(?:[{[<]|---)|[\w.-]["']?[ \t]{0,80}(?:=>|[:=])/m.test(text) || isOnlyComments(text);
  return structured ? afterAll("harmless", whole) : "unknown";
}

/** A file that is called `secrets`: a Kubernetes Secret, values of any name, or all of it encrypted. */
function judgeManifest(text: string, whole: boolean): LookResult {
  if (text.startsWith("$ANSIBLE_VAULT")) return "warn";
  if (/^[ \t]*kind:[ \t]*["']?Secret\b/m.test(text) && hasManifestData(text)) return "block";
  const judged = !/^[ \t]*kind:/m.test(text) && hasDenseValue(text) ? "block" : judgeAssignments(text, whole);
  const isSealed = /^sops:|"sops"[ \t]*:|\bENC\[|^[ \t]*kind:[ \t]*["']?SealedSecret/m.test(text);
  return isSealed && judged !== "block" ? "warn" : judged;
}

/** In a file that is called `secrets` the names may be anything: `wifi: hunter22`. */
function hasDenseValue(text: string): boolean {
  const values = text.matchAll(
    /^[ \t]{0,80}["']?[\w.-]{1,80}["']?[ \t]{0,8}[:=][ \t]{0,8}["']?([^\s"',]{6,512})/gm,
  );
  return [...values].some(([, value = ""]) => {
    if (isPlaceholder(value) || isEncryptedValue(value) || /^(?:[a-z+]{2,20}:\/\/|[./~])/.test(value))
      return false;
    return (/\d/.test(value) && /[A-Za-z]/.test(value)) || value.length >= 20;
  });
}

/** A value below `data:` or `stringData:` that is no hole of a template. */
function hasManifestData(text: string): boolean {
  let depth = -1;
  for (const line of text.split("\n")) {
    const indent = line.search(/\S/);
    if (indent < 0) continue;
    if (indent <= depth) depth = -1;
    if (/^\s*(?:data|stringData):\s*$/.test(line)) depth = indent;
    else if (depth >= 0) {
      const value = /^\s*["']?[\w.-]{1,253}["']?:\s*(\S.*)$/.exec(line)?.[1];
      if (value !== undefined && !isPlaceholder(value)) return true;
    }
  }
  return false;
}

function judgeNpmrc(text: string, whole: boolean): LookResult {
  const secret =
    /(?:^|[:\s])(?:_authToken|_auth|_password|npmAuthToken|npmAuthIdent|token|password|key)["']?[ \t]{0,80}[=:][ \t]{0,80}["']?([^\s"']{3,4096})/gim;
  const filled = [...text.matchAll(secret)].some((match) => !isPlaceholder(match[1] ?? ""));
  return filled || hasPasswordForWeb(text) || hasPrivateKey(text) ? "block" : afterAll("harmless", whole);
}

function isOnlyComments(text: string): boolean {
  return !/^[ \t]*[^\s#;/]/m.test(text);
}

/** A URL with a password in it, or git's header for one. */
function hasPasswordForWeb(text: string): boolean {
  return hasUrlCredentials(text) || GIT_HEADER.test(text);
}

const GIT_HEADER =
  /extraheader[ \t]{0,80}=[ \t]{0,80}["']?authorization:[ \t]{0,80}\S{1,80}[ \t]{1,80}\S{8}/i;
