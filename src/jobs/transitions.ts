/** How a job may change. Pure: a record and what happened in, a new record out. A finished job never changes again. */
import type { Usage, FileChange } from "../codex/events.ts";
import type { CommandChanges } from "../codex/seen-changes.ts";
import type { Failure } from "../policy/failure.ts";
import { cutText } from "../lib/cut-text.ts";
import { isFinal, type FinalState, type JobRecord, type Progress } from "./job.ts";

export const MAX_ANSWER_BYTES = 24 * 1024;
export const MAX_DIFF_BYTES = 24 * 1024;
const MAX_CHANGES = 500;

export interface Ending {
  readonly answer: string | null;
  readonly changes: readonly FileChange[];
  readonly commandChanges: CommandChanges | null;
  readonly diff: string | null;
  readonly usage: Usage | null;
  readonly failure: Failure | null;
}

export function startJob(job: JobRecord, now: number): JobRecord {
  if (job.state !== "queued") return job;
  return { ...job, state: "running", startedAt: now, progress: { ...job.progress, phase: "starting" } };
}

export function noteThread(job: JobRecord, threadId: string): JobRecord {
  return isFinal(job.state) ? job : { ...job, threadId };
}

export function noteTurn(job: JobRecord, turnId: string): JobRecord {
  return isFinal(job.state) ? job : { ...job, turnId };
}

export function noteMessage(job: JobRecord, message: string): JobRecord {
  return isFinal(job.state) ? job : { ...job, lastMessage: cutText(message, MAX_ANSWER_BYTES).text };
}

export function noteProgress(job: JobRecord, progress: Progress): JobRecord {
  return isFinal(job.state) ? job : { ...job, progress };
}

export function noteUsage(job: JobRecord, usage: Usage): JobRecord {
  return isFinal(job.state) ? job : { ...job, usage };
}

export function noteChanges(job: JobRecord, changes: readonly FileChange[], diff: string | null): JobRecord {
  if (isFinal(job.state)) return job;
  const progress = { ...job.progress, filesChanged: changes.length };
  return { ...job, progress, ...boundedChanges(changes, diff) };
}

export function endJob(job: JobRecord, ending: Ending, now: number): JobRecord {
  if (isFinal(job.state)) return job;
  const answer = ending.answer === null ? null : cutText(ending.answer, MAX_ANSWER_BYTES);
  const filesChanged = ending.changes.length + (ending.commandChanges?.unlisted ?? 0);
  return {
    ...job,
    ...boundedChanges(ending.changes, ending.diff, filesChanged),
    commandChanges: ending.commandChanges,
    state: finalStateOf(ending.failure),
    // A clock that was put back must not make a job end before it began.
    finishedAt: Math.max(now, job.startedAt ?? job.createdAt),
    lastMessage: null,
    answer: answer?.text ?? null,
    answerTruncated: answer?.wasCut ?? false,
    output: job.wantsOutput && ending.answer !== null ? parseOutput(ending.answer) : null,
    usage: ending.usage ?? job.usage,
    progress: { ...job.progress, phase: "finished", filesChanged },
    failure: ending.failure,
  };
}

function finalStateOf(failure: Failure | null): FinalState {
  if (failure === null) return "completed";
  return failure.code === "cancelled" ? "cancelled" : "failed";
}

function boundedChanges(changes: readonly FileChange[], diff: string | null, all = changes.length) {
  const cut = diff === null ? null : cutText(diff, MAX_DIFF_BYTES);
  return {
    changes: changes.slice(0, MAX_CHANGES),
    diff: cut?.text ?? null,
    diffTruncated: (cut?.wasCut ?? false) || all > Math.min(changes.length, MAX_CHANGES),
  };
}

/** Codex was asked for JSON of one shape, but a model may answer anything: then there is no output, only the answer. */
function parseOutput(answer: string): unknown {
  try {
    const value: unknown = JSON.parse(answer);
    return typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
