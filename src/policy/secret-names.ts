/**
 * What a file's name says about it: nothing, or a verdict with a kind, perhaps with a look at its first bytes that
 * may clear it. Pure: reads no disk, knows no project. Rules live in secret-name-rules.ts.
 */
import type { NameJudgement } from "./secret-kinds.ts";
import { hasHint, isPlainName } from "./secret-plain-names.ts";
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
  if (isPlainName(basename) && !isTellingPlace(parentNames.join("/"))) return null;
  const name = normalizeName(basename);
  const judgement = judgeNormalized(name, parentNames) ?? judgeLookalike(name, parentNames);
  return judgement === null ? null : softenInNodeModules(judgement, parentNames);
}

/** True where the place alone may make any file a secret: below `.ssh`, in `.aws`. `path`: directories joined by `/`. */
export function isTellingPlace(path: string): boolean {
  return TELLING_PLACE.test(path);
}

/** One spelling for all spellings that a person, or a file system that ignores case, takes for the same name. */
export function normalizeName(name: string): string {
  if (PRINTABLE_ASCII.test(name) && !name.endsWith(".")) return name.toLowerCase();
  const shown = name.normalize("NFKC").replaceAll(INVISIBLE, "");
  return (
    shown
      .toLowerCase()
      .replace(/^\s+/, "")
      .replace(/[\s.]+$/, "") || name
  );
}

const PRINTABLE_ASCII = /^[\x21-\x7e]+$/;
/** Zero-width, bidi and other format characters, variation selectors, controls, and the sign of undecodable bytes. */
const INVISIBLE = /[\p{Cf}\p{Cc}\p{Default_Ignorable_Code_Point}\ufffd]/gu;

function judgeNormalized(name: string, parents: readonly string[], depth = 0): NameJudgement | null {
  const found = judgePlace(name, parents) ?? EXACT_NAMES.get(name) ?? judgePattern(name);
  if (found !== null) return isTemplate(name, found) ? TEMPLATE : found;
  if (depth === 3) return null;
  const outer = stripOuter(name);
  if (outer === null) return null;
  const inner = judgeNormalized(outer.name, parents, depth + 1);
  if (inner === null || inner.verdict === "allow") return inner;
  if (outer.wrap === "template") return TEMPLATE;
  if (outer.wrap === "encrypted") return ENCRYPTED;
  return outer.wrap === "archive" ? archived(inner) : inner;
}

/** Nothing can be looked at inside an archive: only what is nearly always a secret is still one. */
function archived({ verdict, kind, look }: NameJudgement): NameJudgement {
  const isLikely = look === undefined || kind === "dotenv" || kind === "private-key" || look === "npmrc";
  return { verdict: isLikely ? verdict : "warn", kind };
}

function judgePlace(name: string, parents: readonly string[]): NameJudgement | null {
  const parent = parents.at(-1);
  if (parent === undefined) return null;
  const folder = parent.toLowerCase();
  const placed = PLACED_NAMES.get(`${folder}/${name}`);
  if (placed !== undefined) return placed;
  if (folder.endsWith(".git") && name === "config")
    return { verdict: "block", kind: "tool-credentials", look: "url" };
  if (!parents.some((directory) => KEY_DIRECTORIES.has(directory.toLowerCase()))) return null;
  return PUBLIC_IN_KEY_DIRECTORIES.test(name) ? null : { verdict: "block", kind: "private-key", look: "pem" };
}

function judgePattern(name: string): NameJudgement | null {
  const encrypted = ENCRYPTED_ENDING.exec(name);
  if (encrypted !== null) {
    const inner = judgeNormalized(name.slice(0, encrypted.index), [], 2);
    if (inner !== null) return inner.verdict === "allow" ? inner : ENCRYPTED;
  }
  if (TYPE_DECLARATION.test(name)) return null;
  const strong = hasHint(name) ? NAME_PATTERNS.find(([pattern]) => pattern.test(name)) : undefined;
  if (strong !== undefined) return strong[1];
  const dot = name.lastIndexOf(".");
  return (dot < 0 ? undefined : SUFFIXES.get(name.slice(dot + 1))) ?? null;
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

/** A directory that names its files, as the last one of a path; or one that makes keys of all that lies below. */
const TELLING_PLACE = new RegExp(
  `(?:^|/)(?:${[...KEY_DIRECTORIES].map(quote).join("|")})(?:/|$)|(?:^|/|\\.)(?:git|${tellingParents().join("|")})$`,
  "i",
);

function tellingParents(): string[] {
  return [...new Set([...PLACED_NAMES.keys()].map((place) => quote(place.slice(0, place.indexOf("/")))))];
}

function quote(text: string): string {
  return text.replaceAll(".", "\\.");
}

type Wrap = "backup" | "template" | "encrypted" | "archive";
const WRAPS: ReadonlyMap<string, Wrap> = new Map(
  (
    [
      [
        "template",
        "example examples sample samples template tmpl tpl skel schema dist default defaults j2 erb",
      ],
      ["encrypted", "enc encrypted gpg pgp age aes sops vault crypt asc"],
      ["archive", "gz zip tar tgz bz2 xz zst 7z rar"],
      [
        "backup",
        "bak backup old orig original save saved copy prev previous swo swn swp tmp temp disabled off deleted removed",
      ],
    ] as const
  ).flatMap(([wrap, endings]) => endings.split(" ").map((ending) => [ending, wrap] as const)),
);
const NUMBERED =
  /(?:[._-](?:\d{1,8}|(?:bak|old|v|copy)\d{1,3})|\.?~(?:\d+~)?| \(\d+\)|(?: -)? copy(?: \(?\d+\)?)?)$/;
/** `credentials (1).json`, `credentials - copy.json` */
const COPY_BEFORE_EXTENSION = /(?: \(\d+\)|(?: -)? copy(?: \(?\d+\)?)?)(?=\.[^.]+$)/;

/** The name without its outermost wrapping: a backup's, an editor's, an archive's, a template's. */
function stripOuter(name: string): { name: string; wrap: Wrap } | null {
  if (name.startsWith("#") && name.endsWith("#")) return { name: name.slice(1, -1), wrap: "backup" };
  if (name.startsWith(".#")) return { name: name.slice(2), wrap: "backup" };
  if (name.startsWith("..") && /\.sw[nop]$/.test(name)) return { name: name.slice(1, -4), wrap: "backup" };
  const cut = Math.max(name.lastIndexOf("."), name.lastIndexOf("-"), name.lastIndexOf("_"));
  const wrap = cut > 0 ? WRAPS.get(name.slice(cut + 1)) : undefined;
  if (wrap !== undefined) return { name: name.slice(0, cut), wrap };
  const single = name.replace(COPY_BEFORE_EXTENSION, "");
  if (single !== name) return { name: single, wrap: "backup" };
  if (!/[~)\dy]$/.test(name)) return null;
  const match = NUMBERED.exec(name);
  return match !== null && match.index > 0 ? { name: name.slice(0, match.index), wrap: "backup" } : null;
}
/** Letters of other scripts that look like Latin ones. A name that is a secret's only to the eye is worth a warning. */
const LOOKALIKES: ReadonlyMap<string, string> = new Map(
  "аa еe оo рp сc хx уy іi јj ѕs ԁd ɡg кk тt мm ԛq ԝw һh ոn ηn νv ѵv οo αa ρp κk τt ιi ıi ʏy ᴇe ᴠv"
    .split(" ")
    .map((pair) => [pair.slice(0, 1), pair.slice(1)] as const),
);

function judgeLookalike(name: string, parents: readonly string[]): NameJudgement | null {
  if (PRINTABLE_ASCII.test(name)) return null;
  const latin = Array.from(name, (letter) => LOOKALIKES.get(letter) ?? letter).join("");
  const judgement = latin === name ? null : judgeNormalized(latin, parents);
  return judgement?.verdict === "block" ? { verdict: "warn", kind: judgement.kind } : null;
}

/** What a registry hands to everybody is no secret of this project; a dotenv file among it may still be one's own. */
function softenInNodeModules(judgement: NameJudgement, parents: readonly string[]): NameJudgement {
  const shipped = judgement.kind === "private-key" || judgement.kind === "key-store";
  if (!shipped || judgement.verdict !== "block" || !parents.includes("node_modules")) return judgement;
  return { ...judgement, verdict: "warn", atMost: "warn" };
}
