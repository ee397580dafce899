/**
 * Which process holds which thread, and on what terms. Codex locks a thread for the process that opened it and
 * cannot change its terms there, so a thread that has to be opened anew waits until that process has ended: new
 * turns go to another one, and it ends with its last turn.
 */
import type { Log } from "../../lib/log.ts";
import type { Usage } from "../events.ts";
import type { McpServerConnection } from "./connection.ts";

export interface HeldThread {
  readonly connection: McpServerConnection;
  /** Everything that was decided when the thread was opened, in one string. */
  readonly terms: string;
  readonly pastTurns: Set<string>;
  usage: Usage;
  /**
   * The next reply cannot be trusted in this process: after an error, Codex keeps the end of that turn for the next
   * call, which then ends at once with an empty success while its own turn runs unseen (measured on 0.153.4).
   */
  spent: boolean;
}

export interface HeldThreads {
  get(threadId: string): HeldThread | null;
  hold(threadId: string, thread: HeldThread): void;
  /** How many threads a process holds. */
  heldBy(connection: McpServerConnection): number;
  /** A turn begins on this connection; the returned function ends that. */
  enter(connection: McpServerConnection): () => void;
  isRetired(connection: McpServerConnection): boolean;
  /** No new turns on this connection; it closes after its last one. */
  retire(connection: McpServerConnection, why: string): void;
  /** Closes the connections that wait for their last turn. */
  close(): Promise<void>;
}

/** `letGo` keeps new turns away from a connection. */
export function createHeldThreads(letGo: (connection: McpServerConnection) => void, log: Log): HeldThreads {
  const threads = new Map<string, HeldThread>();
  const turns = new Map<McpServerConnection, number>();
  const retired = new Set<McpServerConnection>();
  const closes = new Map<McpServerConnection, Promise<void>>();

  function closeIfIdle(connection: McpServerConnection): void {
    if (!retired.has(connection) || closes.has(connection) || (turns.get(connection) ?? 0) > 0) return;
    const closed = connection.close().catch((error: unknown) => {
      log.error({ pid: connection.pid, error: String(error) }, "codex mcp-server did not close");
    });
    closes.set(connection, closed);
    void closed.then(() => {
      retired.delete(connection);
      closes.delete(connection);
    });
  }

  return {
    get: (threadId) => threads.get(threadId) ?? null,

    heldBy: (connection) => [...threads.values()].filter((thread) => thread.connection === connection).length,

    hold(threadId, thread) {
      threads.set(threadId, thread);
      void thread.connection.ended.then(() => {
        if (threads.get(threadId) === thread) threads.delete(threadId);
      });
    },

    enter(connection) {
      turns.set(connection, (turns.get(connection) ?? 0) + 1);
      return () => {
        const left = (turns.get(connection) ?? 1) - 1;
        if (left > 0) turns.set(connection, left);
        else turns.delete(connection);
        closeIfIdle(connection);
      };
    },

    isRetired: (connection) => retired.has(connection),

    retire(connection, why) {
      if (retired.has(connection)) return;
      log.info({ pid: connection.pid, why }, "replacing codex mcp-server");
      letGo(connection);
      retired.add(connection);
      closeIfIdle(connection);
    },

    async close() {
      for (const connection of retired) {
        turns.delete(connection);
        closeIfIdle(connection);
      }
      await Promise.all(closes.values());
    },
  };
}
