/**
 * Watches projects for changes by looking at them twice, on one thread that is there only while it is needed. Waits for
 * no look longer than it says, whatever the disk does. Never looks at anything on the calling thread.
 */
import type { Worker } from "node:worker_threads";
import type { ChangeWatch, SeenChanges, WatchedTree } from "../jobs/change-watch.ts";
import { startTreeWorker, type TreeAnswer, type TreeCall } from "./tree-worker.ts";

export interface TreeWatchLimits {
  readonly maxEntries: number;
  readonly lookMs: number;
  /** What a look may still take once nobody wants to wait. */
  readonly hurryMs: number;
  readonly maxChanges: number;
}

const DEFAULT_LIMITS: TreeWatchLimits = {
  maxEntries: 500_000,
  lookMs: 10_000,
  hurryMs: 1_000,
  maxChanges: 500,
};
/** An answer stays small, however long the names are. */
const MAX_BYTES = 64 * 1024;
/** A thread that is this late hangs in one call of the disk. */
const LATE_MS = 500;
const IDLE_MS = 15_000;

export function createTreeWatch(limits: TreeWatchLimits = DEFAULT_LIMITS): ChangeWatch {
  const waiting = new Map<number, (answer: SeenChanges) => void>();
  const held = new Set<number>();
  let worker: Worker | null = null;
  let idleTimer: NodeJS.Timeout | undefined;
  let treeIds = 0;

  function theWorker(): Worker {
    if (worker !== null) return worker;
    const started = startTreeWorker();
    worker = started;
    started.on("message", (answer: TreeAnswer) => {
      settle(answer.treeId, answer);
    });
    started.on("error", () => {
      lose(started);
    });
    started.on("exit", () => {
      lose(started);
    });
    return started;
  }

  /** What it knew is gone with it; the next turn gets a new one. */
  function lose(lost: Worker): void {
    if (worker !== lost) return;
    worker = null;
    void lost.terminate();
    held.clear();
    for (const treeId of waiting.keys()) settle(treeId, FAILED);
  }

  function settle(treeId: number, answer: SeenChanges): void {
    const resolve = waiting.get(treeId);
    waiting.delete(treeId);
    if (waiting.size === 0) worker?.unref();
    const { changes, total, gap } = answer;
    resolve?.({ changes, total, gap });
  }

  async function ask(call: TimedCall, signal?: AbortSignal): Promise<SeenChanges> {
    const { promise, resolve } = Promise.withResolvers<SeenChanges>();
    const { treeId } = call;
    const asked = theWorker();
    waiting.set(treeId, resolve);
    asked.ref();
    asked.postMessage(call, []);
    let lateTimer = setTimeout(giveUp, call.maxMs + LATE_MS);
    function giveUp(): void {
      settle(treeId, { ...FAILED, gap: "too_slow" });
      lose(asked);
    }
    function hurry(): void {
      clearTimeout(lateTimer);
      lateTimer = setTimeout(giveUp, limits.hurryMs + LATE_MS);
      asked.postMessage({ type: "hurry", treeId, maxMs: limits.hurryMs } satisfies TreeCall, []);
    }
    signal?.addEventListener("abort", hurry, { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(lateTimer);
      signal?.removeEventListener("abort", hurry);
    }
  }

  return {
    begin(root): WatchedTree {
      clearTimeout(idleTimer);
      const treeId = (treeIds += 1);
      held.add(treeId);
      const { maxEntries, lookMs, hurryMs, maxChanges } = limits;
      const first = ask({ type: "look", treeId, root, maxEntries, maxMs: lookMs }).catch(() => FAILED);
      return {
        looked: first.then(() => undefined),

        async changes(signal) {
          const { gap } = await first;
          if (gap !== null && gap !== "unreadable") return { changes: [], total: 0, gap };
          if (!held.has(treeId)) return FAILED;
          const list = { maxChanges, maxBytes: MAX_BYTES };
          const maxMs = signal.aborted ? hurryMs : lookMs;
          return ask({ type: "compare", treeId, maxMs, list }, signal).catch(() => FAILED);
        },

        release() {
          if (!held.delete(treeId)) return;
          worker?.postMessage({ type: "forget", treeId } satisfies TreeCall, []);
          if (held.size === 0) idleTimer = setTimeout(endWorker, IDLE_MS).unref();
        },
      };
    },
  };

  function endWorker(): void {
    const ending = worker;
    worker = null;
    void ending?.terminate();
  }
}

type TimedCall = Extract<TreeCall, { readonly type: "look" | "compare" }>;

const FAILED: SeenChanges = { changes: [], total: 0, gap: "failed" };
