/** What a scan found, and the sum of it. Collects in any order, reports in one: the same tree gives the same report. */
import { createHash } from "node:crypto";
import type { SecretKind } from "../policy/secret-kinds.ts";

export interface ScanFinding {
  /** Relative to the root, with `/`. For the owner's eyes: a caller hears of kinds and counts only. */
  readonly path: string;
  readonly kind: SecretKind;
  readonly verdict: "block" | "warn";
  /** What gave it away: its name, its content, or what it is a link to. */
  readonly reason: "name" | "content" | "link";
}

export interface ScanReport {
  /** Sorted by path, one for each; of warnings the first thousand, `unlistedWarnings` counts the rest. */
  readonly findings: readonly ScanFinding[];
  readonly unlistedWarnings: number;
  /** False: something was not looked at, and the answer must be no. */
  readonly complete: boolean;
  readonly incompleteReason: string | null;
  readonly files: number;
  readonly directories: number;
  readonly elapsedMs: number;
  /** Equal as long as the root is the same directory and the scan says the same of it. */
  readonly generation: string;
}

export interface Tally {
  /** Device and inode of the root. */
  readonly identify: (root: string) => void;
  /** More directories, and the files in them. */
  readonly count: (directories: number, files: number) => void;
  readonly add: (finding: ScanFinding) => void;
  /** Something that could not be looked at; `path` as people read it, empty for the root. */
  readonly miss: (path: string, why: string) => void;
  readonly isBlocked: (path: string) => boolean;
  readonly report: (stoppedBy: string | null, elapsedMs: number) => ScanReport;
}

const MAX_BLOCKS = 10_000;
const MAX_WARNINGS = 1_000;

/** `onTooMany` is called when there are more findings than anybody could list. */
export function createTally(onTooMany: (cause: string) => void): Tally {
  const blocks = new Map<string, ScanFinding>();
  const warnings = new Map<string, ScanFinding>();
  let identity = "";
  let files = 0;
  let directories = 0;
  let missed: string | null = null;
  return {
    identify: (root) => {
      identity = root;
    },
    count: (moreDirectories, moreFiles) => {
      directories += moreDirectories;
      files += moreFiles;
    },
    add: (finding) => {
      const list = finding.verdict === "block" ? blocks : warnings;
      const known = list.get(finding.path);
      if (known === undefined || rank(finding) < rank(known)) list.set(finding.path, finding);
      if (blocks.size > MAX_BLOCKS) onTooMany(`more than ${MAX_BLOCKS} findings`);
    },
    miss: (path, why) => {
      missed ??= path === "" ? `cannot be read: ${why}` : `"${path}" cannot be read: ${why}`;
    },
    isBlocked: (path) => blocks.has(path),
    report: (stoppedBy, elapsedMs) => {
      const mild = [...warnings.values()].filter(({ path }) => !blocks.has(path)).toSorted(byPath);
      const findings = [...blocks.values(), ...mild.slice(0, MAX_WARNINGS)].toSorted(byPath);
      const incompleteReason = missed ?? stoppedBy;
      const complete = incompleteReason === null;
      const state = [...blocks.values(), ...mild]
        .toSorted(byPath)
        .map((f) => [f.path, f.kind, f.verdict, f.reason]);
      return {
        findings,
        unlistedWarnings: Math.max(0, mild.length - MAX_WARNINGS),
        complete,
        incompleteReason,
        files,
        directories,
        elapsedMs,
        generation: createHash("sha256")
          .update(JSON.stringify([identity, complete, state]))
          .digest("hex"),
      };
    },
  };
}

/** Of two findings about one path the one that came first in the day of an owner: its name. */
function rank({ reason, kind }: ScanFinding): string {
  return `${reason === "name" ? 0 : reason === "content" ? 1 : 2}${kind}`;
}

function byPath(a: ScanFinding, b: ScanFinding): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
