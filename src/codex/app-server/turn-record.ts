/**
 * Gathers what Codex tells of one turn: notifications in, bridge events and the outcome out. No I/O.
 */
import { createFileChanges } from "../diff.ts";
import type { CodexEvent, Usage } from "../events.ts";
import type { TurnOutcome } from "../backend.ts";
import type { Failure } from "../../policy/failure.ts";
import { toCodexFailure } from "../codex-failure.ts";
import type { Notification, WireItem, WireTokens } from "./wire.ts";

export interface TurnRecord {
  accept(notification: Notification): CodexEvent[];
  /** Set once Codex has said that the turn is over. */
  ended(): "completed" | "interrupted" | "failed" | null;
  /** Commands that run now; while there are any, silence is no sign of a dead model. */
  runningCommands(): number;
  /** `failure` replaces what the record itself would say; null lets the record judge. */
  outcome(failure: Failure | null): TurnOutcome;
}

export function createTurnRecord(threadId: string, root: string): TurnRecord {
  const running = new Set<string>();
  const fileChanges = createFileChanges(root);
  let turnId: string | null = null;
  let diff: string | null = null;
  let answer: string | null = null;
  let usage: Usage | null = null;
  let baseline: WireTokens | null = null;
  let end: "completed" | "interrupted" | "failed" | null = null;
  let failure: Failure | null = null;

  function startItem(item: WireItem): CodexEvent[] {
    if (item.type !== "commandExecution") return [];
    running.add(item.id);
    return [{ type: "command-started", command: item.command }];
  }

  function finishItem(item: WireItem): CodexEvent[] {
    switch (item.type) {
      case "commandExecution":
        running.delete(item.id);
        return [
          {
            type: "command-finished",
            command: item.command,
            exitCode: item.exitCode ?? null,
            output: item.aggregatedOutput ?? "",
          },
        ];
      case "fileChange":
        if (item.status !== "completed") return [];
        for (const change of item.changes) {
          const { path, kind } = change;
          fileChanges.add({ path, kind: kind.type, movePath: kind.move_path ?? null, diff: change.diff });
        }
        return [{ type: "changes", changes: fileChanges.all(), diff }];
      case "agentMessage":
        // A model may comment on its way; the last message that is no commentary is the answer.
        if (item.phase !== "commentary" || answer === null) answer = item.text;
        return [{ type: "message", text: item.text }];
      case "reasoning":
        return item.summary.length === 0 ? [] : [{ type: "reasoning", text: item.summary.join("\n") }];
      case "mcpToolCall":
        return [{ type: "tool", name: `${item.server}.${item.tool}`, ok: item.status === "completed" }];
      case "other":
        return [];
    }
  }

  /** Codex counts the tokens of the whole thread; what it had counted before this turn is taken off. */
  function addTokens(ofTurn: string | null, total: WireTokens, last: WireTokens): CodexEvent[] {
    if (ofTurn !== null && ofTurn !== turnId) {
      baseline = total; // an opened thread tells again where its last turn had left it
      return [];
    }
    baseline ??= minus(total, last);
    usage = toUsage(minus(total, baseline));
    return [{ type: "usage", usage }];
  }

  return {
    accept(notification) {
      switch (notification.method) {
        case "turn/started":
          turnId = notification.params.turn.id;
          return [{ type: "turn", turnId }];
        case "item/started":
          return startItem(notification.params.item);
        case "item/completed":
          return finishItem(notification.params.item);
        case "turn/diff/updated":
          if (notification.params.diff === diff) return [];
          diff = notification.params.diff;
          return [{ type: "changes", changes: fileChanges.all(), diff }];
        case "thread/tokenUsage/updated": {
          const { turnId: ofTurn = null, tokenUsage } = notification.params;
          return addTokens(ofTurn, tokenUsage.total, tokenUsage.last);
        }
        case "error":
          if (notification.params.willRetry) {
            return [{ type: "retrying", message: notification.params.error.message }];
          }
          failure = toCodexFailure(
            notification.params.error.message,
            notification.params.error.codexErrorInfo,
          );
          return [];
        case "warning":
          return [{ type: "warning", message: notification.params.message }];
        case "turn/completed": {
          const { turn } = notification.params;
          if (turnId !== null && turn.id !== turnId) return []; // an earlier turn of this thread, late
          end = turn.status === "completed" || turn.status === "interrupted" ? turn.status : "failed";
          running.clear();
          if (turn.error) failure = toCodexFailure(turn.error.message, turn.error.codexErrorInfo);
          const last = turn.items.findLast((item) => item.type === "agentMessage");
          if (last?.type === "agentMessage") answer = last.text;
          return [];
        }
        case "thread/closed":
          return [];
      }
    },

    ended: () => end,
    runningCommands: () => running.size,

    outcome(override) {
      const own = end === null ? null : judge();
      return { threadId, turnId, answer, changes: fileChanges.all(), diff, usage, failure: override ?? own };
    },
  };

  function judge(): Failure | null {
    if (end === "interrupted") return { code: "interrupted", reason: "Codex ended the turn early" };
    if (end === "failed") {
      return failure ?? toCodexFailure("Codex gave no reason", "other");
    }
    if (answer === null && fileChanges.all().length === 0) {
      return toCodexFailure("Codex finished without an answer", "noAnswer");
    }
    return null;
  }
}

function minus(total: WireTokens, part: WireTokens): WireTokens {
  return {
    inputTokens: total.inputTokens - part.inputTokens,
    cachedInputTokens: total.cachedInputTokens - part.cachedInputTokens,
    outputTokens: total.outputTokens - part.outputTokens,
    reasoningOutputTokens: total.reasoningOutputTokens - part.reasoningOutputTokens,
  };
}

function toUsage(tokens: WireTokens): Usage {
  const { inputTokens, cachedInputTokens, outputTokens, reasoningOutputTokens } = tokens;
  return { inputTokens, cachedInputTokens, outputTokens, reasoningOutputTokens };
}
