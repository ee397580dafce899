/**
 * A CodexBackend in memory that keeps the port's promises: the thread comes first, an abort ends the turn, a death
 * ends all turns, nothing is told after the end. A turn is held until the test, or the script for its prompt, ends it.
 */
import type { BackendFacts, CodexBackend, TurnOutcome, TurnRequest } from "../../src/codex/backend.ts";
import type { CodexEvent } from "../../src/codex/events.ts";
import { fail, ok } from "../../src/lib/result.ts";
import { untilAborted } from "../../src/lib/until-aborted.ts";
import type { Failure } from "../../src/policy/failure.ts";

export interface ScriptedTurn {
  readonly request: TurnRequest;
  readonly threadId: string;
  readonly isOver: () => boolean;
  tell(event: CodexEvent): void;
  /** What is not given is as in a turn that completed with the answer "done". */
  end(outcome?: Partial<TurnOutcome>): void;
}

export type Script = (turn: ScriptedTurn) => void;

export interface ScriptedBackend extends CodexBackend {
  /** All turns that ever began, in order. */
  readonly turns: readonly ScriptedTurn[];
  /** The turn with this number (from 0), once it has begun. */
  turn(index: number): Promise<ScriptedTurn>;
  /** Plays for prompts that contain this text. */
  script(prompt: string, script: Script): void;
  /** The Codex process dies: every turn ends as interrupted. */
  die(): void;
  /** The next turn breaks the port's promise and throws. */
  throwOnce(error: Error): void;
  /** From now on, aborts are not heard until the test ends the turn. */
  ignoreAborts(): void;
  /** What `connect` answers from now on. */
  become(answer: Partial<BackendFacts> | Failure): void;
  isClosed(): boolean;
  /** What `readTurn` answers for this turn; without, the turn is unknown. */
  remember(turnId: string, answer: Partial<TurnOutcome> | "unreachable"): void;
}

export function createScriptedBackend(): ScriptedBackend {
  const turns: ScriptedTurn[] = [];
  const waiting: { index: number; resolve: (turn: ScriptedTurn) => void }[] = [];
  const scripts: { prompt: string; script: Script }[] = [];
  const running = new Set<(outcome: Partial<TurnOutcome>) => void>();
  let facts: BackendFacts = { kind: "app-server", codexVersion: "0.169.0", loggedIn: true };
  let refusal: Failure | null = null;
  let thrown: Error | null = null;
  let hearsAborts = true;
  let closed = false;
  let threads = 0;
  const past = new Map<string, Partial<TurnOutcome> | "unreachable">();

  function endAll(failure: Failure): void {
    for (const end of running) end({ answer: null, failure });
  }

  return {
    kind: "app-server",
    turns,

    async connect() {
      return refusal === null ? ok(facts) : fail(refusal);
    },

    async runTurn(request, onEvent, signal) {
      if (thrown !== null) {
        const error = thrown;
        thrown = null;
        throw error;
      }
      const threadId =
        request.thread.kind === "resume" ? request.thread.threadId : `thread-${(threads += 1)}`;
      if (refusal !== null) return { ...nothing(threadId), failure: refusal };
      const { promise, resolve } = Promise.withResolvers<TurnOutcome>();
      let over = false;

      function end(outcome: Partial<TurnOutcome> = {}): void {
        if (over) return;
        over = true;
        running.delete(end);
        resolve({ ...nothing(threadId), answer: "done", ...outcome });
      }

      const turn: ScriptedTurn = {
        request,
        threadId,
        isOver: () => over,
        tell(event) {
          if (!over) onEvent(event);
        },
        end,
      };
      running.add(end);
      const abort = (): void => {
        if (hearsAborts)
          end({ answer: null, failure: { code: "interrupted", reason: "The turn was stopped." } });
      };
      onEvent({ type: "thread", threadId });
      if (request.beforeTurn !== undefined) await untilAborted(request.beforeTurn, signal);
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
      const index = turns.push(turn) - 1;
      for (const waiter of waiting) if (waiter.index === index) waiter.resolve(turn);
      turn.tell({ type: "turn", turnId: `turn-${index}` });
      scripts.findLast(({ prompt }) => request.prompt.includes(prompt))?.script(turn);
      return promise;
    },

    async readTurn({ threadId, turnId }) {
      const known = past.get(turnId);
      if (known === "unreachable") return fail({ code: "codex_not_found" });
      if (known === undefined) return fail({ code: "unknown_thread" });
      return ok({ ...nothing(threadId), turnId, ...known });
    },

    async close() {
      closed = true;
      endAll({ code: "interrupted", reason: "The bridge is shutting down." });
    },

    async turn(index) {
      const begun = turns[index];
      if (begun !== undefined) return begun;
      const { promise, resolve } = Promise.withResolvers<ScriptedTurn>();
      waiting.push({ index, resolve });
      return promise;
    },
    script(prompt, script) {
      scripts.push({ prompt, script });
    },
    die() {
      endAll({ code: "interrupted", reason: "The Codex process ended." });
    },
    throwOnce(error) {
      thrown = error;
    },
    ignoreAborts() {
      hearsAborts = false;
    },
    become(answer) {
      refusal = "code" in answer ? answer : null;
      if (!("code" in answer)) facts = { ...facts, ...answer };
    },
    isClosed: () => closed,
    remember(turnId, answer) {
      past.set(turnId, answer);
    },
  };
}

function nothing(threadId: string | null): TurnOutcome {
  return { threadId, turnId: null, answer: null, changes: [], diff: null, usage: null, failure: null };
}
