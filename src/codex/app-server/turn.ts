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
import { ConnectionLost } from "./rpc.ts";
import { createTurnRecord } from "./turn-record.ts";

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
      for (const event of record.accept(notification)) onEvent(event);
      if (record.ended() === null) return;
      confirmed.resolve(true);
      end.resolve({ by: "codex", failure: null });
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
    const turnId = await connection.startTurn({
      threadId,
      input: [{ type: "text", text: parts.prompt }],
      ...(parts.outputSchema === null ? {} : { outputSchema: parts.outputSchema }),
    });
    const { by, failure } = await end.promise;
    const settled = by === "codex" || (await interrupt(turnId));
    return { outcome: record.outcome(failure), settled };
  } catch (error) {
    return { outcome: record.outcome(toRpcFailure(error)), settled: !(error instanceof ConnectionLost) };
  } finally {
    stopWatching();
    stopListening();
    signal.removeEventListener("abort", onAbort);
  }

  /** Ends the turn and the commands that it started; true when Codex confirmed it. */
  async function interrupt(turnId: string): Promise<boolean> {
    if (record.ended() === null) {
      await connection.interruptTurn(threadId, turnId).catch(quietly("turn/interrupt"));
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

function nothing(): void {}

const STOPPED: Failure = { code: "interrupted", reason: "The turn was stopped." };
