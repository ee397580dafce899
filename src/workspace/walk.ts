/**
 * Lists every directory below a root, without following links, without blocking the event loop. Names travel as
 * byte strings (one character per byte), so that a name in no valid encoding is still walked and opened as it is.
 * Says which directories it could not read; never skips one in silence.
 */
import { type Dirent, readdir } from "node:fs";

export interface WalkedDirectory {
  /** Absolute, as bytes: use `toFsPath` before handing it to `node:fs`. */
  readonly path: string;
  /** Below the root, as bytes, with `/`; empty for the root itself. */
  readonly relative: string;
}

export interface WalkSteps {
  /** Called once for each directory; returns the names of the directories among `entries`. */
  readonly onDirectory: (directory: WalkedDirectory, entries: readonly Dirent[]) => readonly string[];
  /** `code` says why, as the system calls it. */
  readonly onUnreadable: (directory: WalkedDirectory, code: string) => void;
  /** Asked often: true ends the walk after what is in flight. */
  readonly isStopped: () => boolean;
}

/** So many listings in flight that the thread pool never waits for the event loop, not even through a garbage collection. */
const MAX_IN_FLIGHT = 512;

/**
 * `root` is a real, absolute path as bytes, without a trailing slash (except `/` itself). Settles when nothing is left,
 * or the walk was stopped; never rejects.
 */
export function walkTree(root: string, steps: WalkSteps): Promise<void> {
  const waiting: string[] = [root];
  const prefix = root === "/" ? 1 : root.length + 1;
  let inFlight = 0;
  let finish = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const pump = (): void => {
    const stopped = steps.isStopped();
    if (inFlight === 0 && (stopped || waiting.length === 0)) finish();
    if (stopped) return;
    while (inFlight < MAX_IN_FLIGHT) {
      const path = waiting.pop();
      if (path === undefined) return;
      inFlight++;
      list(path);
    }
  };
  const list = (path: string): void => {
    readdir(toFsPath(path), LATIN1_DIRENTS, (error, entries) => {
      inFlight--;
      const directory = { path, relative: path.slice(prefix) };
      if (error !== null) steps.onUnreadable(directory, error.code ?? error.message);
      else if (!steps.isStopped()) {
        for (const name of steps.onDirectory(directory, entries)) waiting.push(below(path, name));
      }
      pump();
    });
  };
  pump();
  return done;
}

/** Names as bytes, and what each is. */
export const LATIN1_DIRENTS = { withFileTypes: true, encoding: "latin1" } as const;

/** `name` in `directory`; both as bytes, or both as text. */
export function below(directory: string, name: string): string {
  return directory === "" || directory === "/" ? directory + name : `${directory}/${name}`;
}

/** The opposite of joining names by `/`. */
export function namesIn(joined: string): readonly string[] {
  return joined === "" ? [] : joined.split("/");
}

const BEYOND_ASCII = /[^\0-\x7f]/;

/** A byte string as `node:fs` takes it. */
export function toFsPath(bytes: string): string | Buffer {
  return BEYOND_ASCII.test(bytes) ? Buffer.from(bytes, "latin1") : bytes;
}

/** A byte string as people read it; bytes that are no UTF-8 become U+FFFD. */
export function toText(bytes: string): string {
  return BEYOND_ASCII.test(bytes) ? Buffer.from(bytes, "latin1").toString("utf8") : bytes;
}

/** The opposite of `toText`. */
export function toBytes(text: string): string {
  return BEYOND_ASCII.test(text) ? Buffer.from(text, "utf8").toString("latin1") : text;
}
