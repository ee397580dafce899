/**
 * A JobStore around another that never loses a finished job: one that cannot be written stays in memory, is answered
 * from there, and is written as soon as the medium takes it. What fails otherwise is passed on.
 */
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { isFinal, type JobEvent, type JobRecord } from "./job.ts";
import type { JobStore } from "./store.ts";

export interface PatientStore extends JobStore {
  /** Why the last write failed, in plain words without a path; null while writing works. */
  trouble(): string | null;
  /** Writes what waits, once; gives back how many jobs still wait. */
  flush(): Promise<number>;
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

interface Unkept {
  readonly job: JobRecord;
  readonly events: readonly JobEvent[];
}

export function createPatientStore(store: JobStore, clock: Clock, log: Log): PatientStore {
  const unkept = new Map<string, Unkept>();
  let trouble: string | null = null;
  let waitMs = FIRST_WAIT_MS;
  let isWaiting = false;

  /** Notes whether writing works. */
  async function writing<T>(write: Promise<T>): Promise<T> {
    try {
      const result = await write;
      if (trouble !== null) log.info({}, "jobs can be kept again");
      trouble = null;
      return result;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (trouble !== reason) log.error({ error: reason }, "jobs cannot be kept");
      trouble = reason;
      throw error;
    }
  }

  async function flush(): Promise<number> {
    for (const [jobId, entry] of unkept) {
      try {
        await writing(store.save(entry.job, entry.events));
      } catch {
        break; // noted by `writing`; what is left waits for the next time
      }
      unkept.delete(jobId);
    }
    return unkept.size;
  }

  function flushLater(): void {
    if (isWaiting) return;
    isWaiting = true;
    clock.after(waitMs, () => {
      isWaiting = false;
      void flush().then((left) => {
        waitMs = left === 0 ? FIRST_WAIT_MS : Math.min(waitMs * 2, LONGEST_WAIT_MS);
        if (left > 0) flushLater();
      });
    });
  }

  function latest(job: JobRecord): JobRecord {
    return unkept.get(job.jobId)?.job ?? job;
  }

  return {
    trouble: () => trouble,
    flush,

    insert: async (job) => writing(store.insert(job)),

    async save(job, events) {
      try {
        await writing(store.save(job, events));
      } catch (error) {
        if (!isFinal(job.state)) throw error;
        unkept.set(job.jobId, { job, events });
        flushLater();
      }
    },

    async findByRequest(caller, requestId) {
      const found = await store.findByRequest(caller, requestId);
      return found === null ? null : latest(found);
    },

    async get(jobId) {
      return unkept.get(jobId)?.job ?? store.get(jobId);
    },

    async find(query) {
      return (await store.find(query)).map(latest);
    },

    async events(jobId, after, limit) {
      const stored = await store.events(jobId, after, limit);
      const last = stored.at(-1)?.id ?? after;
      const later = (unkept.get(jobId)?.events ?? []).filter(({ id }) => id > last);
      return [...stored, ...later].slice(0, limit);
    },

    count: async () => store.count(),
    unfinished: async () => store.unfinished(),
    countStarted: async (caller, after, until) => store.countStarted(caller, after, until),
  };
}
