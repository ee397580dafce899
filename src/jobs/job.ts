/**
 * What is kept of a job and of a thread. Plain data, storable as it is: no promises, no handles.
 * docs/storage.md shows each record as an example.
 */
import type { FileChange, Usage } from "../codex/events.ts";
import type { CommandChanges } from "../codex/seen-changes.ts";
import type { Failure } from "../policy/failure.ts";
import type { Sandbox } from "../policy/grant.ts";

/** Characters of a job's id: as wide as its column in `jobs list`, so that an id can be copied from there. */
export const JOB_ID_LENGTH = 21;

export type JobTool = "codex_read" | "codex_run" | "codex_reply";
export type JobState = "queued" | "running" | "waiting" | "completed" | "failed" | "cancelled";
export type FinalState = Extract<JobState, "completed" | "failed" | "cancelled">;

/** All times are milliseconds since the epoch. */
export interface JobRecord {
  readonly version: 1;
  readonly jobId: string;
  readonly tool: JobTool;
  /** Subject of whoever called; only that caller sees the job. */
  readonly caller: string;
  /** ChatGPT's conversation, as a hint for finding the newest job; never a permission. */
  readonly conversation: string | null;
  /** The caller's own id for this call; it never starts a second job. */
  readonly requestId: string | null;
  /** Tells identical calls: a hash over tool and arguments. */
  readonly fingerprint: string;
  readonly project: string;
  readonly sandbox: Sandbox;
  readonly state: JobState;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  /** Longest that the job may run. */
  readonly limitMs: number;
  readonly threadId: string | null;
  /** Codex's own id of this job's turn in the thread: by it the answer is found after a restart. */
  readonly turnId: string | null;
  /** What Codex said last while the job had not ended; it becomes the answer of a job that was cut off. */
  readonly lastMessage: string | null;
  readonly answer: string | null;
  readonly answerTruncated: boolean;
  /** The caller gave an output schema. */
  readonly wantsOutput: boolean;
  /** The answer parsed, when the caller gave an output schema. */
  readonly output: unknown;
  readonly changes: readonly FileChange[];
  /** What commands changed besides; null where none ran, or the job may not write. */
  readonly commandChanges: CommandChanges | null;
  readonly diff: string | null;
  readonly diffTruncated: boolean;
  readonly usage: Usage | null;
  readonly progress: Progress;
  /** Why it ended badly; the first cause, never overwritten. */
  readonly failure: Failure | null;
}

export interface Progress {
  readonly phase: "queued" | "starting" | "thinking" | "running a command" | "editing files" | "finished";
  readonly commands: number;
  readonly filesChanged: number;
  readonly lastEvent: string | null;
}

export interface JobEvent {
  /** Counts up from 1 within the job; a cursor is the last id that was seen. */
  readonly id: number;
  readonly at: number;
  readonly type: string;
  /** Short and redacted. */
  readonly text: string;
}

/** A thread that this bridge made, and what it was allowed. */
export interface ThreadRecord {
  readonly version: 1;
  readonly threadId: string;
  readonly caller: string;
  readonly project: string;
  /** Relative to the project's root; "" is the root. */
  readonly cwd: string;
  readonly sandbox: Sandbox;
  readonly model: string | null;
  readonly effort: string | null;
  readonly createdAt: number;
  readonly usedAt: number;
}

export function isFinal(state: JobState): state is FinalState {
  return state === "completed" || state === "failed" || state === "cancelled";
}
