/** The one answer shape of all job tools: its schema, and a job record in that shape. */
import { z } from "zod";
import { toChangesNote } from "../jobs/changes-note.ts";
import { isFinal, type JobEvent, type JobRecord } from "../jobs/job.ts";
import { toRefusal } from "./refusal.ts";
import type { ToolOutcome } from "./tool.ts";

const error = z.object({ code: z.string(), message: z.string(), retryable: z.boolean() });
const tokens = z.number().int();

/** Only `status` and `nextAction` are always there: refusals have to fit too, and clients validate even those. */
export const jobAnswer = z.object({
  status: z.enum(["queued", "running", "waiting", "completed", "failed", "cancelled", "refused"]),
  nextAction: z.string(),
  jobId: z.string().optional(),
  tool: z.string().optional(),
  project: z.string().optional(),
  sandbox: z.enum(["read-only", "workspace-write"]).optional(),
  threadId: z.string().nullish(),
  createdAt: z.string().optional().describe("ISO 8601"),
  finishedAt: z.string().nullish(),
  elapsedMs: z.number().int().optional(),
  deduplicated: z.boolean().optional().describe("this call found a job that was already there"),
  answer: z.string().nullish().describe("Codex's final message"),
  answerTruncated: z.boolean().optional(),
  output: z.unknown().optional().describe("the answer parsed, when outputSchema was given"),
  changes: z
    .array(
      z.object({
        path: z.string(),
        kind: z.enum(["add", "update", "delete"]),
        additions: z.number().int().nullable(),
        deletions: z.number().int().nullable(),
      }),
    )
    .optional()
    .describe("files changed while the turn ran; counts are null where the diff does not show it"),
  changesNote: z.string().nullish().describe("what changes and diff do not show"),
  diff: z.string().nullish(),
  diffTruncated: z.boolean().optional(),
  usage: z
    .object({
      inputTokens: tokens,
      cachedInputTokens: tokens,
      outputTokens: tokens,
      reasoningOutputTokens: tokens,
    })
    .nullish(),
  progress: z
    .object({
      phase: z.string(),
      commands: z.number().int(),
      filesChanged: z.number().int(),
      lastEvent: z.string().nullable(),
    })
    .nullish(),
  events: z
    .array(z.object({ id: z.number().int(), at: z.string(), type: z.string(), text: z.string() }))
    .optional(),
  nextCursor: z.string().optional(),
  recentJobs: z
    .array(
      z.object({
        jobId: z.string(),
        tool: z.string(),
        project: z.string(),
        status: z.string(),
        createdAt: z.string(),
        threadId: z.string().nullable(),
      }),
    )
    .optional(),
  error: error.nullish(),
  ref: z.string().optional(),
});
export type JobAnswer = z.input<typeof jobAnswer>;

export interface AnswerExtras {
  readonly deduplicated?: boolean;
  readonly events?: readonly JobEvent[];
  /** The cursor that the caller gave; the next one is never lower. */
  readonly cursor?: number;
  readonly recentJobs?: readonly JobRecord[];
}

export function toJobOutcome(job: JobRecord, now: number, extras: AnswerExtras = {}): ToolOutcome {
  const content = toJobAnswer(job, now, extras);
  // A completed call says its answer as text; everything else says the same JSON.
  return { kind: "answer", content, text: job.state === "completed" ? job.answer : null };
}

export function toJobAnswer(job: JobRecord, now: number, extras: AnswerExtras = {}): JobAnswer {
  const refusal = job.failure === null ? null : toRefusal(job.failure);
  const events = extras.events ?? [];
  return {
    status: job.state,
    nextAction: refusal?.nextAction ?? nextAction(job),
    jobId: job.jobId,
    tool: job.tool,
    project: job.project,
    sandbox: job.sandbox,
    threadId: job.threadId,
    createdAt: iso(job.createdAt),
    finishedAt: job.finishedAt === null ? null : iso(job.finishedAt),
    elapsedMs: Math.max(0, (job.finishedAt ?? now) - job.createdAt),
    ...(extras.deduplicated === true ? { deduplicated: true } : {}),
    answer: job.answer,
    answerTruncated: job.answerTruncated,
    output: job.output ?? null,
    changes: [...job.changes],
    changesNote: toChangesNote(job),
    diff: job.diff,
    diffTruncated: job.diffTruncated,
    usage: job.usage,
    progress: job.progress,
    ...(extras.events === undefined
      ? {}
      : {
          events: events.map(({ id, at, type, text }) => ({ id, at: iso(at), type, text })),
          nextCursor: String(events.at(-1)?.id ?? extras.cursor ?? 0),
        }),
    ...(extras.recentJobs === undefined ? {} : { recentJobs: extras.recentJobs.map(toRecentJob) }),
    error: refusal?.error ?? null,
  };
}

function toRecentJob({ jobId, tool, project, state, createdAt, threadId }: JobRecord) {
  return { jobId, tool, project, status: state, createdAt: iso(createdAt), threadId };
}

function nextAction(job: JobRecord): string {
  if (!isFinal(job.state)) return "Call codex_job_status with this jobId; it waits for the result.";
  if (toChangesNote(job) !== null) {
    return "Use the answer; changesNote says what the diff does not show. To go on in the same thread, call codex_reply with this threadId.";
  }
  return "Use the answer. To go on in the same thread, call codex_reply with this threadId.";
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
