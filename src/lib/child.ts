/**
 * One child process that speaks in lines over stdin and stdout: started with an explicit argv and environment,
 * no shell, in a process group of its own, and always ended and awaited. Never restarts itself (who wants that sees to
 * it) and never writes to our stdout or stderr.
 */
import { spawn } from "node:child_process";
import { fail, ok, type Result } from "./result.ts";
import { createLineSplitter } from "./lines.ts";

export interface ChildProgram {
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the child; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Its stdout is all that it is wanted for: once that is closed, the child is killed. */
  readonly endsWithStdout?: boolean;
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last lines that the child wrote to stderr, 8 KiB at most. For the owner's log only, after redaction. */
  readonly stderrTail: string;
}

export interface Child {
  readonly pid: number;
  /** Queues one line. Silently dropped once the child has gone: `exited` tells. A child that reads none of many is killed. */
  send(line: string): void;
  readonly exited: Promise<ChildExit>;
  /** Closes stdin, then TERM, then KILL to the whole group; settles when the child is gone. Safe to call twice. */
  stop(): Promise<ChildExit>;
  /** KILL to the whole group at once, for a child that cannot be trusted any more. */
  kill(): void;
}

const MAX_LINE_BYTES = 64 * 1024 * 1024;
/** What a child that reads nothing may leave lying with us. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_LINE_BYTES = 1024 * 1024;
const STDERR_TAIL_BYTES = 8 * 1024;
const STDIN_GRACE_MS = 1_000;
const TERM_GRACE_MS = 2_000;
/** A pipe that somebody outside the group still holds is not waited for. */
const PIPE_GRACE_MS = 500;

export async function spawnChild(
  program: ChildProgram,
  onLine: (line: string) => void,
  /** Lines of stderr, for programs that tell their story there. */
  onErrorLine: (line: string) => void = () => {},
): Promise<Result<Child, { reason: string }>> {
  const process = spawn(program.command, program.args, {
    cwd: program.cwd,
    env: program.env,
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  const started = await new Promise<string | null>((resolve) => {
    process.once("spawn", () => {
      resolve(null);
    });
    process.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? error.message);
    });
  });
  const { pid } = process;
  if (started !== null || pid === undefined) return fail({ reason: started ?? "no pid" });

  let stderrTail = "";
  let alive = true;
  const killGroup = (signal: NodeJS.Signals): void => {
    try {
      globalThis.process.kill(-pid, signal);
    } catch {
      process.kill(signal); // the group is gone already; the leader may be a zombie
    }
  };
  const exited = new Promise<ChildExit>((resolve) => {
    process.once("exit", () => {
      killGroup("SIGKILL"); // whatever the leader left behind
      const timer = setTimeout(() => {
        process.stdout.destroy();
        process.stderr.destroy();
      }, PIPE_GRACE_MS);
      process.once("close", () => {
        clearTimeout(timer);
      });
    });
    process.once("close", (code, signal) => {
      alive = false;
      resolve({ code, signal, stderrTail });
    });
  });

  const splitter = createLineSplitter(MAX_LINE_BYTES, onLine);
  process.stdout.on("data", (chunk: Buffer) => {
    if (!splitter.push(chunk)) killGroup("SIGKILL");
  });
  if (program.endsWithStdout === true) {
    process.stdout.once("end", () => {
      setTimeout(() => {
        if (alive) killGroup("SIGKILL");
      }, PIPE_GRACE_MS).unref();
    });
  }
  const errorSplitter = createLineSplitter(MAX_ERROR_LINE_BYTES, onErrorLine);
  process.stderr.on("data", (chunk: Buffer) => {
    const stderr = stderrTail + chunk.toString("utf8");
    stderrTail = stderr.length <= STDERR_TAIL_BYTES ? stderr : wholeLines(stderr.slice(-STDERR_TAIL_BYTES));
    errorSplitter.push(chunk); // after a line without an end the tail still tells
  });
  process.on("error", () => {}); // a failed kill; `close` still tells the end
  process.stdin.on("error", () => {}); // EPIPE of a dying child; `close` tells the end

  async function endedWithin(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => {
        resolve(false);
      }, ms);
    });
    const result = await Promise.race([exited.then(() => true as const), late]);
    clearTimeout(timer);
    return result;
  }

  let stopping: Promise<ChildExit> | null = null;
  async function stop(): Promise<ChildExit> {
    process.stdin.end();
    if (await endedWithin(STDIN_GRACE_MS)) return exited;
    killGroup("SIGTERM");
    if (await endedWithin(TERM_GRACE_MS)) return exited;
    killGroup("SIGKILL");
    return exited;
  }

  return ok({
    pid,
    exited,
    send(line) {
      if (!alive || !process.stdin.writable) return;
      process.stdin.write(`${line}\n`);
      if (process.stdin.writableLength > MAX_UNREAD_BYTES) killGroup("SIGKILL");
    },
    stop() {
      stopping ??= stop();
      return stopping;
    },
    kill() {
      if (alive) killGroup("SIGKILL");
    },
  });
}

/** Without the line that is cut at its beginning: of half a secret nobody could tell that it is one. */
function wholeLines(text: string): string {
  return text.slice(text.indexOf("\n") + 1 || text.length);
}
