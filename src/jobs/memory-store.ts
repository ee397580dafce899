/** Jobs and threads in memory, for tests and for a bridge that keeps nothing. The oldest finished jobs go first. */
import { fail, ok } from "../lib/result.ts";
import { isFinal, type JobEvent, type JobRecord, type ThreadRecord } from "./job.ts";
import type { JobStore, ThreadStore } from "./store.ts";

export interface MemoryLimits {
  readonly maxFinishedJobs: number;
  readonly maxFinishedBytes: number;
  readonly maxThreads: number;
}

const DEFAULT_LIMITS: MemoryLimits = {
  maxFinishedJobs: 2_000,
  maxFinishedBytes: 64 * 1024 * 1024,
  maxThreads: 10_000,
};
/** A finished job keeps the end of its story; the whole of it was there while it ran. */
const KEPT_EVENTS = 50;

interface Kept {
  job: JobRecord;
  events: JobEvent[];
  bytes: number;
}

export function createMemoryJobStore(limits: Partial<MemoryLimits> = {}): JobStore {
  const { maxFinishedJobs, maxFinishedBytes } = { ...DEFAULT_LIMITS, ...limits };
  const kept = new Map<string, Kept>();
  const byRequestId = new Map<string, string>();
  /** Insertion order is the order of ending. */
  const finished = new Set<string>();
  let finishedBytes = 0;

  function forgetOldest(): void {
    for (const jobId of finished) {
      if (finished.size <= maxFinishedJobs && finishedBytes <= maxFinishedBytes) return;
      const entry = kept.get(jobId);
      finished.delete(jobId);
      kept.delete(jobId);
      if (entry === undefined) continue;
      finishedBytes -= entry.bytes;
      const { caller, requestId } = entry.job;
      if (requestId !== null) byRequestId.delete(requestKey(caller, requestId));
    }
  }

  return {
    async insert(job) {
      if (job.requestId !== null) {
        const key = requestKey(job.caller, job.requestId);
        const twin = kept.get(byRequestId.get(key) ?? "");
        if (twin !== undefined) return fail({ twin: twin.job });
        byRequestId.set(key, job.jobId);
      }
      kept.set(job.jobId, { job, events: [], bytes: 0 });
      return ok(job);
    },

    async save(job, events) {
      const entry = kept.get(job.jobId);
      if (entry === undefined) return;
      entry.job = job;
      const last = entry.events.at(-1)?.id ?? 0;
      for (const event of events) if (event.id > last) entry.events.push(event);
      if (!isFinal(job.state) || finished.has(job.jobId)) return;
      entry.events = entry.events.slice(-KEPT_EVENTS);
      entry.bytes = sizeOf(entry);
      finishedBytes += entry.bytes;
      finished.add(job.jobId);
      forgetOldest();
    },

    async findByRequest(caller, requestId) {
      return kept.get(byRequestId.get(requestKey(caller, requestId)) ?? "")?.job ?? null;
    },

    async get(jobId) {
      return kept.get(jobId)?.job ?? null;
    },

    async find({ caller, conversation, limit }) {
      const found: JobRecord[] = [];
      for (const { job } of [...kept.values()].toReversed()) {
        if (job.caller !== caller) continue;
        if (conversation !== undefined && job.conversation !== conversation) continue;
        found.push(job);
        if (found.length === limit) break;
      }
      return found;
    },

    async events(jobId, after, limit) {
      const events = kept.get(jobId)?.events ?? [];
      return events.filter((event) => event.id > after).slice(0, limit);
    },

    async count() {
      return kept.size;
    },

    async unfinished() {
      return [...kept.values()].map(({ job }) => job).filter(({ state }) => !isFinal(state));
    },

    async countStarted(caller, after, until) {
      const times = [...kept.values()]
        .filter(({ job }) => job.caller === caller && job.createdAt > after && job.createdAt <= until)
        .map(({ job }) => job.createdAt);
      return { count: times.length, firstAt: times.length === 0 ? null : Math.min(...times) };
    },
  };
}

function requestKey(caller: string, requestId: string): string {
  return JSON.stringify([caller, requestId]);
}

function sizeOf({ job, events }: Kept): number {
  const text = (job.answer?.length ?? 0) + (job.diff?.length ?? 0) + job.changes.length * 100;
  return 1_000 + 2 * text + events.reduce((sum, event) => sum + event.text.length + 100, 0);
}

export function createMemoryThreadStore(limits: Partial<MemoryLimits> = {}): ThreadStore {
  const { maxThreads } = { ...DEFAULT_LIMITS, ...limits };
  const threads = new Map<string, ThreadRecord>();
  return {
    async save(thread) {
      threads.delete(thread.threadId);
      threads.set(thread.threadId, thread);
      const [oldest] = threads.keys();
      if (threads.size > maxThreads && oldest !== undefined) threads.delete(oldest);
    },
    async get(threadId) {
      return threads.get(threadId) ?? null;
    },
    async count() {
      return threads.size;
    },
  };
}
