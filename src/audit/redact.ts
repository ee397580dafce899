/**
 * The one place where text is made fit to leave: secrets become `[redacted:<kind>]`, the project's directory becomes its
 * name, the home directory `~`. Everything else stays as it is: hashes, UUIDs, checksums. Reads no disk, keeps nothing
 * of what it saw but a count, and takes linear time whatever the text.
 */
import { isSecretField } from "../policy/secret-assignments.ts";
import { findWith, judgeAt, SECRET_LITERALS } from "../policy/secret-content.ts";
import type { ContentHit } from "../policy/secret-kinds.ts";
import { createGate, type Gate } from "../policy/secret-gate.ts";
import type { ScannedSecrets } from "./scanned-secrets.ts";

export interface RedactorParts {
  /** Exact values that must never leave: the bridge's own token, keys from its environment. At least 8 characters each. */
  readonly secrets?: readonly string[];
  /** Values that looks through the projects saw; asked again whenever they changed. */
  readonly scanned?: ScannedSecrets;
  /** Absolute directories and what to call them. */
  readonly roots?: readonly { readonly path: string; readonly name: string }[];
  /** The home directory. */
  readonly home?: string;
}

export interface Redactor {
  readonly redact: (text: string) => string;
  /** Where in `text` something would be replaced, and by what; sorted, not overlapping. */
  readonly find: (text: string) => readonly Replacement[];
  /** A copy of a JSON value with every string redacted; keys stay, and what they say of their value counts. */
  readonly redactDeep: <T>(value: T) => T;
  /** How many secrets were replaced so far; directories are not counted. */
  readonly count: () => number;
}

export interface Replacement {
  readonly start: number;
  readonly end: number;
  readonly by: string;
  readonly isSecret: boolean;
  /** True where only a name before it gave it away. */
  readonly isVague: boolean;
}

const SHORTEST_VALUE = 8;
const MAX_DEPTH = 100;

interface Fixed {
  readonly literal: string;
  readonly by: string;
  readonly isSecret: boolean;
}

export function createRedactor(parts: RedactorParts = {}): Redactor {
  const { scanned } = parts;
  const own = [...fixedSecrets(parts.secrets ?? []), ...fixedPaths(parts)];
  let fixed = own;
  let gate = gateFor(fixed);
  let version = 0;
  let replaced = 0;

  const takeScanned = (): void => {
    if (scanned === undefined || scanned.version() === version) return;
    version = scanned.version();
    fixed = [...own, ...fixedSecrets(scanned.values())];
    gate = gateFor(fixed);
  };

  const judge = (text: string, literal: number, start: number): Replacement | null => {
    const known = fixed[literal];
    if (known === undefined) {
      const hit = judgeAt(text, literal - fixed.length, start);
      return hit === null ? null : { ...spanOf(hit), by: `[redacted:${hit.kind}]`, isSecret: true };
    }
    const end = start + known.literal.length;
    if (!text.startsWith(known.literal, start) || (!known.isSecret && !isWholePath(text, start, end)))
      return null;
    return { start, end, by: known.by, isSecret: known.isSecret, isVague: !known.isSecret };
  };
  const find = (text: string): readonly Replacement[] => {
    if (text.length < SHORTEST_LITERAL) return [];
    takeScanned();
    return findWith(gate, Buffer.from(text, "latin1"), () => text, judge);
  };
  const redact = (text: string): string => {
    const replacements = find(text);
    if (replacements.length === 0) return text;
    for (const { isSecret } of replacements) if (isSecret) replaced++;
    return replaceAll(text, replacements);
  };
  const redactField = (name: string, value: unknown, depth: number): unknown => {
    if (typeof value === "string" && isSecretField(name, value)) {
      replaced++;
      return "[redacted:assignment]";
    }
    return deep(value, depth);
  };
  const deep = (value: unknown, depth: number): unknown => {
    if (typeof value === "string") return redact(value);
    if (typeof value !== "object" || value === null) return value;
    if (depth > MAX_DEPTH) return "[redacted:depth]";
    if (Array.isArray(value)) return value.map((item: unknown) => deep(item, depth + 1));
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, redactField(name, item, depth + 1)]),
    );
  };
  return { redact, find, redactDeep: <T>(value: T) => deep(value, 0) as T, count: () => replaced };
}

function gateFor(fixed: readonly Fixed[]): Gate {
  return createGate([...fixed.map(({ literal }) => literal), ...SECRET_LITERALS]);
}

/** `text` with all `replacements` made; they are sorted and do not overlap. */
function replaceAll(text: string, replacements: readonly Replacement[]): string {
  let result = "";
  let from = 0;
  for (const { start, end, by } of replacements) {
    result += text.slice(from, start) + by;
    from = end;
  }
  return result + text.slice(from);
}

function spanOf({ start, end, isVague = false }: ContentHit): Pick<Replacement, "start" | "end" | "isVague"> {
  return { start, end, isVague };
}

/** No literal of the gate is shorter. */
const SHORTEST_LITERAL = 3;

/** Each value as it is, and as it stands in JSON, in a URL and in base64. */
function fixedSecrets(values: readonly string[]): Fixed[] {
  const long = values.filter((value) => value.length >= SHORTEST_VALUE);
  const spellings = long.flatMap((value) => [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    Buffer.from(value, "utf8").toString("base64").replace(/=+$/, ""),
  ]);
  return [...new Set(spellings)].map((literal) => ({ literal, by: "[redacted:value]", isSecret: true }));
}

/** The longest first, so that a project in the home directory is called by its own name. */
function fixedPaths({ roots = [], home }: RedactorParts): Fixed[] {
  const named = [...roots, ...(home === undefined ? [] : [{ path: home, name: "~" }])]
    .map(({ path, name }) => ({ path: path.replace(/\/+$/, ""), name }))
    .filter(({ path }) => path.length >= SHORTEST_LITERAL && path.startsWith("/"))
    .toSorted((a, b) => b.path.length - a.path.length);
  return named.flatMap(({ path, name }) =>
    [path, path.replaceAll("/", "\\/")].map((literal) => ({ literal, by: name, isSecret: false })),
  );
}

/** Not the beginning of a longer name (`/home/me/app` in `/home/me/app-2`), not the end of another path. */
function isWholePath(text: string, start: number, end: number): boolean {
  const before = text[start - 1] ?? " ";
  const after = text.slice(end, end + 2);
  return !/[\w.~-]/.test(before) && !/^(?:[\w~-]|\.\w)/.test(after);
}
