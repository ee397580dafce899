import type { JobRequest } from "./job-request.ts";
import type { ThreadStore } from "./store.ts";

/** Keeps a thread with what it was granted; the time of its first turn stays, and so does whose it is. */
export async function keepThread(
  threads: ThreadStore,
  threadId: string,
  { caller, cwd, grant }: JobRequest,
  now: number,
): Promise<void> {
  const known = await threads.get(threadId);
  if (known !== null && known.caller !== caller) return;
  const { project, sandbox, model, effort } = grant;
  const createdAt = known?.createdAt ?? now;
  await threads.save({
    version: 1,
    threadId,
    caller,
    project,
    cwd,
    sandbox,
    model,
    effort,
    createdAt,
    usedAt: now,
  });
}
