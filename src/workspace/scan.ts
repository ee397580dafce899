/**
 * Walks a whole project and finds the files that may hold secrets, before Codex may read any of them. Reads names,
 * the beginnings of files with doubtful names, where links lead, and on request all content. Never follows a link
 * out of the project, never waits for a pipe, never calls an incomplete walk complete, never keeps what it read.
 */
import { createHash } from "node:crypto";
import { type Dirent, realpath as realpathCallback, stat } from "node:fs";
import { homedir } from "node:os";
import { promisify } from "node:util";
import { type Clock, systemClock } from "../lib/clock.ts";
import type { NameJudgement, SecretKind } from "../policy/secret-kinds.ts";
import { isTellingPlace, judgeName } from "../policy/secret-names.ts";
import { isPlainName } from "../policy/secret-plain-names.ts";
import { createEnding, type Ending } from "./scan-ending.ts";
import { judgeLink } from "./scan-links.ts";
import { lookAt } from "./scan-look.ts";
import { createTaskQueue } from "./scan-tasks.ts";
import { below, startWalk, toBytes, toFsPath, toText, type WalkedDirectory } from "./walk.ts";

export interface ScanFinding {
  /** Relative to the root, with `/`. For the owner's eyes: a caller hears of kinds and counts only. */
  readonly path: string;
  readonly kind: SecretKind;
  readonly verdict: "block" | "warn";
  /** What gave it away: its name, its content, or where it leads. */
  readonly reason: "name" | "content" | "link";
}

export interface ScanReport {
  /** Sorted by path; of warnings the first thousand, `unlistedWarnings` counts the rest. */
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

export interface ScanOptions {
  readonly deadlineMs: number;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  /** Links to it, or to anything above it, are refused. Default: the user's. */
  readonly home?: string;
}

const MAX_BLOCKS = 10_000;
const MAX_WARNINGS = 1_000;
const MAX_RUNNING_TASKS = 16;

const realpath = promisify(realpathCallback.native);
const statOf = promisify(stat);

export async function scanProject(root: string, options: ScanOptions): Promise<ScanReport> {
  const clock = options.clock ?? systemClock;
  const startedAt = clock.monotonic();
  const ending = createEnding(clock, options.deadlineMs, options.signal);
  const tally = createTally(ending);
  try {
    await Promise.race([walkAndJudge(root, options, tally, ending), ending.over]);
  } finally {
    ending.release();
  }
  return tally.report(ending.cause(), clock.monotonic() - startedAt);
}

async function walkAndJudge(root: string, options: ScanOptions, tally: Tally, ending: Ending): Promise<void> {
  const realRoot = await realpath(root).catch(() => null);
  const identity = realRoot === null ? null : await statOf(realRoot, { bigint: true }).catch(() => null);
  if (realRoot === null || identity === null) {
    tally.unreadable("", "the project's root");
    return;
  }
  tally.identify(`${identity.dev}:${identity.ino}`);
  const home = options.home ?? homedir();
  const places = { root: realRoot, home: await realpath(home).catch(() => home) };
  const above = realRoot.split("/").slice(1);
  const isStopped = (): boolean => ending.cause() !== null;
  const tasks = createTaskQueue(MAX_RUNNING_TASKS, isStopped);

  const onLink = async (
    directory: WalkedDirectory,
    name: string,
    own: NameJudgement | null,
  ): Promise<void> => {
    const path = below(directory.relative, name);
    const result = await judgeLink(below(directory.path, name), own, places);
    if (result.kind === "failed") tally.unreadable(path, result.code);
    if (result.kind === "finding")
      tally.add({ path: toText(path), kind: result.secret, verdict: result.verdict, reason: result.reason });
    if (result.kind === "outside-file")
      tally.add({ path: toText(path), kind: "link", verdict: "warn", reason: "link" });
  };
  const onDoubtful = async (
    directory: WalkedDirectory,
    name: string,
    judgement: NameJudgement,
  ): Promise<void> => {
    tally.addName(directory, name, await lookAt(toFsPath(below(directory.path, name)), judgement));
  };
  const onDirectory = (directory: WalkedDirectory, entries: readonly Dirent[]): string[] | null => {
    const telling = isTellingPlace(directory.path);
    let directories: string[] | null = null;
    let parents: readonly string[] | null = null;
    for (let index = 0; index < entries.length; index++) {
      const entry = entries[index] as Dirent;
      if (entry.isDirectory()) {
        (directories ??= []).push(entry.name);
        continue;
      }
      const isLink = entry.isSymbolicLink();
      if (!isLink && !telling && isPlainName(entry.name)) continue;
      parents ??= directory.relative === "" ? above : [...above, ...toText(directory.relative).split("/")];
      const judgement = judgeName(toText(entry.name), parents);
      if (isLink) tasks.add(() => onLink(directory, entry.name, judgement));
      else if (judgement === null) continue;
      else if (judgement.look !== undefined && entry.isFile())
        tasks.add(() => onDoubtful(directory, entry.name, judgement));
      else tally.addName(directory, entry.name, judgement);
    }
    tally.count(entries.length - (directories?.length ?? 0));
    return directories;
  };
  const onUnreadable = (directory: WalkedDirectory, error: NodeJS.ErrnoException): void => {
    if (directory.relative !== "" && (error.code === "ENOENT" || error.code === "ENOTDIR")) return; // gone meanwhile
    tally.unreadable(directory.relative, error.code ?? error.message);
  };
  await startWalk(toBytes(realRoot), { onDirectory, onUnreadable, isStopped }).done;
  await tasks.idle();
}

interface Tally {
  readonly identify: (root: string) => void;
  /** One more directory, and the files in it. */
  readonly count: (files: number) => void;
  readonly add: (finding: ScanFinding) => void;
  readonly addName: (directory: WalkedDirectory, name: string, judgement: NameJudgement | null) => void;
  readonly unreadable: (path: string, why: string) => void;
  readonly report: (cause: string | null, elapsedMs: number) => ScanReport;
}

/** Everything that one scan found so far. */
function createTally(ending: Ending): Tally {
  const findings: ScanFinding[] = [];
  let identity = "";
  let blocks = 0;
  let warnings = 0;
  let files = 0;
  let directories = 0;
  let unread: string | null = null;
  const add = (finding: ScanFinding): void => {
    if (finding.verdict === "warn" && ++warnings > MAX_WARNINGS) return;
    if (finding.verdict === "block" && ++blocks > MAX_BLOCKS) ending.stop(`more than ${MAX_BLOCKS} findings`);
    else findings.push(finding);
  };
  return {
    identify: (root) => {
      identity = root;
    },
    count: (more) => {
      directories++;
      files += more;
    },
    add,
    addName: (directory, name, judgement) => {
      if (judgement === null || judgement.verdict === "allow") return;
      const path = toText(below(directory.relative, name));
      add({ path, kind: judgement.kind, verdict: judgement.verdict, reason: "name" });
    },
    unreadable: (path, why) => {
      unread ??= path === "" ? `cannot be read: ${why}` : `"${toText(path)}" cannot be read: ${why}`;
    },
    report: (cause, elapsedMs) => {
      const sorted = findings.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
      const incompleteReason = unread ?? cause;
      const complete = incompleteReason === null;
      const stable =
        warnings > MAX_WARNINGS ? sorted.filter((finding) => finding.verdict === "block") : sorted;
      const generation = createHash("sha256")
        .update(
          JSON.stringify([
            identity,
            complete,
            warnings,
            stable.map((f) => [f.path, f.kind, f.verdict, f.reason]),
          ]),
        )
        .digest("hex");
      const unlistedWarnings = Math.max(0, warnings - MAX_WARNINGS);
      return {
        findings: sorted,
        unlistedWarnings,
        complete,
        incompleteReason,
        files,
        directories,
        elapsedMs,
        generation,
      };
    },
  };
}
