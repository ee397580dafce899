/**
 * What a file's name says about it: nothing, or a verdict with a kind, perhaps with a look at its first bytes that
 * may clear it. Pure: reads no disk, knows no project. Rules live in secret-name-rules.ts.
 */
import type { NameJudgement } from "./secret-kinds.ts";
import {
  EXACT_NAMES,
  KEY_DIRECTORIES,
  NAME_PATTERNS,
  PLACED_NAMES,
  PUBLIC_IN_KEY_DIRECTORIES,
  SUFFIXES,
} from "./secret-name-rules.ts";

/**
 * `parentNames` are the directories above the file, outermost first. null: the name says nothing.
 * `block` and `warn` with a `look` stand unless the first bytes say otherwise; `allow` is a known harmless form.
 */
export function judgeName(basename: string, parentNames: readonly string[] = []): NameJudgement | null {
  if (isPlainName(basename)) return null;
  const name = normalizeName(basename);
  const judgement = judgeNormalized(name, parentNames) ?? judgeLookalike(name, parentNames);
  return judgement === null ? null : softenInNodeModules(judgement, parentNames);
}

/**
 * True for most names of source code: printable ASCII, no leading dot, an extension that never holds a secret by
 * name. Cheap enough for every file of a large tree.
 */
export function isPlainName(name: string): boolean {
  const length = name.length;
  if (length === 0 || name.charCodeAt(0) === 0x2e) return false;
  let extension = 0;
  let index = length - 1;
  for (; index > 0; index--) {
    const code = name.charCodeAt(index);
    if (code === 0x2e) break;
    if (code < 0x30 || code > 0x7a || length - index > 4) return false;
    extension = (extension << 7) | (code | 0x20);
  }
  if (index <= 0 || !PLAIN_EXTENSIONS.has(extension)) return false;
  for (index--; index >= 0; index--) {
    const code = name.charCodeAt(index);
    if (code < 0x21 || code > 0x7e) return false;
  }
  return true;
}

/** One spelling for all spellings that a person, or a file system that ignores case, takes for the same name. */
export function normalizeName(name: string): string {
  const shown = PRINTABLE_ASCII.test(name) ? name : name.normalize("NFKC").replaceAll(INVISIBLE, "");
  return shown.toLowerCase().replace(/^\s+/, "").replace(/[\s.]+$/, "") || name;
}

const PRINTABLE_ASCII = /^[\x21-\x7e]+$/;
/** Zero-width, bidi and other format characters, variation selectors, controls, and the sign of undecodable bytes. */
const INVISIBLE = /[\p{Cf}\p{Cc}\p{Default_Ignorable_Code_Point}\ufffd]/gu;

const PLAIN_EXTENSIONS: ReadonlySet<number> = new Set(
  (
    "ts tsx js jsx mjs cjs mts cts css scss sass less html htm vue md mdx map py pyi pyc go rs c h cc cpp hpp cxx java kt kts " +
    "rb swift cs fs ex exs lua pl svg png jpg jpeg gif webp ico woff ttf eot otf mp3 mp4 wasm o a so lock snap"
  )
    .split(" ")
    .map((extension) => [...extension].reduceRight((packed, letter) => (packed << 7) | letter.charCodeAt(0), 0)),
);

/** Part of every name that a pattern could match: spares most names the patterns. */
const HINT =
  /^\.env|^env\.|\.env|vars|id_|key|rsa$|dsa$|25519$|secret|cred|account|firebase|gcp|gcs|gcloud|google|bigquery|kube|tfstate|jwk|passw|wg\d*\.conf|dump|backup|bitwarden|password|gha-|private/;

function judgeNormalized(name: string, parents: readonly string[], depth = 0): NameJudgement | null {
  const found = EXACT_NAMES.get(name) ?? judgePlace(name, parents) ?? judgePattern(name);
  if (found !== null && found !== undefined) return isTemplate(name, found) ? TEMPLATE : found;
  if (depth === 3) return null;
  const outer = stripOuter(name);
  if (outer === null) return null;
  const inner = judgeNormalized(outer.name, parents, depth + 1);
  if (inner === null || inner.verdict === "allow") return inner;
  if (outer.wrap === "template") return TEMPLATE;
  if (outer.wrap === "encrypted") return ENCRYPTED;
  return outer.wrap === "archive" ? { verdict: inner.verdict, kind: inner.kind } : inner;
}

function judgePlace(name: string, parents: readonly string[]): NameJudgement | null {
  const parent = parents.at(-1);
  if (parent === undefined) return null;
  const folder = parent.toLowerCase();
  const placed = PLACED_NAMES.get(`${folder}/${name}`);
  if (placed !== undefined) return placed;
  if (folder.endsWith(".git") && name === "config") return { verdict: "block", kind: "tool-credentials", look: "url" };
  if (!parents.some((directory) => KEY_DIRECTORIES.has(directory.toLowerCase()))) return null;
  return PUBLIC_IN_KEY_DIRECTORIES.test(name) ? null : { verdict: "block", kind: "private-key", look: "pem" };
}

function judgePattern(name: string): NameJudgement | null {
  const hinted = HINT.test(name);
  const encrypted = ENCRYPTED_ENDING.exec(name);
  if (encrypted !== null) {
    const inner = judgeNormalized(name.slice(0, encrypted.index), [], 2);
    if (inner !== null) return inner.verdict === "allow" ? inner : ENCRYPTED;
  }
  if (hinted) {
    if (TYPE_DECLARATION.test(name)) return null;
    const strong = NAME_PATTERNS.find(([pattern]) => pattern.test(name));
    if (strong !== undefined) return strong[1];
  }
  return SUFFIXES.get(name.slice(name.lastIndexOf(".") + 1)) ?? null;
}

const TEMPLATE: NameJudgement = { verdict: "allow", kind: "dotenv", look: "template" };
const ENCRYPTED: NameJudgement = { verdict: "warn", kind: "encrypted", look: "template" };
const TYPE_DECLARATION = /\.d\.[cm]?ts$/;
const ENCRYPTED_ENDING = /\.(?:enc|encrypted|gpg|pgp|age|aes|sops|vault|crypt|asc)$/;
const TEMPLATE_WORD =
  /(?:^|[._-])(?:examples?|samples?|template|tmpl|tpl|skel|schema|placeholder)(?:[._-]|$)|[._-](?:dist|defaults?|j2|erb)$/;

/** A template of text; key material under such a name is judged by its content instead. */
function isTemplate(name: string, found: NameJudgement): boolean {
  return found.kind !== "private-key" && found.kind !== "key-store" && TEMPLATE_WORD.test(name);
}

type Wrap = "backup" | "template" | "encrypted" | "archive";
const WRAPS: readonly (readonly [RegExp, Wrap])[] = [
  [/[._-](?:examples?|samples?|template|tmpl|tpl|skel|schema|dist|defaults?|j2|erb)$/, "template"],
  [ENCRYPTED_ENDING, "encrypted"],
  [/\.(?:gz|zip|tar|tgz|bz2|xz|zst|7z|rar)$/, "archive"],
  [
    /(?:[._-](?:bak|backup|old|orig|original|saved?|copy|prev|previous|sw[nop]|tmp|temp|disabled|off|deleted|removed|\d{1,8}|(?:bak|old|v|copy)\d{1,3})|~|\.~\d+~| \(\d+\)| - copy(?: \(\d+\))?| copy(?: \d+)?)$/,
    "backup",
  ],
];

/** The name without its outermost wrapping: a backup's, an editor's, an archive's, a template's. */
function stripOuter(name: string): { name: string; wrap: Wrap } | null {
  if (name.startsWith("#") && name.endsWith("#")) return { name: name.slice(1, -1), wrap: "backup" };
  if (name.startsWith(".#")) return { name: name.slice(2), wrap: "backup" };
  if (name.startsWith("..") && /\.sw[nop]$/.test(name)) return { name: name.slice(1, -4), wrap: "backup" };
  for (const [pattern, wrap] of WRAPS) {
    const match = pattern.exec(name);
    if (match !== null && match.index > 0) return { name: name.slice(0, match.index), wrap };
  }
  return null;
}

/** Letters of other scripts that look like Latin ones. A name that is a secret's only to the eye is worth a warning. */
const LOOKALIKES: ReadonlyMap<string, string> = new Map(
  [..."аaеeоoрpсcхxуyіiјjѕsԁdɡgкkոnηnνvѵvтtмmıiοoαaρpκkτtιiԛqԝwһhʏyᴇeᴠv"]
    .join("")
    .match(/../gu)
    ?.map((pair) => [pair[0] ?? "", pair[1] ?? ""] as const) ?? [],
);

function judgeLookalike(name: string, parents: readonly string[]): NameJudgement | null {
  if (PRINTABLE_ASCII.test(name)) return null;
  const latin = [...name].map((letter) => LOOKALIKES.get(letter) ?? letter).join("");
  const judgement = latin === name ? null : judgeNormalized(latin, parents);
  return judgement?.verdict === "block" ? { verdict: "warn", kind: judgement.kind } : null;
}

/** What a registry hands to everybody is no secret of this project; a dotenv file among it may still be one's own. */
function softenInNodeModules(judgement: NameJudgement, parents: readonly string[]): NameJudgement {
  const shipped = judgement.kind === "private-key" || judgement.kind === "key-store";
  if (!shipped || judgement.verdict !== "block" || !parents.includes("node_modules")) return judgement;
  return { ...judgement, verdict: "warn" };
}
