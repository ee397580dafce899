/**
 * The two tools behind MCP's `tools/list` and `tools/call`. Validates, tells of progress while a call runs, redacts what
 * goes back, and puts every call on record before it is answered.
 */
import {
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type CallToolResult,
  type McpServerFactory,
  type ServerContext,
} from "@modelcontextprotocol/server";
import type { z } from "zod";
import type { Clock } from "../lib/clock.ts";
import { version } from "../lib/version.ts";
import { NOTHING_ASKED, toAskContent, type AskOutcome } from "./ask-answer.ts";
import type { AskFailure } from "./ask-failure.ts";
import { askInput, askResultInput, type AskOutput } from "./ask-input.ts";
import type { AskCall, AskRoom } from "./ask-room.ts";
import { askTool, resultTool, wireTools } from "./tools.ts";

const INSTRUCTIONS =
  "ask_chatgpt asks another OpenAI model for advice or a review. Give it one clear question and the files that it needs. " +
  "From reasoningEffort high on it may take many minutes. If a call is cut off or answers in_progress, collect the answer " +
  "with ask_chatgpt_result instead of asking again.";

/** Clients give up on silence, some after a minute; the contract says 5 s at most. */
const PROGRESS_EVERY_MS = 3_000;

export interface AskServer {
  readonly factory: McpServerFactory;
  /** Resolves when no call runs any more, whether its client still waits or not. */
  whenIdle(): Promise<void>;
}

/** `openRoom` is called with each call: nothing but the list of tools is needed before the first. */
export function createAskServer(openRoom: () => Promise<AskRoom>, clock: Clock): AskServer {
  const running = new Set<Promise<unknown>>();
  const info = { name: "codex-chatgpt-mcp", title: "Ask ChatGPT", version };
  const options = { capabilities: { tools: {} }, instructions: INSTRUCTIONS };

  async function answer(
    name: string,
    args: Readonly<Record<string, unknown>>,
    context: ServerContext,
  ): Promise<CallToolResult> {
    const arrivedAt = clock.monotonic();
    const progress = { phase: "preparing", outputTokens: 0 };
    const call: AskCall = { signal: context.mcpReq.signal, arrivedAt, progress };
    const stopTelling = tellProgress(context, call, clock);
    try {
      const room = await openRoom();
      const redactionsBefore = room.redactor.count();
      const outcome = await run(name, args, call, room);
      const elapsedMs = clock.monotonic() - arrivedAt;
      const result = outcome === null ? null : toResult(outcome, elapsedMs, room);
      await room.record({
        ...toEntry(name, args, outcome),
        durationMs: Math.round(elapsedMs),
        redactions: room.redactor.count() - redactionsBefore,
      });
      if (result === null) throw new ProtocolError(ProtocolErrorCode.InvalidParams, "There is no such tool.");
      return result;
    } finally {
      stopTelling();
    }
  }

  return {
    factory() {
      const server = new Server(info, options);
      server.setRequestHandler("tools/list", () => ({ tools: wireTools() }));
      server.setRequestHandler("tools/call", async (request, context) => {
        const { name, arguments: args = {} } = request.params;
        const answering = answer(name, args, context);
        running.add(answering);
        try {
          return await answering;
        } finally {
          running.delete(answering);
        }
      });
      return server;
    },
    async whenIdle() {
      await Promise.allSettled(running);
    },
  };
}

/** null: there is no such tool. */
async function run(name: string, args: unknown, call: AskCall, room: AskRoom): Promise<AskOutcome | null> {
  try {
    if (name === askTool.name) {
      const parsed = askInput.safeParse(args);
      if (!parsed.success) return refused(toArgumentFailure(parsed.error));
      const { askChatgpt } = await import("./ask.ts");
      return await askChatgpt(parsed.data, call, room);
    }
    if (name === resultTool.name) {
      const parsed = askResultInput.safeParse(args);
      if (!parsed.success) return refused(toArgumentFailure(parsed.error));
      const { collectAnswer } = await import("./ask-result.ts");
      return await collectAnswer(parsed.data, call, room);
    }
    return null;
  } catch (error) {
    room.log.error({ tool: name, err: error }, "a call failed");
    return refused({ code: "internal", cause: causeOf(error) });
  }
}

/** Codex shows nobody its servers' logs: a full disk or a directory that may not be written is named here too. */
function causeOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ("errstr" in error && typeof error.errstr === "string") return error.errstr;
  return "code" in error && typeof error.code === "string" ? error.code : null;
}

function refused(failure: AskFailure): AskOutcome {
  return { ...NOTHING_ASKED, failure };
}

function toResult(outcome: AskOutcome, elapsedMs: number, room: AskRoom): CallToolResult {
  const { failure } = outcome;
  if (failure !== null) room.log.info({ failure, requestId: outcome.requestId }, "no answer");
  const content: AskOutput = room.redactor.redactDeep(toAskContent(outcome, elapsedMs));
  const { outputText = "" } = content;
  const text = failure === null && outputText !== "" ? outputText : JSON.stringify(content);
  return {
    ...(failure === null ? {} : { isError: true }),
    content: [{ type: "text", text }],
    structuredContent: { ...content },
  };
}

/** At once, and then every few seconds, for a client that asked for it. */
function tellProgress(context: ServerContext, call: AskCall, clock: Clock): () => void {
  const { _meta: meta, notify } = context.mcpReq;
  const progressToken = meta?.progressToken;
  if (progressToken === undefined) return () => {};
  let stop = (): void => {};
  let last = -1;
  const tell = (): void => {
    const seconds = (clock.monotonic() - call.arrivedAt) / 1_000;
    const { phase, outputTokens } = call.progress;
    const tokens = outputTokens === 0 ? "" : `, about ${outputTokens} output tokens`;
    // It has to grow with every notification.
    last = Math.max(Math.round(seconds * 1_000) / 1_000, last + 0.001);
    const message = `${phase}, ${Math.floor(seconds)} s${tokens}`;
    notify({ method: "notifications/progress", params: { progressToken, progress: last, message } }).catch(
      () => {
        // The client has gone; its end is noticed elsewhere.
      },
    );
    stop = clock.after(PROGRESS_EVERY_MS, tell);
  };
  tell();
  return () => {
    stop();
  };
}

/** The first thing that is wrong, in the caller's own words for it; never the value. */
function toArgumentFailure(error: z.ZodError): AskFailure {
  const [issue] = error.issues;
  if (issue?.code === "unrecognized_keys") {
    const name = (issue.keys[0] ?? "").slice(0, 64);
    return { code: "invalid_argument", argument: name, reason: "is not an argument of this tool" };
  }
  const reason = (issue?.message ?? "is not valid").replace(/^Invalid input: /, "is not valid: ");
  const argument = issue?.path.join(".") ?? "";
  return { code: "invalid_argument", argument, reason: reason.charAt(0).toLowerCase() + reason.slice(1) };
}

function toEntry(tool: string, args: Readonly<Record<string, unknown>>, outcome: AskOutcome | null) {
  const isKnown = tool === askTool.name || tool === resultTool.name;
  const { prompt, files } = args;
  return {
    type: "ask" as const,
    tool: isKnown ? tool : null,
    outcome:
      outcome === null ? "unknown_tool" : (outcome.failure?.code ?? outcome.response?.status ?? "answered"),
    model: outcome?.model ?? null,
    effort: outcome?.effort ?? null,
    background: outcome?.background ?? false,
    responseId: outcome?.responseId ?? null,
    requestId: outcome?.requestId ?? null,
    prompt: typeof prompt === "string" ? prompt : null,
    files: Array.isArray(files) ? files.length : 0,
    usage: outcome?.response?.usage ?? null,
    costUsd: outcome?.costUsd ?? null,
  };
}
