/**
 * Runs jobs: takes a Grant and what to do with it, keeps the record, waits for a free place, has the turn run, and ends
 * every job in exactly one final state. Never decides what is allowed and never talks to a caller.
 */
import type { CodexBackend, TurnOutcome } from "../codex/backend.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import type { Failure } from "../policy/failure.ts";
import type { Grant } from "../policy/grant.ts";
import { toJobRecord, type CallIdentity, type JobRequest } from "./job-request.ts";
import { createHourLimit } from "./hour-limit.ts";
import type { JobEvent, JobRecord } from "./job.ts";
import { isFullFor, placeOfNext } from "./fair-queue.ts";
import { createLiveJob, type LiveJob } from "./live-job.ts";
import { findEnd, readStory, type ReconcileParts } from "./reconcile.ts";
import { asReplay, isSameCall } from "./replay.ts";
import type { JobStore, ThreadStore } from "./store.ts";
import { endedEarly, runTurn } from "./run-turn.ts";

export interface RunnerParts extends ReconcileParts {
  readonly backend: CodexBackend;
  readonly jobs: JobStore;
  readonly threads: ThreadStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly maxConcurrent: number;
  readonly maxQueue: number;
  /** Jobs that a caller may start within an hour; 0: as many as they like. */
  readonly jobsPerHour: number;
  readonly newId: () => string;
  readonly redact: (text: string) => string;
  /** Told of every job's end, once its record is final. */
  readonly onEnd: (job: JobRecord) => void;
  /** Asked right before a turn starts: does what the Grant was made from still hold? null: yes. */
  readonly recheck: (grant: Grant, waitedMs: number) => Promise<Failure | null>;
}

export interface Runner {
  /** The job that this very call started before, or null. The same requestId with other arguments is refused. */
  findTwin(call: CallIdentity): Promise<Result<JobRecord | null, Failure>>;
  submit(request: JobRequest): Promise<Submitted>;
  /** The job as it is now, and its events after the cursor. null: no such job. */
  look(jobId: string, after: number): Promise<{ job: JobRecord; events: readonly JobEvent[] } | null>;
  /** Settles at the job's end, when an event above `after` is there (if given), after `waitMs`, or on abort. */
  wait(jobId: string, after: number | null, waitMs: number, signal: AbortSignal): Promise<void>;
  /** True when the job was told to end; false when it had ended before. */
  cancel(jobId: string, by: "caller" | "owner"): boolean;
  /** Takes on the jobs that the end of an earlier process cut off; each ends as Codex says that its turn did. */
  adopt(): Promise<void>;
  /** Is there any that has not ended? */
  hasJobs(): boolean;
  counts(): { running: number; queued: number; waitingCallers: number };
  /** Takes no more jobs, lets running turns end within `graceMs`, then ends the rest as interrupted. */
  close(graceMs: number): Promise<void>;
}

type Submitted = Result<{ job: JobRecord; deduplicated: boolean }, Failure>;

const SHUT_DOWN: Failure = { code: "interrupted", reason: "The bridge was shut down." };

export function createRunner(parts: RunnerParts): Runner {
  const { jobs, clock, log } = parts;
  const live = new Map<string, LiveJob>();
  const queue: { live: LiveJob; request: JobRequest }[] = [];
  /** Threads that a job works on or waits for. */
  const busyThreads = new Set<string>();
  const runs = new Set<Promise<void>>();
  const hourLimit = createHourLimit(parts.jobsPerHour, jobs, clock);
  /** Jobs that have their place while the store takes them in. */
  let accepting = 0;
  let running = 0;
  let waitingCallers = 0;
  const closing = new AbortController();

  function records(): JobRecord[] {
    return [...live.values()].map((entry) => entry.record());
  }

  function liveTwin(call: CallIdentity): JobRecord | null {
    return records().find((job) => isSameCall(job, call)) ?? null;
  }

  async function findTwin(call: CallIdentity): Promise<Result<JobRecord | null, Failure>> {
    const twin =
      liveTwin(call) ??
      (call.requestId === null ? null : await jobs.findByRequest(call.caller, call.requestId));
    return twin === null ? ok(null) : asReplay(twin, call);
  }

  async function submit(request: JobRequest): Promise<Submitted> {
    const known = await findTwin(request);
    if (!known.ok) return known;
    if (known.value !== null) return ok({ job: known.value, deduplicated: true });
    const tooMany = await hourLimit.take(request.caller);
    if (tooMany !== null) return fail(tooMany);
    try {
      return await accept(request);
    } finally {
      hourLimit.release(request.caller);
    }
  }

  async function accept(request: JobRequest): Promise<Submitted> {
    // Another call may have come first while the store was asked.
    const twin = liveTwin(request);
    if (twin !== null) {
      const replay = asReplay(twin, request);
      return replay.ok ? ok({ job: replay.value, deduplicated: true }) : replay;
    }
    if (closing.signal.aborted) return fail(SHUT_DOWN);
    const threadId = request.thread.kind === "new" ? null : request.thread.threadId;
    if (threadId !== null && busyThreads.has(threadId)) return fail({ code: "thread_busy" });
    const waiting = queue.length + accepting;
    if (isFullFor(request.caller, running + waiting, parts, records()))
      return fail({ code: "busy", running, waiting });

    // From here to the first await nothing else runs: place and thread are taken in one step.
    const entry = createLiveJob(toJobRecord(request, parts.newId(), clock.now()), parts);
    live.set(entry.record().jobId, entry);
    if (threadId !== null) busyThreads.add(threadId);
    accepting += 1;
    try {
      const inserted = await jobs.insert(entry.record());
      if (!inserted.ok) {
        forget(entry, threadId);
        const replay = asReplay(inserted.failure.twin, request);
        return replay.ok ? ok({ job: replay.value, deduplicated: true }) : replay;
      }
    } catch (error) {
      forget(entry, threadId);
      throw error;
    } finally {
      accepting -= 1;
    }
    entry.tell("queued", `Accepted for project ${request.grant.project}.`);
    if (closing.signal.aborted) {
      entry.stop(SHUT_DOWN);
      track(runJob(entry, request));
    } else {
      queue.push({ live: entry, request });
      startNext();
    }
    return ok({ job: entry.record(), deduplicated: false });
  }

  function forget(entry: LiveJob, threadId: string | null): void {
    live.delete(entry.record().jobId);
    if (threadId !== null) busyThreads.delete(threadId);
  }

  function startNext(): void {
    while (running < parts.maxConcurrent) {
      const waiting = queue.map((one) => one.live.record());
      const [next] = waiting.length === 0 ? [] : queue.splice(placeOfNext(waiting, records()), 1);
      if (next === undefined) return;
      running += 1;
      const run = runJob(next.live, next.request)
        .catch((error: unknown) => {
          log.error({ jobId: next.live.record().jobId, error: String(error) }, "a job could not be kept");
        })
        .finally(() => {
          running -= 1;
          runs.delete(run);
          startNext();
        });
      runs.add(run);
    }
  }

  async function runJob(entry: LiveJob, request: JobRequest): Promise<void> {
    const held = new Set<string>(request.thread.kind === "new" ? [] : [request.thread.threadId]);
    const stopLimit = entry.startLimit();
    const hold = (threadId: string): void => {
      held.add(threadId);
      busyThreads.add(threadId);
    };
    const outcome = await runTurn(entry, request, parts, hold).catch((error: unknown) => {
      log.error({ jobId: entry.record().jobId, error: String(error) }, "a turn failed in the bridge itself");
      return endedEarly({ code: "internal" });
    });
    stopLimit();
    await endLive(entry, outcome, held);
  }

  async function endLive(entry: LiveJob, outcome: TurnOutcome, held: ReadonlySet<string>): Promise<void> {
    try {
      await entry.end(outcome);
    } finally {
      parts.onEnd(entry.record());
      leave(entry, held);
    }
  }

  function leave(entry: LiveJob, held: ReadonlySet<string>): void {
    live.delete(entry.record().jobId);
    for (const threadId of held) busyThreads.delete(threadId);
    entry.wakeAll();
  }

  async function endAdopted(entry: LiveJob, held: ReadonlySet<string>): Promise<void> {
    const outcome = await findEnd(entry, parts, closing.signal);
    if (outcome !== null) await endLive(entry, outcome, held);
    else leave(entry, held);
  }

  return {
    findTwin,
    submit,

    async look(jobId, after) {
      const entry = live.get(jobId);
      if (entry !== undefined) return { job: entry.record(), events: entry.eventsAfter(after) };
      const job = await jobs.get(jobId);
      return job === null ? null : { job, events: await jobs.events(jobId, after, 200) };
    },

    async wait(jobId, after, waitMs, signal) {
      const entry = live.get(jobId);
      if (entry === undefined || signal.aborted) return;
      waitingCallers += 1;
      await entry.changed(after, waitMs, signal);
      waitingCallers -= 1;
    },

    cancel(jobId, by) {
      const entry = live.get(jobId);
      if (entry === undefined) return false;
      entry.stop({ code: "cancelled", by });
      const place = queue.findIndex((waiting) => waiting.live === entry);
      const waiting = place === -1 ? undefined : queue.splice(place, 1)[0];
      if (waiting !== undefined) track(runJob(waiting.live, waiting.request));
      return true;
    },

    async adopt() {
      for (const job of await jobs.unfinished()) {
        const entry = createLiveJob(job, parts, await readStory(jobs, job.jobId));
        const held = new Set(job.threadId === null ? [] : [job.threadId]);
        live.set(job.jobId, entry);
        for (const threadId of held) busyThreads.add(threadId);
        track(endAdopted(entry, held));
      }
    },

    hasJobs: () => live.size > 0,
    counts: () => ({ running, queued: queue.length, waitingCallers }),

    async close(graceMs) {
      closing.abort();
      for (const waiting of queue.splice(0)) {
        waiting.live.stop(SHUT_DOWN);
        track(runJob(waiting.live, waiting.request));
      }
      const stopGrace = clock.after(graceMs, () => {
        for (const entry of live.values()) entry.stop(SHUT_DOWN);
      });
      while (runs.size > 0) await Promise.all(runs);
      stopGrace();
    },
  };

  /** For a job that needs no place: it only has to be ended. */
  function track(run: Promise<void>): void {
    const tracked = run
      .catch((error: unknown) => {
        log.error({ error: String(error) }, "a job could not be kept");
      })
      .finally(() => runs.delete(tracked));
    runs.add(tracked);
  }
}
