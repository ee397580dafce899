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
  /** Called once for each directory; must call `descend` with the name of each directory among `entries`. */
  readonly onDirectory: (
    directory: WalkedDirectory,
    entries: readonly Dirent[],
    descend: (name: string) => void,
  ) => void;
  readonly onUnreadable: (directory: WalkedDirectory, error: NodeJS.ErrnoException) => void;
  /** Asked often: true ends the walk after what is in flight. */
  readonly isStopped: () => boolean;
  /** Asked often: true starts no further listing until `resume`. */
  readonly isPaused?: () => boolean;
}

export interface Walk {
  /** Settles when nothing is left or the walk was stopped; never rejects. */
  readonly done: Promise<void>;
  /** To be called when `isPaused` or `isStopped` may have changed. */
  readonly resume: () => void;
}

/** Enough listings in flight that the thread pool's four workers never wait for the event loop. */
const MAX_IN_FLIGHT = 128;

/** `root` is a real, absolute path as bytes, without a trailing slash (except `/` itself). */
export function startWalk(root: string, steps: WalkSteps): Walk {
  const waiting: WalkedDirectory[] = [{ path: root, relative: "" }];
  let inFlight = 0;
  let finish = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const pump = (): void => {
    const stopped = steps.isStopped();
    if (inFlight === 0 && (stopped || waiting.length === 0)) finish();
    if (stopped) return;
    while (inFlight < MAX_IN_FLIGHT && steps.isPaused?.() !== true) {
      const directory = waiting.pop();
      if (directory === undefined) return;
      inFlight++;
      list(directory);
    }
  };
  const list = (directory: WalkedDirectory): void => {
    readdir(toFsPath(directory.path), LATIN1_DIRENTS, (error, entries) => {
      inFlight--;
      if (error !== null) steps.onUnreadable(directory, error);
      else if (!steps.isStopped()) {
        steps.onDirectory(directory, entries, (name) => {
          waiting.push({ path: below(directory.path, name), relative: below(directory.relative, name) });
        });
      }
      pump();
    });
  };
  pump();
  return { done, resume: pump };
}

const LATIN1_DIRENTS = { withFileTypes: true, encoding: "latin1" } as const;

/** `name` in `directory`; both as bytes, or both as text. */
export function below(directory: string, name: string): string {
  return directory === "" || directory === "/" ? directory + name : `${directory}/${name}`;
}

const ASCII = /^[\0-\x7f]*$/;

/** A byte string as `node:fs` takes it. */
export function toFsPath(bytes: string): string | Buffer {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, "latin1");
}

/** A byte string as people read it; bytes that are no UTF-8 become U+FFFD. */
export function toText(bytes: string): string {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}

/** The opposite of `toText`. */
export function toBytes(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, "utf8").toString("latin1");
}
