/**
 * Which paths Codex's sandbox has to hide, given what the scan found. Pure. Each exact path costs Codex the square of
 * their number (1.4 s for 250, 14 s for 1,000), so many of them become denied directories; never the root itself and
 * never a directory that the turn works in. What cannot be expressed is refused, not left out.
 */
import { isNameless, looksLikeGlob, toPatterns } from "./glob.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import type { FailureOf } from "./failure.ts";
import type { Sandbox } from "./grant.ts";

export interface DenyFacts {
  readonly root: string;
  readonly cwd: string;
  readonly sandbox: Sandbox;
  /** Relative to the root, `/` between parts: what the scan found. */
  readonly secretPaths: readonly string[];
}

export interface Denied {
  readonly paths: readonly string[];
  readonly patterns: readonly string[];
  /** Directories of denied paths that a write turn may not rename. */
  readonly held: readonly string[];
}

export const MAX_EXACT_PATHS = 100;

/** Ten add about 0.2 s to each command, 40 two and a half; beyond it secrets are hidden by their names alone. */
const MAX_HELD = 10;

/**
 * Names that a file may get while a write turn runs. They are globs, and one glob makes Codex walk the tree before each
 * command (about half a second on 100,000 files; ten globs cost what one costs), so read-only turns go without: they are
 * looked through again right before they start.
 */
const APPEARING_NAMES = [
  ".env",
  ".env.local",
  ".env.development",
  ".env.production",
  ".env.staging",
  ".env.test",
  ".env.*.local",
  ".envrc",
  "*.pem",
  "*.p12",
  "*.pfx",
  "*.jks",
  "*.kdbx",
  "*.ppk",
  "id_rsa",
  "id_dsa",
  "id_ecdsa",
  "id_ed25519",
  ".git-credentials",
  ".pgpass",
  ".netrc",
  ".htpasswd",
];

export function decideDenied(facts: DenyFacts): Result<Denied, FailureOf<"confinement_unavailable">> {
  const collapsed = collapse(facts.secretPaths, directoriesOnTheWay(facts.root, facts.cwd));
  if (collapsed === null) {
    return fail({
      code: "confinement_unavailable",
      reason: `${facts.secretPaths.length} secret files lie where they cannot be hidden together`,
    });
  }
  if (collapsed.some(isNameless)) {
    return fail({
      code: "confinement_unavailable",
      reason: "a secret file has a name that is no UTF-8, which Codex cannot be told",
    });
  }
  const { root } = facts;
  const exact = collapsed.filter((path) => !looksLikeGlob(path));
  const paths = exact.map((path) => join(root, path));
  const signed = collapsed.filter(looksLikeGlob);
  if (facts.sandbox === "read-only") {
    return ok({ paths, patterns: signed.flatMap((path) => toPatterns(root, path)), held: [] });
  }
  // A command may rename a directory; then the next one finds the secret in it under a path that nobody has denied.
  const above = directoriesAbove(exact);
  const mayHold = above.length <= MAX_HELD;
  const names = new Set((mayHold ? signed : collapsed).map((path) => path.slice(path.lastIndexOf("/") + 1)));
  const patterns = [...names].flatMap((name) => toPatterns(root, name));
  patterns.push(...APPEARING_NAMES.map((name) => `${root === "/" ? "" : root}/**/${anyCase(name)}`));
  return ok({ paths, patterns, held: mayHold ? above.map((path) => join(root, path)) : [] });
}

/** All directories that one of `paths` lies in, without the root. */
function directoriesAbove(paths: readonly string[]): string[] {
  const above = new Set<string>();
  for (const path of paths) {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      above.add(path.slice(0, end));
    }
  }
  return [...above].toSorted();
}

/** Merges siblings into their directory, deepest first, until few enough are left. null: they cannot be merged. */
function collapse(paths: readonly string[], kept: ReadonlySet<string>): readonly string[] | null {
  let current = new Set(paths);
  const depths = [...current].map((path) => path.split("/").length);
  for (let depth = Math.max(0, ...depths); depth > 1 && current.size > MAX_EXACT_PATHS; depth -= 1) {
    const next = new Set<string>();
    for (const path of current) {
      const parts = path.split("/");
      const parent = parts.slice(0, depth - 1).join("/");
      next.add(parts.length >= depth && !kept.has(parent) ? parent : path);
    }
    current = next;
  }
  return current.size > MAX_EXACT_PATHS ? null : [...current].toSorted();
}

/** The working directory and everything above it, relative to the root: hiding one of them would hide the work. */
function directoriesOnTheWay(root: string, cwd: string): ReadonlySet<string> {
  const parts = cwd.slice(root.length).split("/").filter(Boolean);
  return new Set(parts.map((_part, index) => parts.slice(0, index + 1).join("/")));
}

function join(root: string, path: string): string {
  return root.endsWith("/") ? root + path : `${root}/${path}`;
}

/** Codex's globs tell case apart: `.env` becomes `.[eE][nN][vV]`. */
function anyCase(name: string): string {
  return name.replaceAll(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
}
