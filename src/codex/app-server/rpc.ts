/**
 * JSON-RPC as `codex app-server` speaks it: one JSON per line, no "jsonrpc" member, requests in both directions.
 * Knows nothing of threads and turns. A line that is no JSON is skipped, as Codex itself does.
 */
import type { Child, ChildExit } from "../../lib/child.ts";
import type { Clock } from "../../lib/clock.ts";
import { afterWorking } from "../../lib/working-time.ts";
import { parseJsonLine, toJsonLine } from "../json-line.ts";

/** An error that Codex answered. */
export class RpcError extends Error {
  readonly rpcCode: number;
  constructor(method: string, rpcCode: number, message: string) {
    super(message);
    this.name = `RpcError(${method})`;
    this.rpcCode = rpcCode;
  }
}

/** The process ended, or did not answer in time: the request's fate is unknown. */
export class ConnectionLost extends Error {
  /** False: it lives, but did not answer in time. */
  readonly processEnded: boolean;
  constructor(reason: string, processEnded: boolean) {
    super(reason);
    this.name = "ConnectionLost";
    this.processEnded = processEnded;
  }
}

export interface RpcHandlers {
  onNotification(method: string, params: unknown): void;
  /** Answers a request that Codex makes of us; null: unknown method, answered with a JSON-RPC error. */
  onRequest(method: string, params: unknown): unknown;
}

export interface RpcConnection {
  /** Rejects with RpcError or ConnectionLost, with nothing else. */
  request(method: string, params: unknown, timeoutMs?: number): Promise<unknown>;
  notify(method: string): void;
  /** Feeds one line of the child's stdout. */
  receive(line: string): void;
  /** The child that carries this connection; every request that waits is told when it goes. */
  attach(child: Child): void;
}

interface Pending {
  readonly method: string;
  resolve(value: unknown): void;
  reject(error: Error): void;
  stopTimer(): void;
}

interface Message {
  readonly id: number | string | undefined;
  readonly method: string | undefined;
  readonly params: unknown;
  readonly result: unknown;
  readonly error: { readonly code: number; readonly message: string } | null;
}

const ANSWER_WITHIN_MS = 30_000;
const METHOD_NOT_FOUND = -32601;

export function createRpcConnection(handlers: RpcHandlers, clock: Clock): RpcConnection {
  const pending = new Map<number, Pending>();
  let child: Child | null = null;
  let lost: ConnectionLost | null = null;
  let lastId = 0;

  function send(message: object): void {
    child?.send(toJsonLine(message));
  }

  function settle(id: number, message: Message): void {
    const waiting = pending.get(id);
    if (waiting === undefined) return; // answered after its deadline
    pending.delete(id);
    waiting.stopTimer();
    if (message.error === null) waiting.resolve(message.result);
    else waiting.reject(new RpcError(waiting.method, message.error.code, message.error.message));
  }

  function onExit(exit: ChildExit): void {
    lost = new ConnectionLost(`Codex ended (${exit.signal ?? `exit code ${exit.code}`})`, true);
    for (const waiting of pending.values()) {
      waiting.stopTimer();
      waiting.reject(lost);
    }
    pending.clear();
  }

  return {
    attach(newChild) {
      child = newChild;
      void newChild.exited.then(onExit);
    },

    async request(method, params, timeoutMs = ANSWER_WITHIN_MS) {
      if (lost !== null) throw lost;
      const id = ++lastId;
      const answer = new Promise<unknown>((resolve, reject) => {
        const stopTimer = afterWorking(clock, timeoutMs, () => {
          pending.delete(id);
          reject(new ConnectionLost(`Codex did not answer ${method} within ${timeoutMs} ms`, false));
        });
        pending.set(id, { method, resolve, reject, stopTimer });
      });
      send({ id, method, params });
      return answer;
    },

    notify(method) {
      send({ method });
    },

    receive(line) {
      const message = parseMessage(line);
      if (message === null) return;
      if (message.method === undefined) {
        if (typeof message.id === "number") settle(message.id, message);
        return;
      }
      if (message.id === undefined) {
        handlers.onNotification(message.method, message.params);
        return;
      }
      const result = handlers.onRequest(message.method, message.params);
      if (result !== null) send({ id: message.id, result });
      else {
        const error = {
          code: METHOD_NOT_FOUND,
          message: `${message.method} is not supported by this client`,
        };
        send({ id: message.id, error });
      }
    },
  };
}

/** What is neither a request nor an answer nor a notification is skipped like a line that is no JSON. */
function parseMessage(line: string): Message | null {
  const value = parseJsonLine(line);
  if (!isRecord(value)) return null;
  const { id, method, params, result, error } = value;
  if (id !== undefined && typeof id !== "number" && typeof id !== "string") return null;
  if (method !== undefined && typeof method !== "string") return null;
  return { id, method, params, result, error: error === undefined || error === null ? null : toError(error) };
}

function toError(error: unknown): { code: number; message: string } {
  const { code, message } = isRecord(error) ? error : {};
  return {
    code: typeof code === "number" ? code : 0,
    message: typeof message === "string" ? message : "unknown error",
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
