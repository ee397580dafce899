/**
 * An MCP transport over a child process of ours: one JSON-RPC message in each line. The child's life stays in
 * child.ts; this only carries messages, and never reads what they mean.
 */
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import { ok, type Result } from "../../lib/result.ts";
import { spawnChild, type Child, type ChildProgram } from "../../lib/child.ts";
import { parseJsonLine, toJsonLine } from "../json-line.ts";

export interface ChildTransport {
  readonly child: Child;
  readonly transport: Transport;
}

/** `onSend` sees every message on its way out. A line that is not JSON goes to the transport's `onerror`. */
export async function openChildTransport(
  program: ChildProgram,
  onSend: (message: JSONRPCMessage) => void,
): Promise<Result<ChildTransport, { reason: string }>> {
  let child: Child | null = null;
  const transport: Transport = {
    async start() {},
    async send(message) {
      onSend(message);
      child?.send(toJsonLine(message));
    },
    async close() {
      await child?.stop();
    },
  };
  const spawned = await spawnChild(program, (line) => {
    try {
      const message = parseJsonLine(line);
      if (typeof message !== "object" || message === null) throw new Error("no JSON object");
      transport.onmessage?.(message as JSONRPCMessage);
    } catch (error) {
      transport.onerror?.(new Error("codex mcp-server sent a line that is no message", { cause: error }));
    }
  });
  if (!spawned.ok) return spawned;
  child = spawned.value;
  void child.exited.then(() => transport.onclose?.());
  return ok({ child, transport });
}
