/**
 * One running `codex mcp-server`: the MCP handshake, its two tools, and the routing of what Codex says to the call
 * that it is about. Answers every request for an approval with a no. Never reads a thread id from text.
 */
import { Client, ProtocolError, ProtocolErrorCode, type JSONRPCMessage } from "@modelcontextprotocol/client";
import { fail, ok, type Result } from "../../lib/result.ts";
import type { BackendParts } from "../backend.ts";
import type { ChildExit } from "../../lib/child.ts";
import { toHandshakeFailure, type HandshakeFailure } from "../handshake.ts";
import { openChildTransport } from "./child-transport.ts";
import { endCommandsBelow } from "./commands.ts";
import {
  approvalRequest,
  eventEnvelope,
  parseEvent,
  toolResult,
  type ToolResult,
  type WireEvent,
} from "./wire.ts";

export interface CallListener {
  /** Something was said about this thread, whether we read it or not. */
  onHeard(): void;
  /** `turnId` is empty for what belongs to no turn. */
  onEvent(event: WireEvent, turnId: string): void;
  /** An event that we read came in a shape that we do not know. */
  onUnreadable(type: string): void;
  onDeclined(what: string): void;
  /** Codex answered the call itself; an aborted call, and the one after it, may never get an answer. */
  onAnswer(answer: ToolResult | Error): void;
  /** The process is gone; nothing more will come. */
  onLost(): void;
}

export interface Call {
  /** Tells Codex to give the call up. Codex says `turn_aborted`; it never answers the call then. */
  cancel(): void;
  /** No more is wanted of this call or its thread. */
  detach(): void;
}

export interface McpServerConnection {
  readonly codexVersion: string;
  readonly pid: number;
  readonly ended: Promise<ChildExit>;
  startThread(args: { prompt: string; [name: string]: unknown }, listener: CallListener): Call;
  reply(threadId: string, prompt: string, listener: CallListener): Call;
  /** Ends the process and everything below it. */
  close(): Promise<void>;
}

const HANDSHAKE_WITHIN_MS = 20_000;
/** Turns have deadlines of their own; the longest timer that Node knows. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;
/** Marks a call on its way out, so that its JSON-RPC id is known: events of a new thread name nothing else of ours. */
const CALL_MARK = "codex-gpt-bridge/call";

export async function connectMcpServer(
  parts: BackendParts,
  clientVersion: string,
  signal: AbortSignal,
): Promise<Result<McpServerConnection, HandshakeFailure>> {
  const byThread = new Map<string, CallListener>();
  const byRequest = new Map<number | string, CallListener>();
  const requestIds = new Map<number, number | string>();
  let calls = 0;

  const opened = await openChildTransport(
    {
      command: parts.install.command,
      args: ["mcp-server"],
      env: parts.env,
      cwd: parts.cwd,
      endsWithStdout: true,
    },
    (message) => {
      const mark = markOf(message);
      if (mark !== null) requestIds.set(mark.call, mark.requestId);
    },
  );
  if (!opened.ok) {
    return fail({ code: "codex_unsupported", reason: `Codex did not start (${opened.failure.reason})` });
  }
  const { child, transport } = opened.value;
  let ended: ChildExit | null = null;
  void child.exited.then((exit) => {
    ended = exit;
  });
  await parts.onChild?.(child.pid, child.exited);

  const client = new Client({ name: "codex-gpt-bridge", version: clientVersion }, { capabilities: {} });
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the client is no EventTarget
  client.onerror = (error) => {
    parts.log.debug({ error: error.message }, "codex mcp-server and the bridge disagree");
  };
  client.fallbackNotificationHandler = async ({ method, params }) => {
    if (method === "codex/event") hear(params);
  };
  // Codex asks although we declare no elicitation, and hangs on an error; anything but an approval is a refusal.
  client.fallbackRequestHandler = async ({ method, params }) => {
    if (method !== "elicitation/create") {
      throw new ProtocolError(ProtocolErrorCode.MethodNotFound, "Method not found");
    }
    const asked = approvalRequest.safeParse(params);
    if (asked.success) {
      byThread.get(asked.data.threadId ?? "")?.onDeclined(wordsFor(asked.data.codex_elicitation));
    }
    return { action: "decline", decision: "denied" };
  };

  const giveUp = (): void => {
    child.kill();
  };
  signal.addEventListener("abort", giveUp);
  if (signal.aborted) giveUp();
  try {
    await client.connect(transport, { timeout: HANDSHAKE_WITHIN_MS });
  } catch (error) {
    const failure = toHandshakeFailure("codex mcp-server", ended);
    const { stderrTail } = await child.stop();
    parts.log.error({ error: String(error), stderrTail }, "codex mcp-server did not shake hands");
    return fail(failure);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
  void child.exited.then((exit) => {
    parts.log.info({ pid: child.pid, code: exit.code, signal: exit.signal }, "codex mcp-server ended");
    for (const listener of new Set([...byThread.values(), ...byRequest.values()])) listener.onLost();
  });

  function hear(params: unknown): void {
    const envelope = eventEnvelope.safeParse(params);
    if (!envelope.success) return;
    const { _meta: meta, id, msg } = envelope.data;
    const event = parseEvent(msg);
    if (event !== null && event !== "broken" && event.type === "session_configured") {
      const caller = byRequest.get(meta.requestId ?? "");
      // A thread that another call works on stays that call's, whoever is said to have opened it.
      if (caller !== undefined && !byThread.has(event.msg.thread_id))
        byThread.set(event.msg.thread_id, caller);
    }
    // By thread and not by request: after an abort, Codex sends a turn's events under the ids of earlier calls.
    const listener = byThread.get(meta.threadId ?? "");
    listener?.onHeard();
    if (event === "broken") listener?.onUnreadable(msg.type);
    else if (event !== null) listener?.onEvent(event, id);
  }

  function callTool(name: string, args: object, listener: CallListener): Call {
    const call = (calls += 1);
    const answer = client.request(
      { method: "tools/call", params: { name, arguments: args, _meta: { [CALL_MARK]: call } } },
      toolResult,
      { timeout: NO_TIMEOUT_MS },
    );
    const requestId = requestIds.get(call);
    requestIds.delete(call);
    if (requestId !== undefined) byRequest.set(requestId, listener);
    answer.then(
      (result) => {
        listener.onAnswer(result);
      },
      (error: unknown) => {
        listener.onAnswer(error instanceof Error ? error : new Error(String(error)));
      },
    );
    return {
      cancel() {
        if (requestId === undefined) return;
        const params = { requestId, reason: "stopped" };
        client.notification({ method: "notifications/cancelled", params }).catch((error: unknown) => {
          parts.log.debug({ error: String(error) }, "a call could not be cancelled");
        });
      },
      detach() {
        if (requestId !== undefined) byRequest.delete(requestId);
        for (const [threadId, one] of byThread) if (one === listener) byThread.delete(threadId);
      },
    };
  }

  return ok({
    codexVersion: client.getServerVersion()?.version ?? parts.install.version,
    pid: child.pid,
    ended: child.exited,
    startThread: (args, listener) => callTool("codex", args, listener),
    reply(threadId, prompt, listener) {
      byThread.set(threadId, listener);
      return callTool("codex-reply", { threadId, prompt }, listener);
    },
    async close() {
      await endCommandsBelow(child.pid);
      await client.close(); // closes the transport, which stops the child
      await child.stop();
    },
  });
}

function markOf(message: JSONRPCMessage): { call: number; requestId: number | string } | null {
  if (!("method" in message) || !("id" in message) || message.method !== "tools/call") return null;
  const { _meta: meta } = message.params ?? {};
  const call = meta?.[CALL_MARK];
  return typeof call === "number" ? { call, requestId: message.id } : null;
}

function wordsFor(elicitation: string | null | undefined): string {
  if (elicitation === "exec-approval") return "run a command outside the policy";
  if (elicitation === "patch-approval") return "change files outside the policy";
  return "ask the user a question";
}
