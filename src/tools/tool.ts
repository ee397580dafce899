/**
 * What a tool is: name, words, schemas, hints and behaviour as one value. Everything seen from outside
 * (tools/list, validation, docs/tools.md) is made from it.
 */
import type { z } from "zod";
import type { Caller, Scope } from "../auth/caller.ts";
import type { Failure } from "../policy/failure.ts";
import type { ToolRoom } from "./room.ts";

export interface ToolHints {
  readonly readOnlyHint: boolean;
  readonly destructiveHint: boolean;
  readonly idempotentHint: boolean;
  readonly openWorldHint: boolean;
}

/** Everything about one call that is not an argument. */
export interface ToolCall {
  readonly caller: Caller;
  /** ChatGPT's conversation: a hint, never a permission. */
  readonly conversation: string | null;
  /** The `x-request-id` of the response. */
  readonly ref: string;
  /** Monotonic milliseconds when the call arrived. */
  readonly arrivedAt: number;
  /** Aborted when the caller went away; that never ends a job. */
  readonly signal: AbortSignal;
}

/** `text`: what `content` says; null says the structured content itself. */
export type ToolOutcome =
  | { readonly kind: "answer"; readonly content: Record<string, unknown>; readonly text: string | null }
  | { readonly kind: "refused"; readonly failure: Failure };

export interface Tool<Input extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly hints: ToolHints;
  /** What a caller has to be allowed to call it at all; checked before anything else. */
  readonly scope: Scope;
  readonly input: Input;
  readonly output: z.ZodType;
  run(args: z.output<Input>, call: ToolCall, room: ToolRoom): Promise<ToolOutcome>;
}

/** Gives `run` the type of the input schema. */
export function defineTool<Input extends z.ZodType>(tool: Tool<Input>): Tool {
  return tool; // the dispatcher validates with `input` before it calls `run`
}

export function refused(failure: Failure): ToolOutcome {
  return { kind: "refused", failure };
}
