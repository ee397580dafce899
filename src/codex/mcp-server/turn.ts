/**
 * Runs one turn on a running `codex mcp-server`, from the call to its end, whatever the end is: Codex's own word, an
 * abort, a silent model, a dead process. Never restarts a process and never chooses one.
 *
 * A turn ends by its events, not by the answer to its call: once a call was cancelled, Codex answers later ones
 * under the ids of earlier ones (measured on 0.153.4).
 */
import { SdkError, SdkErrorCode } from "@modelcontextprotocol/client";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { afterWorking } from "../../lib/working-time.ts";
import type { Failure } from "../../policy/failure.ts";
import type { TurnOutcome } from "../backend.ts";
import { toCodexFailure } from "../codex-failure.ts";
import type { CodexEvent } from "../events.ts";
import type { Call, CallListener } from "./connection.ts";
import type { TurnRecord } from "./turn-record.ts";
import { textOf, type ToolResult } from "./wire.ts";

export interface TurnParts {
  readonly record: TurnRecord;
  /** Makes the tool call. */
  readonly call: (listener: CallListener) => Call;
  /** The profile that Codex has to name as active when it opens the thread. */
  readonly profileId: string;
  /** Ends what the turn's commands left running. */
  readonly endCommands: () => Promise<boolean>;
  readonly silenceMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RanTurn {
  readonly outcome: TurnOutcome;
  /** False when Codex never confirmed the end: something may still run in that process. */
  readonly settled: boolean;
}

/** How long a cancelled turn may take to say that it has ended. */
const CANCEL_GRACE_MS = 3_000;

export const STOPPED: Failure = { code: "interrupted", reason: "The turn was stopped." };
export const LOST: Failure = { code: "interrupted", reason: "The Codex process ended." };
const UNCONFINED: Failure = { code: "confinement_unavailable", reason: "Codex did not apply the profile" };
const NO_APPROVER = "The bridge answers no: its owner's policy was decided before the turn.";

export async function runTurn(
  parts: TurnParts,
  onEvent: (event: CodexEvent) => void,
  signal: AbortSignal,
): Promise<RanTurn> {
  const { record, clock } = parts;
  if (signal.aborted) return { outcome: record.outcome(STOPPED), settled: true };
  const end = Promise.withResolvers<{ by: "codex" | "us"; failure: Failure | null }>();
  const started = Promise.withResolvers<void>();
  const confirmed = Promise.withResolvers<true>();
  let told = false;
  let lost = false;
  let stopWatching = nothing;

  function tell(event: CodexEvent): void {
    if (!told) onEvent(event);
  }

  function watchSilence(): void {
    stopWatching();
    stopWatching = afterWorking(clock, parts.silenceMs, () => {
      if (record.openCalls() > 0) watchSilence();
      else end.resolve({ by: "us", failure: { code: "timeout", limitMs: parts.silenceMs, what: "model" } });
    });
  }

  const call = parts.call({
    onHeard: watchSilence,
    onEvent(event, turnId) {
      for (const one of record.accept(event, turnId)) tell(one);
      if (event.type === "session_configured" && record.activeProfile() !== parts.profileId) {
        end.resolve({ by: "us", failure: UNCONFINED });
      }
      if (record.started()) started.resolve();
      if (record.ended() === null) return;
      confirmed.resolve(true);
      end.resolve({ by: "codex", failure: null });
    },
    onUnreadable(type) {
      parts.log.warn({ type }, "codex sent an event in an unknown shape");
      tell({ type: "warning", message: `Codex sent ${type} in a shape that this version does not know.` });
    },
    onDeclined(what) {
      tell({ type: "declined", what, reason: NO_APPROVER });
    },
    onAnswer(answer) {
      const failure = failureOf(answer);
      if (failure === null) return; // the events tell the rest
      confirmed.resolve(true);
      end.resolve({ by: "codex", failure });
    },
    onLost() {
      lost = true;
      confirmed.resolve(true);
      end.resolve({ by: "codex", failure: LOST });
    },
  });
  const onAbort = (): void => {
    end.resolve({ by: "us", failure: STOPPED });
  };
  signal.addEventListener("abort", onAbort, { once: true });
  watchSilence();

  try {
    const { by, failure } = await end.promise;
    const settled = by === "codex" || (await cancel());
    return { outcome: record.outcome(failure), settled };
  } finally {
    told = true;
    call.detach();
    stopWatching();
    signal.removeEventListener("abort", onAbort);
  }

  /** Ends the turn and the commands that it started; true when Codex confirmed it and nothing is left. */
  async function cancel(): Promise<boolean> {
    const late = Promise.withResolvers<false>();
    const stopWaiting = clock.after(CANCEL_GRACE_MS, () => {
      late.resolve(false);
    });
    const isRunning = await Promise.race([started.promise.then(() => true), confirmed.promise, late.promise]);
    if (isRunning && record.ended() === null) call.cancel();
    const isConfirmed = await Promise.race([confirmed.promise, late.promise]);
    stopWaiting();
    const isClean = lost || (await parts.endCommands());
    return isConfirmed && isClean;
  }
}

function nothing(): void {}

/** What an answer says by itself, where no event said it before: the call failed before a turn began. */
function failureOf(answer: ToolResult | Error): Failure | null {
  if (answer instanceof SdkError && answer.code === SdkErrorCode.ConnectionClosed) return null; // `onLost` tells
  if (answer instanceof Error) return toCodexFailure(answer.message, "requestRefused");
  if (answer.isError !== true) return null;
  const message = textOf(answer);
  if (/session not found/i.test(message)) return { code: "unknown_thread" };
  if (/argument list too long|permission profile|default_permissions/i.test(message)) {
    return { code: "confinement_unavailable", reason: message };
  }
  return toCodexFailure(message, "requestRefused");
}
