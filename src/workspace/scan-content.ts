/**
 * The content part of a scan: says which directories' files are read, and makes findings of what the threads answer.
 * A file that is another name of a blocked file is blocked with it.
 */
import { startContentRun } from "./content-scanner.ts";
import type { ContentAnswer } from "./content-worker.ts";
import type { Ending } from "./scan-ending.ts";
import type { Tally } from "./scan-report.ts";
import { toText, type WalkedDirectory } from "./walk.ts";

export interface ContentPart {
  readonly wants: (directory: WalkedDirectory) => boolean;
  readonly add: (directory: WalkedDirectory, names: readonly string[]) => void;
  readonly isFull: () => boolean;
  readonly finish: () => Promise<void>;
}

/** What a registry gave to everybody, and what is compressed; names are judged there all the same. */
const NOT_READ = /(?:^|\/)(?:node_modules|\.git\/objects|\.git\/lfs\/objects)(?:\/|$)/;
/** Packages of other languages: read, for they may be one's own, but only worth a warning. */
const SHIPPED = /(?:^|\/)(?:site-packages|dist-packages|Pods|vendor\/bundle|\.yarn\/cache|\.pnpm-store)\//;

/** `root` as bytes. `onProgress` is called when the walk may go on after `isFull`. */
export function startContentPart(
  root: string,
  tally: Tally,
  ending: Ending,
  onProgress: () => void,
  onSecret: (value: string) => void,
): ContentPart {
  const prefix = root === "/" ? 1 : root.length + 1;
  const relative = (path: string): string => toText(path.slice(prefix));
  const namesOf = new Map<string, string[]>();
  const onAnswer = (answer: ContentAnswer): void => {
    for (const { path, kind, verdict } of answer.found) {
      const place = relative(path);
      tally.add({ path: place, kind, verdict: SHIPPED.test(place) ? "warn" : verdict, reason: "content" });
    }
    for (const [path, inode] of answer.shared) {
      const names = namesOf.get(inode);
      if (names === undefined) namesOf.set(inode, [relative(path)]);
      else names.push(relative(path));
    }
    for (const value of answer.secrets) onSecret(value);
    for (const { path, code } of answer.failed) tally.miss(relative(path), code);
  };
  const run = startContentRun({ onAnswer, onProgress });
  void ending.over.then(run.stop);
  return {
    wants: ({ relative: place }) => !NOT_READ.test(place),
    add: (directory, names) => {
      run.add(directory.path, names);
    },
    isFull: run.isFull,
    finish: async () => {
      try {
        await run.finish();
      } catch (error) {
        ending.stop(error instanceof Error ? error.message : "the content scan failed");
      }
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
