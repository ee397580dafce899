/**
 * The turn of one job: asks whether its Grant still holds, drives the backend, hands on what it tells, and keeps the
 * thread that Codex names. Never ends the job.
 */
import type { TurnOutcome } from "../codex/backend.ts";
import type { Failure } from "../policy/failure.ts";
import type { JobRequest } from "./job-request.ts";
import type { LiveJob } from "./live-job.ts";
import type { RunnerParts } from "./runner.ts";
import { keepThread } from "./thread-record.ts";
import { startJob } from "./transitions.ts";

export type TurnParts = Pick<RunnerParts, "backend" | "threads" | "clock" | "log" | "recheck">;

/** `hold` is told of each thread that the turn works on, at once. */
export async function runTurn(
  entry: LiveJob,
  request: JobRequest,
  { backend, threads, clock, log, recheck }: TurnParts,
  hold: (threadId: string) => void,
): Promise<TurnOutcome> {
  if (entry.stopped() !== null) return endedEarly(entry.stopped());
  entry.change((job) => startJob(job, clock.now()));
  const changed = await recheck(request.grant, clock.now() - entry.record().createdAt);
  if (changed !== null) return endedEarly(changed);
  const { grant, thread, prompt, outputSchema, projectInstructions } = request;
  let saving = Promise.resolve();
  const outcome = await backend.runTurn(
    { grant, thread, prompt, outputSchema, projectInstructions },
    (event) => {
      if (event.type === "thread") {
        const { threadId } = event;
        hold(threadId);
        saving = keepThread(threads, threadId, request, clock.now()).catch((error: unknown) => {
          log.error({ threadId, error: String(error) }, "a thread could not be kept");
        });
      }
      entry.hear(event);
    },
    entry.signal,
  );
  await saving;
  return outcome;
}

export function endedEarly(failure: Failure | null): TurnOutcome {
  return { threadId: null, turnId: null, answer: null, changes: [], diff: null, usage: null, failure };
}
