import { z } from "zod";
import { ok } from "../lib/result.ts";
import { jobAnswer } from "./job-answer.ts";
import { pickProject, startTurn } from "./start-turn.ts";
import { defineTool } from "./tool.ts";
import * as input from "./turn-input.ts";

/** Asks Codex to read and explain; whatever the owner allows, this tool never writes. */
export const codexRead = defineTool({
  name: "codex_read",
  title: "Read and analyse with Codex",
  description:
    "Codex on the owner's machine reads the project and answers: questions about code, reviews, plans, searches. " +
    "It runs commands in a read-only sandbox and changes nothing. A short task returns its answer; a longer one " +
    "returns a jobId for codex_job_status.",
  hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  input: z.strictObject({
    prompt: input.prompt,
    project: input.project.optional(),
    cwd: input.cwd.optional(),
    model: input.model.optional(),
    effort: input.effort.optional(),
    outputSchema: input.outputSchema.optional(),
    timeoutMs: input.timeoutMs.optional(),
    requestId: input.requestId.optional(),
  }),
  output: jobAnswer,

  async run(args, call, room) {
    const { requestId = null, outputSchema = null, timeoutMs = null, ...what } = args;
    return startTurn(
      "codex_read",
      { prompt: args.prompt, outputSchema, timeoutMs, requestId },
      { ...what, outputSchema, timeoutMs },
      async () => {
        const project = pickProject(args.project ?? null, room.projects);
        if (!project.ok) return project;
        const { cwd = null, model = null, effort = null } = args;
        return ok({
          project: project.value,
          cwd,
          sandbox: "read-only",
          model,
          effort,
          thread: { kind: "new" },
        });
      },
      call,
      room,
    );
  },
});
