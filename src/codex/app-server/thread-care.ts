/**
 * What happens around turns: commands that a turn left running are ended, threads that are done are let go of so
 * that Codex unloads them, and a process that keeps them all the same (Codex before 0.169) or that no longer
 * answers is replaced: new turns go to a new one, the old one ends with its last turn.
 */
import type { BackendParts } from "../backend.ts";
import type { AppServerConnection } from "./connection.ts";

export interface ThreadCare<C> {
  /** A turn begins on this connection. */
  hold(connection: C): void;
  /** The turn is over. `settled` false: Codex never confirmed the end, so the process is replaced. */
  letGo(connection: C, threadId: string | null, settled: boolean): void;
  /** Settles when an earlier turn's thread is free to be opened again. */
  released(threadId: string): Promise<void>;
  close(): Promise<void>;
}

/** A released thread that Codex still holds after this long will be held for ever. */
const UNLOAD_GRACE_MS = 10_000;
/** How many such threads a process may hold; each costs about 1.5 MB on 0.153.4. */
const MAX_STUCK_THREADS = 40;
/** Longest wait for a process that is being replaced and still holds the thread. */
const DRAIN_WAIT_MS = 10_000;

export function createThreadCare<C extends AppServerConnection>(
  retire: (connection: C) => void,
  parts: Pick<BackendParts, "clock" | "log">,
): ThreadCare<C> {
  const turns = new WeakMap<C, number>();
  const stuck = new WeakMap<C, number>();
  const draining = new Set<C>();
  const releasing = new Map<string, Promise<void>>();

  async function release(connection: C, threadId: string): Promise<void> {
    try {
      await connection.cleanTerminals(threadId);
      await connection.releaseThread(threadId);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      parts.log.debug({ threadId, error: message }, "codex did not release a thread");
      return;
    }
    parts.clock.after(UNLOAD_GRACE_MS, () => {
      if (!connection.loadedThreads.has(threadId) || releasing.has(threadId)) return;
      const count = (stuck.get(connection) ?? 0) + 1;
      stuck.set(connection, count);
      if (count === MAX_STUCK_THREADS) replace(connection, "it keeps threads that are done");
    });
  }

  function replace(connection: C, why: string): void {
    if (draining.has(connection)) return;
    parts.log.info({ pid: connection.pid, why }, "replacing the codex process");
    draining.add(connection);
    retire(connection);
    closeIfIdle(connection);
  }

  function closeIfIdle(connection: C): void {
    if (!draining.has(connection) || (turns.get(connection) ?? 0) > 0) return;
    void connection.close().finally(() => {
      draining.delete(connection);
    });
  }

  return {
    hold(connection) {
      turns.set(connection, (turns.get(connection) ?? 0) + 1);
    },

    letGo(connection, threadId, settled) {
      turns.set(connection, (turns.get(connection) ?? 1) - 1);
      if (!settled) replace(connection, "a turn did not end when it was told to");
      if (threadId !== null && !draining.has(connection)) {
        const done = release(connection, threadId).finally(() => {
          if (releasing.get(threadId) === done) releasing.delete(threadId);
        });
        releasing.set(threadId, done);
      }
      closeIfIdle(connection);
    },

    async released(threadId) {
      await releasing.get(threadId);
      const holders = [...draining].filter((connection) => connection.loadedThreads.has(threadId));
      if (holders.length === 0) return;
      const late = new Promise<void>((resolve) => {
        parts.clock.after(DRAIN_WAIT_MS, resolve);
      });
      await Promise.race([late, Promise.all(holders.map(async (connection) => connection.ended))]);
    },

    async close() {
      await Promise.all([...draining].map(async (connection) => connection.close()));
      await Promise.all(releasing.values());
    },
  };
}
