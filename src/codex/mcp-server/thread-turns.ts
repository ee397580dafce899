/**
 * Runs turns on threads that a running `codex mcp-server` holds, and writes down what the next turn on that thread
 * has to know. Two turns on one thread at a time are the caller's mistake.
 */
import type { BackendParts, TurnOutcome } from "../backend.ts";
import type { CodexEvent } from "../events.ts";
import { endCommandsOf } from "./commands.ts";
import type { McpServerConnection } from "./connection.ts";
import type { HeldThread, HeldThreads } from "./held-threads.ts";
import { createTurnRecord, type TurnRecord } from "./turn-record.ts";
import { runTurn, type TurnParts } from "./turn.ts";

export interface ThreadTurn {
  readonly held: HeldThread;
  /** null: the call opens the thread. */
  readonly threadId: string | null;
  readonly profileId: string;
  readonly root: string;
  readonly call: TurnParts["call"];
}

export type RunThreadTurn = (
  turn: ThreadTurn,
  tell: (event: CodexEvent) => void,
  stop: AbortSignal,
) => Promise<TurnOutcome>;

export function createThreadTurns(
  parts: Pick<BackendParts, "clock" | "log" | "silenceMs">,
  threads: HeldThreads,
): RunThreadTurn {
  const running = new Map<TurnRecord, McpServerConnection>();

  async function endCommands(record: TurnRecord, connection: McpServerConnection): Promise<boolean> {
    const threadId = record.threadId();
    if (threadId === null) return true; // no thread, no command
    const others = [...running].filter(([other, on]) => other !== record && on === connection);
    return endCommandsOf({
      codexPid: connection.pid,
      threadId,
      begun: record.begunCommands(),
      begunByOthers: others.flatMap(([other]) => other.begunCommands()),
    });
  }

  return async (turn, tell, stop) => {
    const { held, call, profileId } = turn;
    const { connection, pastTurns, usage } = held;
    const { silenceMs, clock, log } = parts;
    const record = createTurnRecord(turn.root, { threadId: turn.threadId, pastTurns, usage });
    const leave = threads.enter(connection);
    running.set(record, connection);
    try {
      const { outcome, settled } = await runTurn(
        {
          record,
          call,
          profileId,
          endCommands: async () => endCommands(record, connection),
          silenceMs,
          clock,
          log,
        },
        tell,
        stop,
      );
      if (outcome.turnId !== null) pastTurns.add(outcome.turnId);
      held.usage = record.threadUsage();
      held.spent ||= !settled || record.ended() === "failed" || outcome.failure?.code === "unknown_thread";
      if (!settled) threads.retire(connection, "a turn did not end when it was told to");
      return outcome;
    } finally {
      running.delete(record);
      leave();
    }
  };
}
