/**
 * Runs a small program to its end: explicit arguments, no shell, an explicit environment, text on stdin, bounded
 * output, a time limit. For the system's own tools; never for Codex (codex/child.ts) and never with a secret among the
 * arguments, where every program of the machine could read it.
 */
import { spawn } from "node:child_process";

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Given on stdin, which is closed afterwards. Default: nothing. */
  readonly input?: string;
  readonly timeoutMs: number;
}

export type ProgramEnd =
  | {
      readonly kind: "ended";
      /** null: by a signal. */
      readonly exitCode: number | null;
      readonly stdout: string;
      readonly stderr: string;
    }
  /** It could not be started: not there, or not ours to run. */
  | { readonly kind: "missing" }
  | { readonly kind: "timeout" };

const MAX_OUTPUT = 1024 * 1024;

/** Never rejects. */
export async function runProgram(program: Program, signal?: AbortSignal): Promise<ProgramEnd> {
  const { command, args, env, input, timeoutMs } = program;
  const limit = AbortSignal.timeout(timeoutMs);
  const stop = signal === undefined ? limit : AbortSignal.any([limit, signal]);
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, signal: stop, killSignal: "SIGKILL" });
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (chunk: string) => {
        if (output[name].length < MAX_OUTPUT) output[name] += chunk;
      });
    }
    child.once("error", () => {
      resolve(stop.aborted ? { kind: "timeout" } : { kind: "missing" });
    });
    child.once("close", (exitCode) => {
      resolve(stop.aborted ? { kind: "timeout" } : { kind: "ended", exitCode, ...output });
    });
    // A program that does not want to hear us ends by itself; how it ended is the answer.
    child.stdin.once("error", () => {});
    child.stdin.end(input ?? "");
  });
}
