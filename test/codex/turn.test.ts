import { describe, expect, test } from "vitest";
import type { AppServerConnection, ThreadListener } from "../../src/codex/app-server/connection.ts";
import { ConnectionLost, RpcError } from "../../src/codex/app-server/rpc.ts";
import { runTurnOn } from "../../src/codex/app-server/turn.ts";
import { parseNotification } from "../../src/codex/app-server/wire.ts";
import type { CodexEvent } from "../../src/codex/events.ts";
import { silentLog } from "../../src/lib/log.ts";
import { createFakeClock, settle } from "../support/fake-clock.ts";

const SILENCE_MS = 10_000;

interface Answers {
  readonly startTurn?: () => Promise<string>;
  readonly interruptTurn?: () => Promise<void>;
  /** Aborted before the turn begins. */
  readonly tooLate?: boolean;
}

/** A turn on a connection that does only what the test says. */
function begin(answers: Answers = {}) {
  const calls: string[] = [];
  const listeners = new Set<ThreadListener>();
  const clock = createFakeClock();
  const stop = new AbortController();
  const events: CodexEvent[] = [];
  if (answers.tooLate === true) stop.abort();
  const connection: AppServerConnection = {
    facts: { kind: "app-server", codexVersion: "0.169.0", loggedIn: true },
    pid: 1,
    ended: new Promise(() => {}),
    loadedThreads: new Set(),
    listen(_threadId, listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    openThread: async () => ({ threadId: "t", activeProfileId: null }),
    async startTurn() {
      calls.push("start");
      return answers.startTurn?.() ?? "turn";
    },
    readTurns: async () => [],
    async interruptTurn() {
      calls.push("interrupt");
      await answers.interruptTurn?.();
    },
    async cleanTerminals() {
      calls.push("clean");
    },
    async releaseThread() {},
    userMcpServers: async () => [],
    async close() {},
    kill() {},
  };
  function tell(method: string, params: object): void {
    const notification = parseNotification(method, { threadId: "t", ...params });
    if (notification === null || notification === "broken") throw new Error(method);
    for (const listener of listeners) {
      listener.onHeard();
      listener.onNotification(notification);
    }
  }
  const ran = runTurnOn(
    {
      connection,
      threadId: "t",
      root: "/srv/app",
      prompt: "work",
      outputSchema: null,
      beforeTurn: null,
      silenceMs: SILENCE_MS,
      clock,
      log: silentLog,
    },
    (event) => events.push(event),
    stop.signal,
  );
  const end = (status: string): void => tell("turn/completed", { turn: { id: "turn", status } });
  return { ran, tell, end, calls, clock, stop, listeners, events };
}

const command = { type: "commandExecution", id: "c", command: "make", status: "inProgress" };

describe("whether Codex confirmed the end", () => {
  test("is known when it said so itself", async () => {
    const { ran, end, calls, listeners, clock } = begin();
    await settle();
    end("completed");
    expect(await ran).toMatchObject({ settled: true });
    expect(calls).toEqual(["start"]);
    expect(listeners.size).toBe(0);
    expect(clock.pending()).toBe(0);
  });

  test("is known when it confirmed an interruption", async () => {
    const { ran, end, calls, stop } = begin();
    await settle();
    stop.abort();
    await settle();
    end("interrupted");
    expect(await ran).toMatchObject({ settled: true, outcome: { failure: { code: "interrupted" } } });
    expect(calls).toEqual(["start", "interrupt", "clean"]);
  });

  test("is not known from the end of another turn, said before Codex answered the start", async () => {
    const answer = Promise.withResolvers<string>();
    const { ran, tell, end } = begin({ startTurn: async () => answer.promise });
    await settle();
    tell("turn/completed", { turn: { id: "earlier", status: "completed" } });
    tell("turn/started", { turn: { id: "turn" } });
    answer.resolve("turn");
    await settle();
    tell("item/completed", { item: { type: "agentMessage", id: "m", text: "done" } });
    end("completed");
    expect(await ran).toMatchObject({
      settled: true,
      outcome: { turnId: "turn", answer: "done", failure: null },
    });
  });

  test("is not known when it says nothing for five seconds after that", async () => {
    const { ran, stop, clock } = begin();
    await settle();
    stop.abort();
    await clock.advance(5_000);
    expect(await ran).toMatchObject({ settled: false, outcome: { failure: { code: "interrupted" } } });
  });

  test("does not hang on an interruption that is refused", async () => {
    const refuse = async () => Promise.reject(new RpcError("turn/interrupt", -32600, "no active turn"));
    const { ran, stop, clock } = begin({ interruptTurn: refuse });
    await settle();
    stop.abort();
    await clock.advance(5_000);
    expect(await ran).toMatchObject({ settled: false });
  });

  test("is not known when the start itself was never answered", async () => {
    const { ran } = begin({ startTurn: async () => Promise.reject(new ConnectionLost("no answer", false)) });
    expect(await ran).toMatchObject({ settled: false, outcome: { failure: { code: "interrupted" } } });
  });

  test("is known when the start was refused", async () => {
    const { ran } = begin({
      startTurn: async () => Promise.reject(new RpcError("turn/start", -32600, "no")),
    });
    expect(await ran).toMatchObject({ settled: true, outcome: { failure: { code: "codex_failed" } } });
  });

  test("is known when the process is gone", async () => {
    const { ran, listeners } = begin();
    await settle();
    for (const listener of listeners) listener.onLost();
    expect(await ran).toMatchObject({ settled: true, outcome: { failure: { code: "interrupted" } } });
  });
});

describe("silence", () => {
  test("ends the turn after its time, counted from the last word", async () => {
    const { ran, tell, clock, calls, end } = begin();
    await clock.advance(SILENCE_MS - 1);
    tell("warning", { message: "still here" });
    await clock.advance(SILENCE_MS - 1);
    expect(calls).toEqual(["start"]);
    await clock.advance(1);
    expect(calls).toContain("interrupt");
    end("interrupted");
    expect((await ran).outcome.failure).toEqual({ code: "timeout", limitMs: SILENCE_MS, what: "model" });
  });

  test("is none while a command runs, and begins anew when it has ended", async () => {
    const { ran, tell, clock, calls, end } = begin();
    await settle();
    tell("item/started", { item: command });
    await clock.advance(20 * SILENCE_MS);
    expect(calls).toEqual(["start"]);
    tell("item/completed", { item: { ...command, status: "completed", exitCode: 0 } });
    await clock.advance(SILENCE_MS);
    expect(calls).toContain("interrupt");
    end("interrupted");
    expect((await ran).outcome.failure).toMatchObject({ code: "timeout" });
  });
});

test("an abort before the start asks Codex for nothing", async () => {
  const { ran, calls, listeners } = begin({ tooLate: true });
  expect(await ran).toMatchObject({ settled: true, outcome: { failure: { code: "interrupted" } } });
  expect(calls).toEqual([]);
  expect(listeners.size).toBe(0);
});
