/** What a turn came to that Codex has on file: told to the same record as a running turn, all at once. Pure. */
import type { TurnOutcome } from "../backend.ts";
import { createTurnRecord } from "./turn-record.ts";
import type { PastWireTurn } from "./wire.ts";

export function toPastOutcome(threadId: string, turn: PastWireTurn, root: string): TurnOutcome {
  const record = createTurnRecord(threadId, root);
  record.accept({ method: "turn/started", params: { threadId, turn } });
  for (const item of turn.items) {
    record.accept({ method: "item/completed", params: { threadId, turnId: turn.id, item } });
  }
  // One that Codex still holds for running is run by nobody: its process is gone.
  const status = turn.status === "inProgress" ? "interrupted" : turn.status;
  record.accept({ method: "turn/completed", params: { threadId, turn: { ...turn, status, items: [] } } });
  return record.outcome(null);
}
