import { z } from "zod";
import type { ThreadRecord } from "../jobs/job.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { decideSandboxOfReply } from "../policy/decide.ts";
import type { Failure } from "../policy/failure.ts";
import { jobAnswer } from "./job-answer.ts";
import type { ToolRoom } from "./room.ts";
import { startTurn, type Wish } from "./start-turn.ts";
import { defineTool, type ToolCall } from "./tool.ts";
import * as input from "./turn-input.ts";

/** Goes on in a thread that this caller started before, as far as today's ceiling still allows what it had. */
export const codexReply = defineTool({
  name: "codex_reply",
  title: "Go on in a Codex thread",
  description:
    "Continues an earlier Codex thread with its whole history: follow-up questions, corrections, the next step. It " +
    "keeps the project, directory and sandbox of the thread. With fork true a branch of the thread is started and " +
    "the original stays as it is.",
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  scope: "read",
  input: z.strictObject({
    threadId: input.threadId,
    prompt: input.prompt,
    fork: z.boolean().optional().describe("Start a branch of the thread instead of continuing it"),
    outputSchema: input.outputSchema.optional(),
    timeoutMs: input.timeoutMs.optional(),
    requestId: input.requestId.optional(),
  }),
  output: jobAnswer,

  async run(args, call, room) {
    const { requestId = null, outputSchema = null, timeoutMs = null, fork = false, ...what } = args;
    return startTurn(
      "codex_reply",
      { prompt: args.prompt, outputSchema, timeoutMs, requestId },
      { ...what, fork, outputSchema, timeoutMs },
      async () => wishOfReply(args.threadId, fork, call, room),
      call,
      room,
    );
  },
});

async function wishOfReply(
  threadId: string,
  fork: boolean,
  call: ToolCall,
  room: ToolRoom,
): Promise<Result<Wish, Failure>> {
  const thread = await ownThread(threadId, call, room);
  if (thread === null) return fail({ code: "unknown_thread" });
  // A thread that writes goes on for those who may start one; also when writing has since been forbidden.
  if (thread.sandbox === "workspace-write" && !call.caller.scopes.includes("write")) {
    return fail({ code: "insufficient_scope", needs: "write" });
  }
  const project = room.projects.find(({ name }) => name === thread.project);
  if (project === undefined) return fail({ code: "unknown_thread" });
  const sandbox = decideSandboxOfReply(thread.sandbox, project, room.ceiling);
  if (!sandbox.ok) return sandbox;
  const { model, effort } = thread;
  const kind = fork ? "fork" : "resume";
  const cwd = thread.cwd === "" ? null : thread.cwd;
  return ok({ project, cwd, sandbox: sandbox.value, model, effort, thread: { kind, threadId } });
}

/** A thread of somebody else and no thread at all look the same. */
async function ownThread(threadId: string, call: ToolCall, room: ToolRoom): Promise<ThreadRecord | null> {
  const thread = await room.threads.get(threadId);
  return thread?.caller === call.caller.subject ? thread : null;
}
