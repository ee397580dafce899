import { z } from "zod";
import { defaultSandboxOf, type Project } from "../policy/decide.ts";
import type { Sandbox } from "../policy/grant.ts";
import { jobAnswer } from "./job-answer.ts";
import { newTurnInput, startNewTurn } from "./new-turn.ts";
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
  scope: "write",
  input: z.strictObject({
    prompt: input.prompt,
    sandbox: z
      .enum(["read-only", "workspace-write"])
      .optional()
      .describe("What is asked for; the owner's ceiling decides. Default: the project's own"),
    ...newTurnInput,
  }),
  output: jobAnswer,

  async run(args, call, room) {
    const sandboxOf = (project: Project): Sandbox => args.sandbox ?? defaultSandboxOf(project, room.ceiling);
    return startNewTurn("codex_run", args, sandboxOf, call, room);
  },
});
