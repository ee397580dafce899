import { z } from "zod";
import { ownJob } from "./codex-job-status.ts";
import { jobAnswer, toJobOutcome } from "./job-answer.ts";
import { defineTool, refused } from "./tool.ts";
import * as input from "./turn-input.ts";

/** How long to wait for Codex to stop; it takes well under a second. */
const STOP_WAIT_MS = 10_000;

/** Ends a job; one that has ended already stays as it is. */
export const codexJobCancel = defineTool({
  name: "codex_job_cancel",
  title: "Cancel a Codex job",
  description:
    "Ends a queued or running job and the commands that it started. Files that were changed before stay changed. " +
    "The thread can be continued with codex_reply. A job that has ended already stays as it is.",
  hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  scope: "read",
  input: z.strictObject({ jobId: input.jobId }),
  output: jobAnswer,

  async run({ jobId }, call, room) {
    const job = await ownJob(jobId, call, room);
    if (!job.ok) return refused(job.failure);
    // The owner's job, say, and a client that the owner let in to read.
    if (job.value.sandbox === "workspace-write" && !call.caller.scopes.includes("write")) {
      return refused({ code: "insufficient_scope", needs: "write" });
    }
    room.runner.cancel(jobId, "caller");
    await room.runner.wait(jobId, null, Math.min(STOP_WAIT_MS, room.limits.fastReturnMs), call.signal);
    const found = await room.runner.look(jobId, 0);
    if (found === null) return refused({ code: "unknown_job" });
    return toJobOutcome(found.job, room.clock.now());
  },
});
