/** What a job is made from, and its first record. */
import type { TurnRequest } from "../codex/backend.ts";
import type { Grant } from "../policy/grant.ts";
import type { JobRecord, JobTool } from "./job.ts";

export interface JobRequest {
  readonly tool: JobTool;
  readonly caller: string;
  readonly conversation: string | null;
  readonly requestId: string | null;
  readonly fingerprint: string;
  readonly grant: Grant;
  /** Relative to the project's root; kept with the thread. */
  readonly cwd: string;
  readonly thread: TurnRequest["thread"];
  readonly prompt: string;
  /** null: none. */
  readonly outputSchema: unknown;
  readonly projectInstructions: string | null;
  readonly limitMs: number;
}

/** What tells one call from another. */
export type CallIdentity = Pick<JobRequest, "caller" | "conversation" | "requestId" | "fingerprint">;

export function toJobRecord(request: JobRequest, jobId: string, now: number): JobRecord {
  const { tool, caller, conversation, requestId, fingerprint, grant, limitMs, thread } = request;
  return {
    version: 1,
    jobId,
    tool,
    caller,
    conversation,
    requestId,
    fingerprint,
    project: grant.project,
    sandbox: grant.sandbox,
    state: "queued",
    createdAt: now,
    startedAt: null,
    finishedAt: null,
    limitMs,
    threadId: thread.kind === "resume" ? thread.threadId : null,
    turnId: null,
    lastMessage: null,
    answer: null,
    answerTruncated: false,
    wantsOutput: request.outputSchema !== null,
    output: null,
    changes: [],
    commandChanges: null,
    diff: null,
    diffTruncated: false,
    usage: null,
    progress: { phase: "queued", commands: 0, filesChanged: 0, lastEvent: null },
    failure: null,
  };
}
