import { z } from "zod";
import { jobAnswer } from "./job-answer.ts";
import { newTurnInput, startNewTurn } from "./new-turn.ts";
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
  scope: "read",
  input: z.strictObject({ prompt: input.prompt, ...newTurnInput }),
  output: jobAnswer,

  run: async (args, call, room) => startNewTurn("codex_read", args, () => "read-only", call, room),
});
