/** Runs a program to its end for what it prints. Never waits for ever, and leaves nothing running. */
import { setTimeout as sleep } from "node:timers/promises";
import { spawnChild, type ChildProgram } from "../lib/child.ts";
import { fail, ok, type Result } from "../lib/result.ts";

export interface ProgramAnswer {
  readonly exitCode: number | null;
  readonly stdout: string;
  /** The last of it. */
  readonly stderr: string;
}

const MAX_STDOUT = 256 * 1024;

/** The failure is why there is no answer, in plain words that follow the program's name. */
export async function askProgram(
  program: ChildProgram,
  withinMs: number,
  signal: AbortSignal,
): Promise<Result<ProgramAnswer, string>> {
  let stdout = "";
  const spawned = await spawnChild(program, (line) => {
    if (stdout.length < MAX_STDOUT) stdout += `${line}\n`;
  });
  if (!spawned.ok) return fail(`cannot be started: ${spawned.failure.reason}`);
  const child = spawned.value;
  const waiting = new AbortController();
  const giveUp = (): void => {
    waiting.abort();
  };
  signal.addEventListener("abort", giveUp, { once: true });
  if (signal.aborted) giveUp();
  const late = sleep(withinMs, null, { signal: waiting.signal }).catch(() => null);
  const exit = await Promise.race([child.exited, late]);
  waiting.abort();
  signal.removeEventListener("abort", giveUp);
  if (exit === null) {
    child.kill();
    await child.exited;
    return fail(signal.aborted ? "is not wanted any more" : `did not answer within ${withinMs / 1000} s`);
  }
  return ok({ exitCode: exit.code, stdout, stderr: exit.stderrTail });
}
