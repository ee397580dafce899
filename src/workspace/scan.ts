/**
 * Walks a whole project and finds the files that may hold secrets, before Codex may read any of them. Reads names,
 * the beginnings of files with doubtful names, where links lead, and on request all content. Never follows a link
 * out of the project, never waits for a pipe, never calls an incomplete walk complete, never keeps what it read.
 */
import { type Dirent, realpath as realpathCallback, stat } from "node:fs";
import { homedir } from "node:os";
import { promisify } from "node:util";
import { type Clock, systemClock } from "../lib/clock.ts";
import type { NameJudgement } from "../policy/secret-kinds.ts";
import { startContentPart } from "./scan-content.ts";
import { createEnding, type Ending } from "./scan-ending.ts";
import { judgeLink } from "./scan-links.ts";
import { lookAt } from "./scan-look.ts";
import { createTally, type ScanFinding, type ScanReport, type Tally } from "./scan-report.ts";
import { createTaskQueue } from "./scan-tasks.ts";
import { sortEntries, type Suspect } from "./sort-entries.ts";
import { below, toBytes, toFsPath, toText, type WalkedDirectory, walkTree } from "./walk.ts";

export type { ScanFinding, ScanReport } from "./scan-report.ts";

export interface ScanOptions {
  readonly deadlineMs: number;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  /** Links to it, or to anything above it, are refused. Default: the user's. */
  readonly home?: string;
  /** Also reads what is in the files, outside `node_modules` and git's objects, on other threads. Default: false. */
  readonly content?: boolean;
  /** Told of each secret's value that has to be struck out, often twice; never of all of them in very long files. */
  readonly onSecret?: (value: string) => void;
}

const MAX_RUNNING_TASKS = 16;

const realpath = promisify(realpathCallback.native);
const statOf = promisify(stat);

/** Never rejects for what lies on disk: what cannot be read makes the report incomplete. */
export async function scanProject(root: string, options: ScanOptions): Promise<ScanReport> {
  const clock = options.clock ?? systemClock;
  const startedAt = clock.monotonic();
  const ending = createEnding(clock, options.deadlineMs, options.signal);
  const tally = createTally(ending.stop);
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
    tally.miss("", "the project's root");
    return;
  }
  tally.identify(`${identity.dev}:${identity.ino}`);
  const home = options.home ?? homedir();
  const places = { root: realRoot, home: await realpath(home).catch(() => home) };
  const { onSecret = () => undefined } = options;
  const isStopped = (): boolean => ending.cause() !== null;
  const tasks = createTaskQueue(MAX_RUNNING_TASKS, isStopped);

  const add = (directory: WalkedDirectory, name: string, finding: Omit<ScanFinding, "path"> | null): void => {
    if (finding !== null) tally.add({ path: toText(below(directory.relative, name)), ...finding });
  };
  const onLink = async (
    directory: WalkedDirectory,
    name: string,
    own: NameJudgement | null,
  ): Promise<void> => {
    const result = await judgeLink(below(directory.path, name), own, places);
    if (result.kind === "failed") tally.miss(toText(below(directory.relative, name)), result.code);
    if (result.kind === "finding") add(directory, name, result.finding);
  };
  const onDoubtful = async (
    directory: WalkedDirectory,
    name: string,
    judgement: NameJudgement,
  ): Promise<void> => {
    add(directory, name, await lookAt(toFsPath(below(directory.path, name)), judgement, onSecret));
  };
  const onSuspect = (directory: WalkedDirectory, { name, judgement, isLink, isFile }: Suspect): void => {
    if (isLink) tasks.add(() => onLink(directory, name, judgement));
    else if (judgement === null) return;
    else if (judgement.look !== undefined && isFile) tasks.add(() => onDoubtful(directory, name, judgement));
    else if (judgement.verdict !== "allow")
      add(directory, name, { kind: judgement.kind, verdict: judgement.verdict, reason: "name" });
  };
  const onDirectory = (directory: WalkedDirectory, entries: readonly Dirent[]): readonly string[] => {
    const { directories, suspects } = sortEntries(directory.path, entries, false);
    tally.count(1, entries.length - directories.length);
    for (const suspect of suspects) onSuspect(directory, suspect);
    return directories;
  };
  const onUnreadable = ({ relative }: WalkedDirectory, code: string): void => {
    const isGone = code === "ENOENT" || code === "ENOTDIR";
    if (relative === "" || !isGone) tally.miss(toText(relative), code);
  };
  const start = toBytes(realRoot);
  const content =
    options.content === true
      ? startContentPart(start, { tally, ending, onSecret, onSuspect, onUnreadable })
      : null;
  await (content?.done ?? walkTree(start, { onDirectory, onUnreadable, isStopped }));
  await tasks.idle();
  content?.blockOtherNames();
}
