import { z } from "zod";
import { ok } from "../lib/result.ts";
import { defaultSandboxOf } from "../policy/decide.ts";
import { jobAnswer } from "./job-answer.ts";
import { pickProject, startTurn } from "./start-turn.ts";
import { defineTool } from "./tool.ts";
import * as input from "./turn-input.ts";

/** Asks Codex to do work; writes only where the owner allows it. */
export const codexRun = defineTool({
  name: "codex_run",
  title: "Let Codex work on the project",
  description:
    "Codex on the owner's machine works on the project: edits files, runs builds and tests. Files change only with " +
    "sandbox workspace-write and only where the owner allows writing. The answer lists changes and a diff. A short " +
    "task returns its answer; a longer one returns a jobId for codex_job_status.",
  hints: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
  input: z.strictObject({
    prompt: input.prompt,
    sandbox: z
      .enum(["read-only", "workspace-write"])
      .optional()
      .describe("What is asked for; the owner's ceiling decides. Default: the project's own"),
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
      "codex_run",
      { prompt: args.prompt, outputSchema, timeoutMs, requestId },
      { ...what, outputSchema, timeoutMs },
      async () => {
        const project = pickProject(args.project ?? null, room.projects);
        if (!project.ok) return project;
        const { cwd = null, model = null, effort = null } = args;
        const sandbox = args.sandbox ?? defaultSandboxOf(project.value, room.ceiling);
        return ok({ project: project.value, cwd, sandbox, model, effort, thread: { kind: "new" } });
      },
      call,
      room,
    );
  },
});
