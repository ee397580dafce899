/**
 * Runs one turn on an open thread, from `turn/start` to its end, whatever the end is: Codex's own word, an abort,
 * a silent model, a dead process. Never opens or releases threads.
 */
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { untilAborted } from "../../lib/until-aborted.ts";
import { afterWorking } from "../../lib/working-time.ts";
import type { Failure } from "../../policy/failure.ts";
import type { TurnOutcome } from "../backend.ts";
import type { CodexEvent } from "../events.ts";
import type { AppServerConnection } from "./connection.ts";
import { toRpcFailure } from "./rpc-failure.ts";
import { ConnectionLost, RpcError } from "./rpc.ts";
import { createTurnRecord } from "./turn-record.ts";
import type { Notification } from "./wire.ts";

export interface TurnParts {
  readonly connection: AppServerConnection;
  readonly threadId: string;
  readonly root: string;
  readonly prompt: string;
  readonly outputSchema: unknown;
  /** The turn does not begin before it. */
  readonly beforeTurn: Promise<void> | null;
  readonly silenceMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long an interrupted turn may take to say that it has ended. */
const INTERRUPT_GRACE_MS = 5_000;

/** Codex answers the start first; what it says before that is kept for the answer, but not without end. */
const MAX_EARLY = 1_000;

/** `settled` is false when Codex never confirmed the end: something may still run in that process. */
export interface RanTurn {
  readonly outcome: TurnOutcome;
  readonly settled: boolean;
}

export async function runTurnOn(
  parts: TurnParts,
  onEvent: (event: CodexEvent) => void,
  signal: AbortSignal,
): Promise<RanTurn> {
  const { connection, threadId } = parts;
  const record = createTurnRecord(threadId, parts.root);
  const end = Promise.withResolvers<End>();
  const confirmed = Promise.withResolvers<true>();
  let stopWatching = nothing;
  /** null until Codex has answered the start: only then it is known which of a thread's turns is this one. */
  let turnId: string | null = null;
  const early: Notification[] = [];

  function take(notification: Notification): void {
    for (const event of record.accept(notification)) onEvent(event);
    if (record.ended() === null) return;
    confirmed.resolve(true);
    end.resolve({ by: "codex", failure: null });
  }

  function watchSilence(): void {
    stopWatching();
    stopWatching = afterWorking(parts.clock, parts.silenceMs, () => {
      if (record.runningCommands() > 0) watchSilence();
      else end.resolve({ by: "us", failure: { code: "timeout", limitMs: parts.silenceMs, what: "model" } });
    });
  }

  const stopListening = connection.listen(threadId, {
    onHeard: watchSilence,
    onNotification(notification) {
      if (turnId === null) {
        if (early.length < MAX_EARLY) early.push(notification);
      } else if (isOfTurn(notification, turnId) && record.ended() === null) take(notification);
    },
    onUnreadable(method) {
      parts.log.warn({ method }, "codex sent a notification in an unknown shape");
      onEvent({
        type: "warning",
        message: `Codex sent ${method} in a shape that this version does not know.`,
      });
    },
    onDeclined({ what, reason }) {
      onEvent({ type: "declined", what, reason });
    },
    onLost() {
      confirmed.resolve(true);
      end.resolve({ by: "codex", failure: { code: "interrupted", reason: "The Codex process ended." } });
    },
  });
  const onAbort = (): void => {
    end.resolve({ by: "us", failure: STOPPED });
  };
  signal.addEventListener("abort", onAbort, { once: true });

  try {
    if (parts.beforeTurn !== null) await untilAborted(parts.beforeTurn, signal);
    if (signal.aborted) return { outcome: record.outcome(STOPPED), settled: true };
    watchSilence();
    turnId = await connection.startTurn({
      threadId,
      input: [{ type: "text", text: parts.prompt }],
      ...(parts.outputSchema === null ? {} : { outputSchema: parts.outputSchema }),
    });
    for (const notification of early.splice(0)) {
      if (isOfTurn(notification, turnId) && record.ended() === null) take(notification);
    }
    const { by, failure } = await end.promise;
    const settled = by === "codex" || (await interrupt(turnId));
    return { outcome: record.outcome(failure), settled };
  } catch (error) {
    // What was refused has not begun, unless Codex itself has said that it has.
    const begun = early.find((notification) => notification.method === "turn/started");
    if (begun !== undefined && !(error instanceof ConnectionLost)) {
      await connection.interruptTurn(threadId, begun.params.turn.id).catch(quietly("turn/interrupt"));
    }
    const settled = error instanceof RpcError && begun === undefined;
    return { outcome: record.outcome(toRpcFailure(error)), settled };
  } finally {
    stopWatching();
    stopListening();
    signal.removeEventListener("abort", onAbort);
  }

  /** Ends the turn and the commands that it started; true when Codex confirmed it. */
  async function interrupt(begunId: string): Promise<boolean> {
    if (record.ended() === null) {
      await connection.interruptTurn(threadId, begunId).catch(quietly("turn/interrupt"));
    }
    const late = new Promise<false>((resolve) => {
      parts.clock.after(INTERRUPT_GRACE_MS, () => {
        resolve(false);
      });
    });
    const settled = await Promise.race([confirmed.promise, late]);
    await connection.cleanTerminals(threadId).catch(quietly("thread/backgroundTerminals/clean"));
    return settled;
  }

  function quietly(method: string) {
    return (error: unknown): void => {
      const message = error instanceof Error ? error.message : String(error);
      parts.log.debug({ method, error: message }, "codex refused a clean-up call");
    };
  }
}

/** `by: "us"`: Codex still works on the turn and has to be told. */
interface End {
  readonly by: "codex" | "us";
  readonly failure: Failure | null;
}

/** Late words of an earlier turn of the thread, or of one that the bridge never began, are not this turn's. */
function isOfTurn({ method, params }: Notification, turnId: string): boolean {
  switch (method) {
    case "turn/started":
    case "turn/completed":
      return params.turn.id === turnId;
    case "item/started":
    case "item/completed":
    case "turn/diff/updated":
    case "error":
      return (params.turnId ?? turnId) === turnId;
    case "thread/tokenUsage/updated": // the record takes from it where the earlier turns had left the count
    case "warning":
    case "thread/closed":
      return true;
  }
}

function nothing(): void {}

const STOPPED: Failure = { code: "interrupted", reason: "The turn was stopped." };
