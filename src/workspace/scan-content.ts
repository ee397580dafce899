/**
 * The content part of a scan: makes findings of what the threads answer. A file that is another name of a blocked file
 * is blocked with it.
 */
import { startContentRun } from "./content-scanner.ts";
import type { ContentAnswer } from "./content-worker.ts";
import type { Ending } from "./scan-ending.ts";
import type { Tally } from "./scan-report.ts";
import type { Suspect } from "./sort-entries.ts";
import { toText, type WalkedDirectory } from "./walk.ts";

export interface ContentPart {
  /** Settles when all directories are walked and their files judged, or the scan ended before its time; never rejects. */
  readonly done: Promise<void>;
  /** To be called when all names are judged too. */
  readonly blockOtherNames: () => void;
}

export interface ContentPartNeeds {
  readonly tally: Tally;
  readonly ending: Ending;
  readonly onSecret: (value: string) => void;
  readonly onSuspect: (directory: WalkedDirectory, suspect: Suspect) => void;
  readonly onUnreadable: (directory: WalkedDirectory, code: string) => void;
}

/** Packages of other languages: read, for they may be one's own, but only worth a warning. */
const SHIPPED = /(?:^|\/)(?:site-packages|dist-packages|Pods|vendor\/bundle|\.yarn\/cache|\.pnpm-store)\//;

/** `root` is a real, absolute path as bytes. */
export function startContentPart(root: string, needs: ContentPartNeeds): ContentPart {
  const { tally, ending } = needs;
  const prefix = root === "/" ? 1 : root.length + 1;
  const relative = (path: string): string => toText(path.slice(prefix));
  const walked = (path: string): WalkedDirectory => ({ path, relative: path.slice(prefix) });
  const namesOf = new Map<string, string[]>();
  const onAnswer = (answer: ContentAnswer): void => {
    if (ending.cause() !== null) return; // asked here too: a timer may ring late
    tally.count(answer.directories, answer.files);
    for (const { directory, suspects } of answer.suspicious)
      for (const suspect of suspects) needs.onSuspect(walked(directory), suspect);
    for (const { path, kind, verdict } of answer.found) {
      const place = relative(path);
      tally.add({ path: place, kind, verdict: SHIPPED.test(place) ? "warn" : verdict, reason: "content" });
    }
    for (const [path, inode] of answer.shared) {
      const names = namesOf.get(inode);
      if (names === undefined) namesOf.set(inode, [relative(path)]);
      else names.push(relative(path));
    }
    for (const value of answer.secrets) needs.onSecret(value);
    for (const { path, code } of answer.failed) tally.miss(relative(path), code);
    for (const { path, code } of answer.unreadable) needs.onUnreadable(walked(path), code);
  };
  const run = startContentRun(root, onAnswer);
  void ending.over.then(run.stop);
  const done = run.done.catch((error: unknown) => {
    ending.stop(error instanceof Error ? error.message : "the content scan failed");
  });
  return {
    done,
    blockOtherNames: () => {
      blockOtherNames(namesOf.values(), tally);
    },
  };
}

function blockOtherNames(groups: Iterable<readonly string[]>, tally: Tally): void {
  for (const names of groups) {
    if (names.length < 2 || !names.some((name) => tally.isBlocked(name))) continue;
    for (const name of names) {
      if (!tally.isBlocked(name)) tally.add({ path: name, kind: "link", verdict: "block", reason: "link" });
    }
  }
}
