/** Records of jobs for tests: whatever is not given is plain. */
import type { JobRecord } from "../../src/jobs/job.ts";

export const BORN = Date.UTC(2026, 0, 1);

export function jobRecord(jobId: string, fields: Partial<JobRecord> = {}): JobRecord {
  return {
    version: 1,
    jobId,
    tool: "codex_read",
    caller: "alice",
    conversation: null,
    requestId: null,
    fingerprint: "f",
    project: "sample",
    sandbox: "read-only",
    state: "queued",
    createdAt: BORN,
    startedAt: null,
    finishedAt: null,
    limitMs: 60_000,
    threadId: null,
    turnId: null,
    lastMessage: null,
    answer: null,
    answerTruncated: false,
    wantsOutput: false,
    output: null,
    changes: [],
    commandChanges: null,
    diff: null,
    diffTruncated: false,
    usage: null,
    progress: { phase: "queued", commands: 0, filesChanged: 0, lastEvent: null },
    failure: null,
    ...fields,
  };
}

export function finished(job: JobRecord, fields: Partial<JobRecord> = {}): JobRecord {
  return { ...job, state: "completed", finishedAt: job.createdAt + 1_000, answer: "done", ...fields };
}
