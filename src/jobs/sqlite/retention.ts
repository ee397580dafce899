/**
 * Which finished jobs go: the oldest above the count, above the bytes or above the age, in the order of their ends.
 * Never one that has not ended, and never the newest. Deletes inside the caller's transaction.
 */
import type { DatabaseSync } from "node:sqlite";

export interface RetentionLimits {
  readonly maxFinishedJobs: number;
  readonly maxFinishedBytes: number;
  readonly maxAgeMs: number;
}

export interface Weight {
  readonly jobs: number;
  readonly bytes: number;
}

export interface Retention {
  /** The number of the next end. */
  nextEnd(): number;
  /** Deletes what is too much once `added` is counted, at most `atOnce`; gives back how many. */
  prune(now: number, atOnce: number, added?: Weight): number;
  /** The transaction is done: what `prune` counted holds from now on. */
  settle(): void;
  /** A job came in that has ended already. */
  add(added: Weight): void;
}

export function createRetention(sql: DatabaseSync, limits: RetentionLimits): Retention {
  const totals = sql
    .prepare(
      "SELECT count(*) AS jobs, total(bytes) AS bytes, max(ended) AS last FROM jobs WHERE ended IS NOT NULL",
    )
    .get();
  let kept: Weight = { jobs: Number(totals?.["jobs"]), bytes: Number(totals?.["bytes"]) };
  let pending = kept;
  let lastEnd = Number(totals?.["last"] ?? 0);
  const oldest = sql.prepare(
    "SELECT seq, bytes, finished_at FROM jobs WHERE ended IS NOT NULL ORDER BY ended LIMIT 1",
  );
  const remove = sql.prepare("DELETE FROM jobs WHERE seq = ?");

  return {
    nextEnd: () => (lastEnd += 1),

    prune(now, atOnce, added = NOTHING) {
      pending = plus(kept, added);
      let removed = 0;
      while (removed < atOnce && pending.jobs > 1) {
        const row = oldest.get();
        if (row === undefined) break;
        const isOld = Number(row["finished_at"]) < now - limits.maxAgeMs;
        const isTooMuch = pending.jobs > limits.maxFinishedJobs || pending.bytes > limits.maxFinishedBytes;
        if (!isOld && !isTooMuch) break;
        remove.run(Number(row["seq"]));
        pending = plus(pending, { jobs: -1, bytes: -Number(row["bytes"]) });
        removed += 1;
      }
      return removed;
    },

    settle() {
      kept = pending;
    },

    add(added) {
      kept = plus(kept, added);
    },
  };
}

const NOTHING: Weight = { jobs: 0, bytes: 0 };

function plus(a: Weight, b: Weight): Weight {
  return { jobs: a.jobs + b.jobs, bytes: a.bytes + b.bytes };
}
