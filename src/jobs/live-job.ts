/**
 * A job that has not ended: its record as it grows, its events, whoever waits for it, and the first cause of its
 * end. Writes to the store at most a few times a second while it runs, and at once when it ends.
 */
import type { TurnOutcome } from "../codex/backend.ts";
import type { CodexEvent, FileChange } from "../codex/events.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { afterWorking } from "../lib/working-time.ts";
import type { Failure } from "../policy/failure.ts";
import type { JobEvent, JobRecord } from "./job.ts";
import type { JobStore } from "./store.ts";
import { advance, toEventText, toStory } from "./story.ts";
import {
  endJob,
  noteChanges,
  noteMessage,
  noteProgress,
  noteThread,
  noteTurn,
  noteUsage,
} from "./transitions.ts";

export interface LiveJob {
  record(): JobRecord;
  change(step: (job: JobRecord) => JobRecord): void;
  /** Takes in what Codex tells. */
  hear(event: CodexEvent): void;
  /** `text` is redacted. */
  tell(type: string, text: string): void;
  eventsAfter(after: number): readonly JobEvent[];
  /** Aborted by `stop`. */
  readonly signal: AbortSignal;
  /** The first cause counts; later ones are not heard. */
  stop(cause: Failure): void;
  stopped(): Failure | null;
  /** From now on the job's own limit counts; the returned function ends that. */
  startLimit(): () => void;
  end(outcome: TurnOutcome): Promise<void>;
  /** Settles on an end, on an event above `after` (null: none counts), after `waitMs`, or on abort. */
  changed(after: number | null, waitMs: number, signal: AbortSignal): Promise<void>;
  wakeAll(): void;
}

export interface LiveJobParts {
  readonly jobs: JobStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly redact: (text: string) => string;
}

const SAVE_EVERY_MS = 250;
/** Newest events kept for whoever watches; the record's counts stay right all the same. */
const MAX_EVENTS = 2_000;

/** `told`: the story so far, of a job that an earlier process began. */
export function createLiveJob(
  first: JobRecord,
  parts: LiveJobParts,
  told: readonly JobEvent[] = [],
): LiveJob {
  const { jobs, clock, log, redact } = parts;
  const abort = new AbortController();
  const waiters = new Set<{ wantsEvents: boolean; wake: () => void }>();
  let record = first;
  let events: JobEvent[] = [...told];
  let unsaved: JobEvent[] = [];
  let lastSave = Promise.resolve();
  let lastId = told.at(-1)?.id ?? 0;
  let cause: Failure | null = null;
  let saveIsDue = false;

  function tell(type: string, text: string): void {
    const event: JobEvent = { id: ++lastId, at: clock.now(), type, text };
    events.push(event);
    if (events.length > MAX_EVENTS) events = events.slice(-MAX_EVENTS / 2);
    unsaved.push(event);
    saveSoon();
    for (const waiter of waiters) if (waiter.wantsEvents) waiter.wake();
  }

  function saveSoon(): void {
    if (saveIsDue) return;
    saveIsDue = true;
    clock.after(SAVE_EVERY_MS, () => {
      saveIsDue = false;
      if (record.finishedAt === null) saveProgress();
    });
  }

  function saveProgress(): void {
    save().catch((error: unknown) => {
      log.warn({ jobId: record.jobId, error: String(error) }, "the progress of a job could not be kept");
    });
  }

  /** One after the other: an earlier state never replaces a later one. */
  async function save(): Promise<void> {
    lastSave = lastSave.catch(() => {}).then(saveOnce);
    return lastSave;
  }

  async function saveOnce(): Promise<void> {
    const batch = unsaved;
    unsaved = [];
    try {
      await jobs.save(record, batch);
    } catch (error) {
      unsaved = [...batch, ...unsaved];
      throw error;
    }
  }

  return {
    record: () => record,
    signal: abort.signal,
    tell,

    change(step) {
      record = step(record);
      saveSoon();
    },

    hear(event) {
      const story = toStory(event);
      const whole = story === null ? null : redact(story.text);
      const text = whole === null ? null : toEventText(whole);
      record = noteProgress(record, advance(record.progress, event, text));
      if (event.type === "changes")
        record = noteChanges(record, redactPaths(event.changes), redactOrNull(event.diff));
      if (event.type === "usage") record = noteUsage(record, event.usage);
      if (event.type === "message" && whole !== null) record = noteMessage(record, whole);
      if (event.type === "thread") record = noteThread(record, event.threadId);
      if (event.type === "turn") record = noteTurn(record, event.turnId);
      if (story !== null && text !== null) tell(story.type, text);
      // By these the answer is found, should this process die in the next moment.
      if (event.type === "thread" || event.type === "turn") saveProgress();
    },

    eventsAfter: (after) => events.filter((event) => event.id > after),

    stop(reason) {
      if (cause !== null) return;
      cause = reason;
      abort.abort();
    },

    stopped: () => cause,

    startLimit() {
      const { limitMs } = record;
      return afterWorking(clock, limitMs, () => {
        this.stop({ code: "timeout", limitMs, what: "job" });
      });
    },

    async end(outcome) {
      // A turn that completed before the stop reached it has completed.
      const failure = outcome.failure === null ? null : (cause ?? outcome.failure);
      const ending = {
        answer: redactOrNull(outcome.answer),
        changes: redactPaths(outcome.changes.length > 0 ? outcome.changes : record.changes),
        commandChanges: outcome.commandChanges ?? null,
        diff: redactOrNull(outcome.diff) ?? record.diff,
        usage: outcome.usage,
        failure: failure === null ? null : redactFailure(failure),
      };
      record = endJob(record, ending, clock.now());
      tell("finished", record.state === "completed" ? "Completed." : `Ended as ${record.state}.`);
      await save();
    },

    async changed(after, waitMs, signal) {
      if (record.finishedAt !== null || (after !== null && lastId > after)) return;
      await new Promise<void>((resolve) => {
        const stopTimer = clock.after(waitMs, wake);
        const waiter = { wantsEvents: after !== null, wake };
        function wake(): void {
          waiters.delete(waiter);
          stopTimer();
          signal.removeEventListener("abort", wake);
          resolve();
        }
        waiters.add(waiter);
        signal.addEventListener("abort", wake, { once: true });
      });
    },

    wakeAll() {
      for (const waiter of waiters) waiter.wake();
    },
  };

  function redactOrNull(text: string | null): string | null {
    return text === null ? null : redact(text);
  }

  function redactPaths(changes: readonly FileChange[]): FileChange[] {
    return changes.map(({ path, kind, additions, deletions }) => ({
      path: redact(path),
      kind,
      additions,
      deletions,
    }));
  }

  function redactFailure(failure: Failure): Failure {
    switch (failure.code) {
      case "codex_failed":
        return { ...failure, message: redact(failure.message) };
      case "interrupted":
      case "confinement_unavailable":
        return { ...failure, reason: redact(failure.reason) };
      default:
        return failure;
    }
  }
}
