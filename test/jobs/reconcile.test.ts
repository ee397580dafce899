import { describe, expect, test } from "vitest";
import { toChangesNote } from "../../src/jobs/changes-note.ts";
import type { JobRecord } from "../../src/jobs/job.ts";
import { createMemoryJobStore } from "../../src/jobs/memory-store.ts";
import type { RunnerParts } from "../../src/jobs/runner.ts";
import { jobRecord } from "../support/job-records.ts";
import { settle } from "../support/fake-clock.ts";
import { never, startRunner } from "./start-runner.ts";

const running: Partial<JobRecord> = { state: "running", threadId: "thread", turnId: "turn" };

/** A runner on a store with jobs that an earlier process left. */
async function restart(...left: JobRecord[]) {
  return restartWith({}, ...left);
}

async function restartWith(parts: Partial<RunnerParts>, ...left: JobRecord[]) {
  const jobs = createMemoryJobStore();
  for (const job of left) {
    await jobs.insert(job);
    await jobs.save(job, [{ id: 7, at: 1, type: "turn", text: "Codex began the turn." }]);
  }
  const ended: JobRecord[] = [];
  const started = startRunner({ jobs, onEnd: (job) => ended.push(job), ...parts });
  return { ...started, ended };
}

describe("after a restart", () => {
  test("a job whose turn completed in Codex meanwhile has its answer, and the audit hears of it", async () => {
    const { runner, backend, job, jobs, ended } = await restart(jobRecord("job", running));
    const changes = [{ path: "a.txt", kind: "add", additions: 1, deletions: 0 } as const];
    backend.remember("turn", { answer: "found", changes });
    await runner.adopt();
    await settle();
    expect(await job("job")).toMatchObject({ state: "completed", answer: "found", changes, failure: null });
    expect(await jobs.get("job")).toMatchObject({ state: "completed", answer: "found" });
    expect(ended.map(({ jobId }) => jobId)).toEqual(["job"]);
    expect(await jobs.unfinished()).toEqual([]);
    expect(backend.turns).toEqual([]);
  });

  test("an answer waits for the first look through its project, which tells what to strike out", async () => {
    const look = Promise.withResolvers<void>();
    let secret = "nothing";
    const { runner, backend, job } = await restartWith(
      { redact: (text) => text.replaceAll(secret, "[redacted]"), lookFirst: async () => look.promise },
      jobRecord("job", running),
    );
    backend.remember("turn", { answer: "it is k7Wq" });
    await runner.adopt();
    await settle();
    expect((await job("job")).state).toBe("running");
    secret = "k7Wq";
    look.resolve();
    await settle();
    expect(await job("job")).toMatchObject({ state: "completed", answer: "it is [redacted]" });
  });

  test("an answer that still waits for the look at the end of the bridge is left to the next start", async () => {
    const look = Promise.withResolvers<void>();
    const { runner, backend, jobs } = await restartWith(
      { lookFirst: async () => look.promise },
      jobRecord("job", running),
    );
    backend.remember("turn", { answer: "found" });
    await runner.adopt();
    await settle();
    const closed = runner.close(0);
    look.resolve();
    await closed;
    expect((await jobs.get("job"))?.state).toBe("running");
  });

  test("the answer is parsed where the caller had asked for it", async () => {
    const { runner, backend, job } = await restart(jobRecord("job", { ...running, wantsOutput: true }));
    backend.remember("turn", { answer: '{"sum":3}' });
    await runner.adopt();
    await settle();
    expect((await job("job")).output).toEqual({ sum: 3 });
  });

  test("a job that was cut off is interrupted, with what was done so far", async () => {
    const changes = [{ path: "a.txt", kind: "update", additions: 1, deletions: 2 } as const];
    const left = jobRecord("job", { ...running, changes, diff: "+a", lastMessage: "half way" });
    const { runner, backend, job, ended } = await restart(left);
    backend.remember("turn", { failure: { code: "interrupted", reason: "Codex ended the turn early" } });
    await runner.adopt();
    await settle();
    expect(await job("job")).toMatchObject({
      state: "failed",
      failure: { code: "interrupted", reason: "The bridge ended while the job ran." },
      changes,
      diff: "+a",
      answer: "half way",
      lastMessage: null,
      threadId: "thread",
    });
    expect(ended).toHaveLength(1);
  });

  test("a turn that failed by itself keeps its own reason", async () => {
    const { runner, backend, endOf } = await restart(jobRecord("job", running));
    const failure = { code: "codex_failed", kind: "other", message: "no", retryable: false } as const;
    backend.remember("turn", { failure });
    await runner.adopt();
    expect(await endOf("job")).toBe("codex_failed");
  });

  test("what the commands of a write turn changed is not known any more, and that is said", async () => {
    const writing = { ...running, sandbox: "workspace-write" } as const;
    const { runner, backend, job } = await restart(jobRecord("job", writing), jobRecord("read", running));
    backend.remember("turn", { answer: "found" });
    await runner.adopt();
    await settle();
    expect((await job("job")).commandChanges).toEqual({
      files: 0,
      unlisted: 0,
      patchedToo: 0,
      gap: "restarted",
    });
    expect(toChangesNote(await job("job"))).toMatch(/restarted .* may be changes that are not listed\.$/);
    expect((await job("read")).commandChanges).toBeNull();
  });

  test.each<[string, Partial<JobRecord>]>([
    ["a queued job", { state: "queued" }],
    ["a job whose turn had not begun", { state: "running", threadId: "thread" }],
    ["a job whose turn Codex does not know", running],
  ])("%s is interrupted", async (_name, fields) => {
    const { runner, endOf } = await restart(jobRecord("job", fields));
    await runner.adopt();
    expect(await endOf("job")).toBe("interrupted");
  });

  test("events go on where they had stopped", async () => {
    const { runner } = await restart(jobRecord("job", running));
    await runner.adopt();
    await settle();
    const found = await runner.look("job", 0);
    expect(found?.events.map(({ id, type }) => `${id} ${type}`)).toEqual(["7 turn", "8 finished"]);
  });

  test("a Codex that cannot be asked yet is asked again; callers wait, and the thread is busy", async () => {
    const { runner, backend, clock, endOf, refusal } = await restart(jobRecord("job", running));
    backend.remember("turn", "unreachable");
    await runner.adopt();
    let isOver = false;
    void runner.wait("job", null, 600_000, never).then(() => (isOver = true));
    await clock.advance(20_000);
    expect(await endOf("job")).toBe("running");
    expect(isOver).toBe(false);
    expect(await refusal({ thread: { kind: "resume", threadId: "thread" } })).toEqual({
      code: "thread_busy",
    });
    backend.remember("turn", { answer: "late" });
    await clock.advance(20_000);
    expect(await endOf("job")).toBe("completed");
    expect(isOver).toBe(true);
    expect(await refusal({ thread: { kind: "resume", threadId: "thread" } })).toBeNull();
  });

  test("after five minutes without Codex the job is interrupted", async () => {
    const { runner, backend, clock, endOf } = await restart(jobRecord("job", running));
    backend.remember("turn", "unreachable");
    await runner.adopt();
    await clock.advance(330_000);
    expect(await endOf("job")).toBe("interrupted");
    expect(clock.pending()).toBe(0);
  });

  test("it can be cancelled while Codex is waited for", async () => {
    const { runner, backend, endOf } = await restart(jobRecord("job", running));
    backend.remember("turn", "unreachable");
    await runner.adopt();
    await settle();
    expect(runner.cancel("job", "owner")).toBe(true);
    expect(await endOf("job")).toBe("cancelled");
  });

  test("a bridge that ends before Codex could be asked leaves the job to the next one", async () => {
    const { runner, backend, jobs, ended } = await restart(jobRecord("job", running));
    backend.remember("turn", "unreachable");
    await runner.adopt();
    await settle();
    await runner.close(0);
    expect((await jobs.unfinished()).map(({ jobId }) => jobId)).toEqual(["job"]);
    expect(ended).toEqual([]);
  });

  test("the same call again is its twin, not a second job", async () => {
    const { runner, backend } = await restart(jobRecord("job", { ...running, requestId: "r" }));
    backend.remember("turn", "unreachable");
    await runner.adopt();
    const call = { caller: "alice", conversation: null, requestId: "r", fingerprint: "f" };
    expect(await runner.findTwin(call)).toMatchObject({
      ok: true,
      value: { jobId: "job", state: "running" },
    });
  });
});
