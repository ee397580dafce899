import type { Result } from "../lib/result.ts";
import type { JobEvent, JobRecord, ThreadRecord } from "./job.ts";

export interface JobQuery {
  readonly caller: string;
  /** Only jobs of this conversation. */
  readonly conversation?: string;
  readonly limit: number;
}

/**
 * Port to where jobs are kept; test/contract/job-store.ts is its suite. Every method may reject when the medium is
 * broken (disk full, file corrupt), never for a record that is not there.
 *
 * - `insert` is atomic: a second job with the same caller and `requestId` is not inserted; the first is given back.
 * - `save` replaces a record and appends events in one step; the same event id twice is written once.
 * - `find` gives the newest first.
 * - Finished jobs stay until retention takes the oldest.
 * - Order is the order of insertion and of ending, never of the clock.
 */
export interface JobStore {
  insert(job: JobRecord): Promise<Result<JobRecord, { twin: JobRecord }>>;
  /** The job that this caller started under this id of its own. */
  findByRequest(caller: string, requestId: string): Promise<JobRecord | null>;
  save(job: JobRecord, events: readonly JobEvent[]): Promise<void>;
  get(jobId: string): Promise<JobRecord | null>;
  find(query: JobQuery): Promise<JobRecord[]>;
  /** Events with an id above `after`, oldest first, at most `limit`. */
  events(jobId: string, after: number, limit: number): Promise<JobEvent[]>;
  count(): Promise<number>;
  /** Jobs that have not ended, oldest first; after a start, those that the end of the last process cut off. */
  unfinished(): Promise<JobRecord[]>;
  /** How many jobs this caller has started after `after` and up to `until`, and when the first of them. */
  countStarted(caller: string, after: number, until: number): Promise<StartedCount>;
}

export interface StartedCount {
  readonly count: number;
  /** null: none. */
  readonly firstAt: number | null;
}

/** Port to the threads that this bridge made. `save` replaces. */
export interface ThreadStore {
  save(thread: ThreadRecord): Promise<void>;
  get(threadId: string): Promise<ThreadRecord | null>;
  count(): Promise<number>;
}
