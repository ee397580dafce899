/** What codex_read and codex_run share: a turn on a new thread, in a project that the caller names. */
import { z } from "zod";
import type { JobTool } from "../jobs/job.ts";
import { ok } from "../lib/result.ts";
import type { Project } from "../policy/decide.ts";
import type { Sandbox } from "../policy/grant.ts";
import type { ToolRoom } from "./room.ts";
import { pickProject, startTurn } from "./start-turn.ts";
import type { ToolCall, ToolOutcome } from "./tool.ts";
import * as input from "./turn-input.ts";

export const newTurnInput = {
  project: input.project.optional(),
  cwd: input.cwd.optional(),
  model: input.model.optional(),
  effort: input.effort.optional(),
  outputSchema: input.outputSchema.optional(),
  timeoutMs: input.timeoutMs.optional(),
  requestId: input.requestId.optional(),
};

const newTurn = z.object({ prompt: input.prompt, ...newTurnInput });

export async function startNewTurn(
  tool: JobTool,
  args: z.output<typeof newTurn>,
  sandboxOf: (project: Project) => Sandbox,
  call: ToolCall,
  room: ToolRoom,
): Promise<ToolOutcome> {
  const { requestId = null, outputSchema = null, timeoutMs = null, ...what } = args;
  return startTurn(
    tool,
    { prompt: args.prompt, outputSchema, timeoutMs, requestId },
    { ...what, outputSchema, timeoutMs },
    async () => {
      const picked = pickProject(args.project ?? null, room.projects);
      if (!picked.ok) return picked;
      const project = picked.value;
      const { cwd = null, model = null, effort = null } = args;
      return ok({ project, cwd, sandbox: sandboxOf(project), model, effort, thread: { kind: "new" } });
    },
    call,
    room,
  );
}
