// The vocabulary of a scripted model: each step is what the model does in one response.
// Steps are plain objects that survive JSON, made by the small functions here. Nothing here performs a step.
import type { ScriptedRequest } from "./responses-request.ts";

/** Failures without `times` fail for ever; with `times: n` the first n requests that reach the step fail, then the script goes on. */
interface Repeat {
  readonly times?: number;
}

export interface SayStep {
  readonly kind: "say";
  readonly text: string;
  /** The text is streamed in this many deltas (1), each followed by `chunkMs`. */
  readonly chunks?: number;
  readonly chunkMs?: number;
  /** Silence before the response begins. */
  readonly delayMs?: number;
}

export interface ShellStep {
  readonly kind: "shell";
  readonly cmd: string;
  /** How long Codex waits for the command before it answers with a running session. */
  readonly yieldMs?: number;
  readonly workdir?: string;
  /** Ask to run outside the sandbox. */
  readonly escalate?: boolean;
}

export type CallStep =
  | ShellStep
  | { readonly kind: "patch"; readonly patch: string }
  | {
      readonly kind: "callTool";
      readonly tool: string;
      readonly args: Readonly<Record<string, unknown>>;
      readonly namespace?: string;
    }
  | { readonly kind: "js"; readonly code: string };

/** Steps that end in a response as a real model would give it. */
export type AnswerStep =
  | SayStep
  | CallStep
  | { readonly kind: "echoToolOutput" }
  | { readonly kind: "parallel"; readonly calls: readonly CallStep[] };

export type FailureStep = Repeat &
  (
    | {
        readonly kind: "httpError";
        readonly status: number;
        readonly body?: unknown;
        readonly headers?: Readonly<Record<string, string>>;
      }
    | { readonly kind: "malformed"; readonly how: "garbage" | "json" | "html" }
    | { readonly kind: "dropConnection"; readonly when: "before" | "mid" }
    | { readonly kind: "silence"; readonly when: "before" | "mid"; readonly ms: number }
    | { readonly kind: "responseFailed"; readonly code: string; readonly message: string }
  );

export type PlainStep =
  | AnswerStep
  | FailureStep
  | { readonly kind: "reasoning"; readonly text: string; readonly next: AnswerStep };

/** What a function step sees. It is called again for every request of the turn, so it must depend on this alone. */
export interface StepContext {
  readonly prompt: string;
  /** Tool outputs that answer the steps before this one, in order. */
  readonly outputs: readonly string[];
  readonly request: ScriptedRequest;
}

/** A function may decide by what has happened; it lives in memory only, so inline scripts cannot hold one. */
export type Step = PlainStep | ((context: StepContext) => PlainStep);

export function say(text: string, options: Omit<SayStep, "kind" | "text"> = {}): SayStep {
  return { kind: "say", text, ...options };
}

export function shell(cmd: string, options: Omit<ShellStep, "kind" | "cmd"> = {}): ShellStep {
  return { kind: "shell", cmd, ...options };
}

/** `applyPatchText` is the whole `*** Begin Patch ... *** End Patch` text. */
export function patch(applyPatchText: string): CallStep {
  return { kind: "patch", patch: applyPatchText };
}

/** Any tool by name. In code mode a tool that is not offered directly is called from JavaScript. */
export function callTool(
  tool: string,
  args: Readonly<Record<string, unknown>> = {},
  options: { readonly namespace?: string } = {},
): CallStep {
  return { kind: "callTool", tool, args, ...options };
}

/** JavaScript for Codex's `exec` tool. Models without code mode answer it with HTTP 400. */
export function js(code: string): CallStep {
  return { kind: "js", code };
}

/** A reasoning summary, and `next` in the same response. */
export function reasoning(text: string, next: AnswerStep): PlainStep {
  return { kind: "reasoning", text, next };
}

/** Several tool calls in one response. */
export function parallel(calls: readonly CallStep[]): AnswerStep {
  return { kind: "parallel", calls };
}

/** Says the newest tool output of the turn, whole and unchanged, as the answer. */
export function echoToolOutput(): AnswerStep {
  return { kind: "echoToolOutput" };
}

export function httpError(
  status: number,
  options: Repeat & { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
): FailureStep {
  return { kind: "httpError", status, ...options };
}

/** Status 200 with: a line that is not JSON, a `response.completed` of the wrong shape, or a web page. */
export function malformed(how: "garbage" | "json" | "html", options: Repeat = {}): FailureStep {
  return { kind: "malformed", how, ...options };
}

export function dropConnection(when: "before" | "mid", options: Repeat = {}): FailureStep {
  return { kind: "dropConnection", when, ...options };
}

/** Holds the connection open without a byte for `ms`, then drops it. */
export function silence(when: "before" | "mid", ms: number, options: Repeat = {}): FailureStep {
  return { kind: "silence", when, ms, ...options };
}

export function responseFailed(code: string, message: string, options: Repeat = {}): FailureStep {
  return { kind: "responseFailed", code, message, ...options };
}
