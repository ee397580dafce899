/**
 * The tools behind MCP's `tools/list` and `tools/call`: one light server for each request, all of them sharing one
 * list made at start. Validates, calls, turns refusals into tool results, and notes every call.
 */
import {
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type AuthInfo,
  type CallToolResult,
  type McpServerFactory,
} from "@modelcontextprotocol/server";
import type { z } from "zod";
import type { Caller, Scope } from "../auth/caller.ts";
import type { Failure } from "../policy/failure.ts";
import { toRefusal } from "./refusal.ts";
import type { ToolRoom } from "./room.ts";
import { toWireTools } from "./tool-list.ts";
import { refused, type Tool, type ToolCall, type ToolOutcome } from "./tool.ts";

/** Read by ChatGPT; the first 512 characters count. */
export const INSTRUCTIONS =
  "codex-gpt-bridge lets you work with Codex on the user's own machine. Start with bridge_status to see the " +
  "projects. Use codex_read for questions and reviews, codex_run for changes, codex_reply to go on in a thread. " +
  "Give one clear task at a time. If a call answers status running, call codex_job_status with its jobId until the " +
  "job has ended; without the id, call it with no arguments. Do not start the same task twice. A refusal says what " +
  "to do in nextAction.";

const CONVERSATION_KEY = "openai/session";
const MAX_CONVERSATION_CHARACTERS = 256;

interface CallFromHttp {
  readonly caller: Caller;
  readonly requestId: string;
  /** To be told when the caller's scopes did not suffice. */
  readonly lacks: (scope: Scope) => void;
}

/**
 * `callOf` takes the caller and the request id out of what the HTTP room handed over. The request ids of calls that
 * have their audit line go into `recordedCalls`; whoever writes lines for the other requests takes them out.
 */
export function createMcpServerFactory(
  tools: readonly Tool[],
  room: ToolRoom,
  callOf: (authInfo: AuthInfo | undefined) => CallFromHttp,
  recordedCalls: Set<string>,
): McpServerFactory {
  // Made when it is first asked for: the schemas take some 10 ms, which the start of the bridge need not wait for.
  let made: WireTools | null = null;
  const wireTools = (): WireTools => (made ??= toWireTools(tools));
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  const info = { name: "codex-gpt-bridge", title: "Codex GPT Bridge", version: room.version };
  const options = { capabilities: { tools: {} }, instructions: INSTRUCTIONS };

  return () => {
    const server = new Server(info, options);
    server.setRequestHandler("tools/list", () => ({ tools: wireTools() }));
    server.setRequestHandler("tools/call", async (request, context): Promise<CallToolResult> => {
      const arrivedAt = room.clock.monotonic();
      const redactionsBefore = room.redactions();
      const { caller, requestId, lacks } = callOf(context.http?.authInfo);
      const { name, arguments: args = {} } = request.params;
      const conversation = conversationOf(context.mcpReq["_meta"]);
      const call: ToolCall = {
        caller,
        conversation,
        ref: requestId,
        arrivedAt,
        signal: context.mcpReq.signal,
      };
      const tool = byName.get(name);
      const outcome = tool === undefined ? null : await answer(tool, args, call);
      const result = outcome === null ? null : toResult(outcome, requestId);
      const needs = neededScope(outcome);
      if (needs !== null) lacks(needs);
      recordedCalls.add(requestId);
      room.audit.record({
        type: "call",
        requestId,
        subject: caller.subject,
        via: caller.via,
        tool: tool?.name ?? null,
        http: null,
        outcome: outcomeOf(outcome),
        ...factsOf(outcome),
        conversation,
        prompt: typeof args["prompt"] === "string" ? args["prompt"] : null,
        durationMs: Math.round(room.clock.monotonic() - arrivedAt),
        redactions: room.redactions() - redactionsBefore,
      });
      // On record before it is answered: what cannot be proven later did not happen.
      await room.audit.flushed();
      if (result === null) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "There is no such tool.");
      return result;
    });
    return server;
  };

  async function answer(tool: Tool, args: unknown, call: ToolCall): Promise<ToolOutcome> {
    if (!call.caller.scopes.includes(tool.scope))
      return refused({ code: "insufficient_scope", needs: tool.scope });
    const parsed = tool.input.safeParse(args);
    if (!parsed.success) return refused(toArgumentFailure(parsed.error));
    try {
      return await tool.run(parsed.data, call, room);
    } catch (error) {
      room.log.error({ requestId: call.ref, tool: tool.name, err: error }, "a tool failed");
      return refused({ code: "internal" });
    }
  }

  function toResult(outcome: ToolOutcome, ref: string): CallToolResult {
    if (outcome.kind === "answer") {
      const text = outcome.text ?? JSON.stringify(outcome.content);
      return { content: [{ type: "text", text }], structuredContent: outcome.content };
    }
    const { error, nextAction } = toRefusal(outcome.failure);
    room.log.info({ requestId: ref, refusal: outcome.failure }, "call refused");
    const message = room.redact(error.message);
    const content = { status: "refused", error: { ...error, message }, ref, nextAction };
    const needs = neededScope(outcome);
    return {
      // ChatGPT shows its sign-in for this one.
      ...(needs === null
        ? {}
        : { _meta: { "mcp/www_authenticate": [room.challenges.insufficientScope(needs)] } }),
      isError: true,
      content: [{ type: "text", text: JSON.stringify(content) }],
      structuredContent: content,
    };
  }
}

type WireTools = ReturnType<typeof toWireTools>;

/** The first thing that is wrong, in the caller's own words for it; never the value. */
function toArgumentFailure(error: z.ZodError): Failure {
  const [issue] = error.issues;
  const argument = issue?.path.join(".") ?? "";
  if (issue?.code === "unrecognized_keys") {
    const name = (issue.keys[0] ?? "").slice(0, 64);
    return { code: "invalid_argument", argument: name, reason: "is not an argument of this tool" };
  }
  const reason = (issue?.message ?? "is not valid").replace(/^Invalid input: /, "is not valid: ");
  return { code: "invalid_argument", argument, reason: reason.charAt(0).toLowerCase() + reason.slice(1) };
}

function neededScope(outcome: ToolOutcome | null): Scope | null {
  return outcome?.kind === "refused" && outcome.failure.code === "insufficient_scope"
    ? outcome.failure.needs
    : null;
}

function outcomeOf(outcome: ToolOutcome | null): string {
  if (outcome === null) return "unknown_tool";
  return outcome.kind === "refused" ? outcome.failure.code : "answered";
}

/** What the answer says of the job, for the audit. */
function factsOf(outcome: ToolOutcome | null) {
  const content = outcome?.kind === "answer" ? outcome.content : {};
  const text = (name: string): string | null => {
    const value = content[name];
    return typeof value === "string" ? value : null;
  };
  return {
    project: text("project"),
    sandbox: text("sandbox"),
    jobId: text("jobId"),
    threadId: text("threadId"),
  };
}

function conversationOf(meta: Readonly<Record<string, unknown>> | undefined): string | null {
  const value = meta?.[CONVERSATION_KEY];
  return typeof value === "string" && value !== "" ? value.slice(0, MAX_CONVERSATION_CHARACTERS) : null;
}
