/**
 * The end of a job that an earlier process began: what Codex has on file of its turn. Waits a while for a Codex that
 * cannot be asked yet; never starts a turn.
 */
import type { CodexBackend, TurnOutcome } from "../codex/backend.ts";
import type { Clock } from "../lib/clock.ts";
import { pause } from "../lib/pause.ts";
import type { Result } from "../lib/result.ts";
import type { Failure } from "../policy/failure.ts";
import type { JobEvent } from "./job.ts";
import type { LiveJob } from "./live-job.ts";
import type { JobStore } from "./store.ts";

export interface ReconcileParts {
  readonly backend: CodexBackend;
  readonly clock: Clock;
  /** Root of a project by its name; null where it is no project any more. */
  readonly rootOf: (project: string) => string | null;
  /** Settles when the project was looked through since the start: before that, nobody knows its secrets. */
  readonly lookFirst: (project: string) => Promise<void>;
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const GIVE_UP_AFTER_MS = 300_000;

/** null: `closing` came first; the next start tries again. */
export async function findEnd(
  entry: LiveJob,
  parts: ReconcileParts,
  closing: AbortSignal,
): Promise<TurnOutcome | null> {
  const outcome = await readEnd(entry, parts, closing);
  const { sandbox, project } = entry.record();
  if (outcome !== null) await parts.lookFirst(project);
  if (closing.aborted) return null;
  // What its commands changed cannot be told any more: nobody knows how the files were before.
  const isUnseen = outcome !== null && outcome.turnId !== null && sandbox === "workspace-write";
  return isUnseen
    ? { ...outcome, commandChanges: { files: 0, unlisted: 0, patchedToo: 0, gap: "restarted" } }
    : outcome;
}

async function readEnd(
  entry: LiveJob,
  parts: ReconcileParts,
  closing: AbortSignal,
): Promise<TurnOutcome | null> {
  const { backend, clock } = parts;
  const { threadId, turnId, project, lastMessage } = entry.record();
  if (threadId === null || turnId === null) return cutOff(threadId, null, lastMessage);
  const root = parts.rootOf(project) ?? "";
  const stop = AbortSignal.any([entry.signal, closing]);
  const giveUpAt = clock.monotonic() + GIVE_UP_AFTER_MS;
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    const read = stop.aborted
      ? null
      : await unlessStopped(backend.readTurn({ threadId, turnId, root }), stop);
    if (closing.aborted) return null;
    if (read === null) return cutOff(threadId, turnId, lastMessage);
    if (read.ok) return toEnd(read.value, lastMessage);
    const isFinal = read.failure.code === "unknown_thread" || clock.monotonic() >= giveUpAt;
    if (isFinal) return cutOff(threadId, turnId, lastMessage);
    await pause(clock, waitMs, stop);
  }
}

function toEnd(outcome: TurnOutcome, lastMessage: string | null): TurnOutcome {
  const answer = outcome.answer ?? lastMessage;
  return outcome.failure?.code === "interrupted"
    ? { ...outcome, answer, failure: CUT_OFF }
    : { ...outcome, answer };
}

const CUT_OFF: Failure = { code: "interrupted", reason: "The bridge ended while the job ran." };
const NOT_BEGUN: Failure = { code: "interrupted", reason: "The bridge ended before Codex began." };

function cutOff(threadId: string | null, turnId: string | null, answer: string | null): TurnOutcome {
  const failure = turnId === null ? NOT_BEGUN : CUT_OFF;
  return { threadId, turnId, answer, changes: [], diff: null, usage: null, failure };
}

async function unlessStopped(
  work: Promise<Result<TurnOutcome, Failure>>,
  stop: AbortSignal,
): Promise<Result<TurnOutcome, Failure> | null> {
  const { promise, resolve } = Promise.withResolvers<null>();
  const onStop = (): void => {
    resolve(null);
  };
  stop.addEventListener("abort", onStop, { once: true });
  if (stop.aborted) onStop();
  try {
    return await Promise.race([work, promise]);
  } finally {
    stop.removeEventListener("abort", onStop);
  }
}

const EVENTS_AT_ONCE = 500;

export async function readStory(jobs: JobStore, jobId: string): Promise<JobEvent[]> {
  const story: JobEvent[] = [];
  for (;;) {
    const next = await jobs.events(jobId, story.at(-1)?.id ?? 0, EVENTS_AT_ONCE);
    story.push(...next);
    if (next.length < EVENTS_AT_ONCE) return story;
  }
}
