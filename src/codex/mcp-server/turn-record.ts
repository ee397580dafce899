/**
 * What one turn has told so far: translates the events of `codex/event` into the bridge's own, and knows how the
 * turn ended. Pure; events of other turns of the thread change nothing.
 */
import type { Failure } from "../../policy/failure.ts";
import type { TurnOutcome } from "../backend.ts";
import { toCodexFailure } from "../codex-failure.ts";
import { createFileChanges } from "../diff.ts";
import type { CodexEvent, Usage } from "../events.ts";
import type { WireEvent, WireTokens } from "./wire.ts";

export type TurnEnd = "completed" | "interrupted" | "failed";

export interface TurnRecord {
  /** What to tell of this event; `eventTurnId` is empty for events outside of turns. */
  accept(event: WireEvent, eventTurnId: string): CodexEvent[];
  threadId(): string | null;
  turnId(): string | null;
  /** Codex has begun the turn; before that, it loses a cancellation. */
  started(): boolean;
  /** Commands and other tools that the model waits for. */
  openCalls(): number;
  /** Command lines that this turn began. */
  begunCommands(): readonly string[];
  /** The permission profile that Codex says is active; undefined until it says something. */
  activeProfile(): string | null | undefined;
  /** Tokens of the whole thread up to now. */
  threadUsage(): Usage;
  /** null while the turn runs. */
  ended(): TurnEnd | null;
  /** `failure` wins over what the record itself would say; null lets the record judge. */
  outcome(failure: Failure | null): TurnOutcome;
}

export interface ThreadSoFar {
  /** null for a new thread. */
  readonly threadId: string | null;
  /** Turns that are over; what Codex still says of them is no news. */
  readonly pastTurns: ReadonlySet<string>;
  readonly usage: Usage;
}

export const NO_USAGE: Usage = {
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  reasoningOutputTokens: 0,
};

export function createTurnRecord(root: string, before: ThreadSoFar): TurnRecord {
  const openCalls = new Set<string>();
  const begun: string[] = [];
  const fileChanges = createFileChanges(root);
  let { threadId, usage: threadUsage } = before;
  let turnId: string | null = null;
  let started = false;
  let activeProfile: string | null | undefined;
  let diff: string | null = null;
  let answer: string | null = null;
  let usage: Usage | null = null;
  let end: TurnEnd | null = null;
  let failure: Failure | null = null;

  function translate(event: WireEvent): CodexEvent[] {
    switch (event.type) {
      case "session_configured":
        activeProfile = event.msg.active_permission_profile?.id ?? null;
        if (threadId !== null) return [];
        threadId = event.msg.thread_id;
        return [{ type: "thread", threadId }];
      case "task_started":
        started = true;
        return [];
      case "exec_command_begin": {
        const command = event.msg.command.join(" ");
        begun.push(command);
        return [{ type: "command-started", command }];
      }
      case "exec_command_end": {
        const { command, exit_code: exitCode, aggregated_output: output } = event.msg;
        return [{ type: "command-finished", command: command.join(" "), exitCode: exitCode ?? null, output }];
      }
      case "raw_response_item":
        followCall(event.msg.item.type, event.msg.item.call_id ?? null);
        return [];
      case "patch_apply_end":
        if (!event.msg.success) return [];
        for (const [path, change] of Object.entries(event.msg.changes)) {
          fileChanges.add({
            path,
            kind: change.type,
            movePath: change.move_path ?? null,
            diff: change.type === "update" ? change.unified_diff : change.content,
          });
        }
        return [{ type: "changes", changes: fileChanges.all(), diff }];
      case "turn_diff": {
        const now = event.msg.unified_diff === "" ? null : event.msg.unified_diff;
        if (now === diff) return []; // said again after each response of the model
        diff = now;
        return [{ type: "changes", changes: fileChanges.all(), diff }];
      }
      case "agent_message":
        // A model may comment on its way; the last message that is no commentary is the answer.
        if (event.msg.phase !== "commentary" || answer === null) answer = event.msg.message;
        return [{ type: "message", text: event.msg.message }];
      case "agent_reasoning":
        return [{ type: "reasoning", text: event.msg.text }];
      case "mcp_tool_call_end": {
        const { server, tool } = event.msg.invocation;
        return [{ type: "tool", name: `${server}.${tool}`, ok: isOk(event.msg.result) }];
      }
      case "token_count":
        if (!event.msg.info) return [];
        threadUsage = toUsage(event.msg.info.total_token_usage);
        usage = minus(threadUsage, before.usage);
        return [{ type: "usage", usage }];
      case "stream_error":
        openCalls.clear(); // the response that made them is given up
        return [{ type: "retrying", message: event.msg.message }];
      case "warning":
        return [{ type: "warning", message: event.msg.message }];
      case "error":
        end = "failed";
        failure = toCodexFailure(event.msg.message, toCamelKeys(event.msg.codex_error_info));
        return [];
      case "turn_aborted":
        end = "interrupted";
        return [];
      case "task_complete":
        end = "completed";
        answer = event.msg.last_agent_message ?? answer;
        return [];
    }
  }

  function followCall(type: string, callId: string | null): void {
    if (callId === null) return;
    if (type.endsWith("_output")) openCalls.delete(callId);
    else if (type.endsWith("_call")) openCalls.add(callId);
  }

  return {
    accept(event, eventTurnId) {
      if (end !== null || before.pastTurns.has(eventTurnId)) return [];
      if (eventTurnId === "") return translate(event);
      if (turnId !== null) return eventTurnId === turnId ? translate(event) : [];
      turnId = eventTurnId;
      return [{ type: "turn", turnId }, ...translate(event)];
    },
    threadId: () => threadId,
    turnId: () => turnId,
    started: () => started,
    openCalls: () => openCalls.size,
    begunCommands: () => begun,
    activeProfile: () => activeProfile,
    threadUsage: () => threadUsage,
    ended: () => end,
    outcome(override) {
      const own = end === null ? null : judge(end);
      return { threadId, turnId, answer, changes: fileChanges.all(), diff, usage, failure: override ?? own };
    },
  };

  function judge(how: TurnEnd): Failure | null {
    if (how === "failed") return failure;
    if (how === "interrupted") return { code: "interrupted", reason: "Codex ended the turn early" };
    if (answer === null && fileChanges.all().length === 0) {
      return toCodexFailure("Codex finished without an answer", "noAnswer");
    }
    return null;
  }
}

/** Codex writes the outcome of a tool as Rust does: `{Ok: {isError}}` or `{Err: text}`. */
function isOk(result: unknown): boolean | null {
  if (typeof result !== "object" || result === null) return null;
  if ("Err" in result) return false;
  if (!("Ok" in result)) return null;
  const { Ok: value } = result;
  return !(typeof value === "object" && value !== null && "isError" in value && value.isError === true);
}

function toUsage(tokens: WireTokens): Usage {
  return {
    inputTokens: tokens.input_tokens,
    cachedInputTokens: tokens.cached_input_tokens,
    outputTokens: tokens.output_tokens,
    reasoningOutputTokens: tokens.reasoning_output_tokens,
  };
}

function minus(total: Usage, part: Usage): Usage {
  return {
    inputTokens: Math.max(0, total.inputTokens - part.inputTokens),
    cachedInputTokens: Math.max(0, total.cachedInputTokens - part.cachedInputTokens),
    outputTokens: Math.max(0, total.outputTokens - part.outputTokens),
    reasoningOutputTokens: Math.max(0, total.reasoningOutputTokens - part.reasoningOutputTokens),
  };
}

/** `{http_status_code: 429}` as app-server writes it: `{httpStatusCode: 429}`. */
function toCamelKeys(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase()),
      toCamelKeys(inner),
    ]),
  );
}
