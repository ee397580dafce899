import { z } from "zod";
import type { JobRecord } from "../jobs/job.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import type { Failure } from "../policy/failure.ts";
import { jobAnswer, toJobOutcome } from "./job-answer.ts";
import type { ToolRoom } from "./room.ts";
import { defineTool, refused, type ToolCall } from "./tool.ts";
import * as input from "./turn-input.ts";

const RECENT_JOBS = 5;
const MAX_EVENTS = 40;
/** The cursor of a caller who wants the end only: no event is above it. */
const NO_EVENTS = Number.MAX_SAFE_INTEGER;

/** Tells how a job stands, waiting a while for its end; without an id, of the newest job. */
export const codexJobStatus = defineTool({
  name: "codex_job_status",
  title: "Wait for a Codex job",
  description:
    "Waits for a job and returns its result, or how far it has come. Without jobId it finds the newest job of this " +
    "conversation and lists recent ones, so a lost id is no problem. With cursor (nextCursor of the last answer) it " +
    "returns as soon as there are new events.",
  hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  scope: "read",
  input: z.strictObject({
    jobId: input.jobId.optional(),
    cursor: z
      .string()
      .regex(/^\d{1,15}$/)
      .optional()
      .describe("nextCursor of the last answer: return at the first event after it"),
    waitMs: z
      .number()
      .int()
      .min(0)
      .optional()
      .describe("Longest to wait; default and upper limit: about 20 seconds"),
  }),
  output: jobAnswer,

  async run(args, call, room) {
    const job = args.jobId === undefined ? await newestJob(call, room) : await ownJob(args.jobId, call, room);
    if (!job.ok) return refused(job.failure);
    const { jobId } = job.value;
    const cursor = args.cursor === undefined ? null : Number(args.cursor);
    const spentMs = room.clock.monotonic() - call.arrivedAt;
    const longestMs = Math.max(0, room.limits.fastReturnMs - spentMs);
    await room.runner.wait(jobId, cursor, Math.min(args.waitMs ?? longestMs, longestMs), call.signal);
    const found = await room.runner.look(jobId, cursor ?? 0);
    if (found === null) return refused({ code: "unknown_job" });
    const recentJobs = args.jobId === undefined ? await recentOf(call, room) : undefined;
    return toJobOutcome(found.job, room.clock.now(), {
      events: cursor === null ? found.events.slice(-MAX_EVENTS) : found.events.slice(0, MAX_EVENTS),
      cursor: cursor ?? 0,
      ...(recentJobs === undefined ? {} : { recentJobs }),
    });
  },
});

/** A job of somebody else and no job at all look the same. */
export async function ownJob(
  jobId: string,
  call: ToolCall,
  room: ToolRoom,
): Promise<Result<JobRecord, Failure>> {
  const found = await room.runner.look(jobId, NO_EVENTS);
  return found?.job.caller === call.caller.subject ? ok(found.job) : fail({ code: "unknown_job" });
}

async function newestJob(call: ToolCall, room: ToolRoom): Promise<Result<JobRecord, Failure>> {
  const caller = call.caller.subject;
  const { conversation } = call;
  const [ofConversation] =
    conversation === null ? [] : await room.jobs.find({ caller, conversation, limit: 1 });
  const [newest] =
    ofConversation === undefined ? await room.jobs.find({ caller, limit: 1 }) : [ofConversation];
  return newest === undefined ? fail({ code: "unknown_job" }) : ok(newest);
}

async function recentOf(call: ToolCall, room: ToolRoom): Promise<JobRecord[]> {
  return room.jobs.find({ caller: call.caller.subject, limit: RECENT_JOBS });
}
