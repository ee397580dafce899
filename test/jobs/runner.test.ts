import { describe, expect, test } from "vitest";
import type { JobRequest } from "../../src/jobs/job-request.ts";
import { createMemoryJobStore, createMemoryThreadStore } from "../../src/jobs/memory-store.ts";
import type { Failure } from "../../src/policy/failure.ts";
import { settle } from "../support/fake-clock.ts";
import { jobRequest, never, startRunner } from "./start-runner.ts";

describe("places", () => {
  test("as many turns run as there are places, the others wait in order", async () => {
    const { runner, backend, start, endOf } = startRunner();
    const jobs = [];
    for (const prompt of ["a", "b", "c", "d"]) jobs.push(await start({ prompt }));
    expect(runner.counts()).toMatchObject({ running: 2, queued: 2 });
    backend.turns[1]?.end();
    await settle();
    expect(backend.turns.map(({ request }) => request.prompt)).toEqual(["a", "b", "c"]);
    expect(await Promise.all(jobs.map(async ({ jobId }) => endOf(jobId)))).toEqual([
      "running",
      "completed",
      "running",
      "queued",
    ]);
    backend.turns[0]?.end();
    backend.turns[2]?.end();
    (await backend.turn(3)).end();
    expect(await endOf("job-4")).toBe("completed");
    expect(runner.counts()).toEqual({ running: 0, queued: 0, waitingCallers: 0 });
  });

  test("beyond places and queue a call is refused as busy, and told how full it is", async () => {
    const { backend, start, refusal } = startRunner();
    for (let n = 0; n < 4; n += 1) await start();
    expect(await refusal()).toEqual({ code: "busy", running: 2, waiting: 2 });
    backend.turns[0]?.end();
    await settle();
    expect(await refusal()).toBeNull();
    expect(await refusal()).toMatchObject({ code: "busy" });
  });

  test("a caller with many jobs keeps nobody else waiting behind all of them, nor out of a full queue", async () => {
    const { backend, start, refusal } = startRunner();
    for (const prompt of ["a", "b", "c", "d"]) await start({ prompt });
    expect(await refusal()).toMatchObject({ code: "busy" });
    await start({ prompt: "bob's", caller: "bob" });
    expect(await refusal({ caller: "bob" })).toMatchObject({ code: "busy" });
    await start({ prompt: "carol's", caller: "carol" });
    expect(await refusal({ caller: "dave" })).toEqual({ code: "busy", running: 2, waiting: 4 });
    for (const turn of [0, 1, 2, 3]) {
      backend.turns[turn]?.end();
      await settle();
    }
    const order = backend.turns.map(({ request }) => request.prompt);
    expect(order).toEqual(["a", "b", "bob's", "c", "carol's", "d"]);
  });

  test("without a queue, what finds no free place is busy", async () => {
    const { start, refusal } = startRunner({ maxQueue: 0 });
    await start();
    await start();
    expect(await refusal()).toEqual({ code: "busy", running: 2, waiting: 0 });
  });

  test("many calls in one moment get no more places than there are", async () => {
    const { runner, backend } = startRunner();
    const results = await Promise.all(Array.from({ length: 10 }, async () => runner.submit(jobRequest())));
    await settle();
    expect(results.filter(({ ok }) => ok)).toHaveLength(4);
    expect(backend.turns).toHaveLength(2);
  });

  test("a job that was never queued leaves its place and its thread", async () => {
    const broken = { ...createMemoryJobStore(), insert: async () => Promise.reject(new Error("disk full")) };
    const { runner } = startRunner({ jobs: broken });
    const request = jobRequest({ thread: { kind: "resume", threadId: "t" } });
    await expect(runner.submit(request)).rejects.toThrow("disk full");
    await expect(runner.submit(request)).rejects.toThrow("disk full");
    expect(runner.counts()).toMatchObject({ running: 0, queued: 0 });
  });
});

describe("threads", () => {
  test.each<{ name: string; thread: JobRequest["thread"] }>([
    { name: "a reply", thread: { kind: "resume", threadId: "thread-1" } },
    { name: "a fork", thread: { kind: "fork", threadId: "thread-1" } },
  ])("$name to a thread that a new job works on is refused until its end", async ({ thread }) => {
    const { backend, start, refusal, job } = startRunner();
    const { jobId } = await start();
    expect((await job(jobId)).threadId).toBe("thread-1");
    expect(await refusal({ thread })).toEqual({ code: "thread_busy" });
    backend.turns[0]?.end();
    await settle();
    expect(await refusal({ thread })).toBeNull();
  });

  test("a thread that a queued reply waits for is taken, until that reply is cancelled", async () => {
    const { runner, start, refusal } = startRunner({ maxConcurrent: 1 });
    await start();
    const thread = { kind: "resume", threadId: "old" } as const;
    const queued = await start({ thread });
    expect(await refusal({ thread })).toEqual({ code: "thread_busy" });
    runner.cancel(queued.jobId, "caller");
    await settle();
    expect(await refusal({ thread })).toBeNull();
  });

  test("one of many replies in one moment gets the thread", async () => {
    const { runner } = startRunner({ maxConcurrent: 9 });
    const thread = { kind: "resume", threadId: "old" } as const;
    const results = await Promise.all(
      Array.from({ length: 9 }, async () => runner.submit(jobRequest({ thread }))),
    );
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
  });

  test("both the forked thread and its branch are taken while the fork runs", async () => {
    const { start, refusal } = startRunner();
    await start({ thread: { kind: "fork", threadId: "trunk" } });
    for (const threadId of ["trunk", "thread-1"]) {
      expect(await refusal({ thread: { kind: "resume", threadId } })).toEqual({ code: "thread_busy" });
    }
  });

  test("a thread is kept with what it was granted, and its first time stays", async () => {
    const { backend, clock, start, threads } = startRunner();
    await start({ cwd: "packages/a" });
    const first = await threads.get("thread-1");
    expect(first).toMatchObject({
      caller: "alice",
      project: "sample",
      cwd: "packages/a",
      sandbox: "read-only",
    });
    backend.turns[0]?.end();
    await clock.advance(5_000);
    await start({ thread: { kind: "resume", threadId: "thread-1" } });
    expect(await threads.get("thread-1")).toMatchObject({
      createdAt: first?.createdAt,
      usedAt: (first?.usedAt ?? 0) + 5_000,
    });
  });

  test("a thread that cannot be kept costs the reply, not the answer", async () => {
    const threads = {
      ...createMemoryThreadStore(),
      save: async () => Promise.reject(new Error("disk full")),
    };
    const { backend, start, job } = startRunner({ threads });
    const { jobId } = await start();
    await settle();
    backend.turns[0]?.end({ answer: "kept" });
    await settle();
    expect(await job(jobId)).toMatchObject({ state: "completed", answer: "kept" });
  });
});

describe("the same call again", () => {
  test("an identical call without an id returns the job that runs, and starts nothing", async () => {
    const { runner, backend } = startRunner();
    const call = jobRequest();
    const first = await runner.submit(call);
    const second = await runner.submit(call);
    expect(first).toMatchObject({ ok: true, value: { deduplicated: false } });
    expect(second).toMatchObject({ ok: true, value: { deduplicated: true, job: { jobId: "job-1" } } });
    await settle();
    expect(backend.turns).toHaveLength(1);
  });

  test.each<{ name: string; other: Partial<JobRequest> }>([
    { name: "another caller", other: { caller: "bob" } },
    { name: "another conversation", other: { conversation: "elsewhere" } },
    { name: "other arguments", other: { fingerprint: "other" } },
  ])("the same call from $name is a job of its own", async ({ other }) => {
    const { runner } = startRunner();
    const call = jobRequest({ conversation: "here", fingerprint: "same" });
    await runner.submit(call);
    expect(await runner.submit({ ...call, ...other })).toMatchObject({
      ok: true,
      value: { deduplicated: false, job: { jobId: "job-2" } },
    });
  });

  test("that comes before thread_busy and before busy", async () => {
    const { runner, start } = startRunner({ maxQueue: 0 });
    const call = jobRequest({ thread: { kind: "resume", threadId: "t" } });
    await runner.submit(call);
    await start();
    expect(await runner.submit(call)).toMatchObject({ ok: true, value: { deduplicated: true } });
  });

  test("after the end, an identical call without an id is a new job", async () => {
    const { runner, backend } = startRunner();
    const call = jobRequest();
    await runner.submit(call);
    (await backend.turn(0)).end();
    await settle();
    expect(await runner.submit(call)).toMatchObject({ ok: true, value: { deduplicated: false } });
  });

  test("the same request id returns the same job, also after its end", async () => {
    const { runner, backend } = startRunner();
    const call = jobRequest({ requestId: "r" });
    await runner.submit(call);
    (await backend.turn(0)).end();
    await settle();
    const again = { ok: true, value: { deduplicated: true, job: { jobId: "job-1", state: "completed" } } };
    expect(await runner.submit({ ...call, conversation: "another" })).toMatchObject(again);
    expect(await runner.findTwin(call)).toMatchObject({ ok: true, value: { jobId: "job-1" } });
    expect(backend.turns).toHaveLength(1);
  });

  const mistake = { ok: false, failure: { code: "invalid_argument", argument: "requestId" } };

  test.each([{ when: "while the job runs" }, { when: "after its end" }])(
    "a request id with other arguments is a mistake, $when",
    async ({ when }) => {
      const { runner, backend } = startRunner();
      await runner.submit(jobRequest({ requestId: "r" }));
      if (when === "after its end") (await backend.turn(0)).end();
      await settle();
      expect(await runner.submit(jobRequest({ requestId: "r" }))).toMatchObject(mistake);
      expect(await runner.findTwin(jobRequest({ requestId: "r" }))).toMatchObject(mistake);
    },
  );

  test("a request id is the caller's own", async () => {
    const { runner } = startRunner();
    const call = jobRequest({ requestId: "r" });
    await runner.submit(call);
    expect(await runner.submit({ ...call, caller: "bob" })).toMatchObject({
      ok: true,
      value: { deduplicated: false },
    });
  });

  test("many calls with one request id in one moment start one turn", async () => {
    const { runner, backend } = startRunner({ maxConcurrent: 50 });
    const call = jobRequest({ requestId: "r" });
    const results = await Promise.all(Array.from({ length: 50 }, async () => runner.submit(call)));
    await settle();
    expect(results.every((result) => result.ok && result.value.job.jobId === "job-1")).toBe(true);
    expect(backend.turns).toHaveLength(1);
  });

  test("two calls with one request id and other arguments in one moment: one job, one mistake", async () => {
    const { runner } = startRunner();
    const results = await Promise.all([
      runner.submit(jobRequest({ requestId: "r" })),
      runner.submit(jobRequest({ requestId: "r" })),
    ]);
    expect(results[0]).toMatchObject({ ok: true });
    expect(results[1]).toMatchObject(mistake);
  });

  test("a twin that only the store knows of is returned, and nothing is left behind", async () => {
    const call = jobRequest({ requestId: "r" });
    const jobs = createMemoryJobStore();
    const first = startRunner({ jobs });
    await first.runner.submit(call);
    // The store answers one question late, as one that another process has just written to.
    const late = { ...jobs, findByRequest: async () => null };
    const { runner, backend } = startRunner({ jobs: late });
    expect(await runner.submit(call)).toMatchObject({ ok: true, value: { deduplicated: true } });
    await settle();
    expect(backend.turns).toHaveLength(0);
    expect(runner.counts()).toMatchObject({ running: 0, queued: 0 });
  });
});

describe("every job ends once", () => {
  test("a running job that is cancelled ends as cancelled, and keeps what was done", async () => {
    const { runner, backend, start, job } = startRunner();
    const { jobId } = await start();
    const changes = [{ path: "a.txt", kind: "add", additions: 1, deletions: 0 } as const];
    backend.turns[0]?.tell({ type: "changes", changes, diff: "+a" });
    expect(runner.cancel(jobId, "caller")).toBe(true);
    await settle();
    expect(await job(jobId)).toMatchObject({
      state: "cancelled",
      failure: { code: "cancelled", by: "caller" },
      threadId: "thread-1",
      changes,
      diff: "+a",
    });
  });

  test("a queued job that is cancelled ends at once and never starts", async () => {
    const { runner, backend, start, job } = startRunner({ maxConcurrent: 1 });
    await start();
    const { jobId } = await start();
    expect(runner.cancel(jobId, "owner")).toBe(true);
    await settle();
    expect(await job(jobId)).toMatchObject({ state: "cancelled", startedAt: null });
    backend.turns[0]?.end();
    await settle();
    expect(backend.turns).toHaveLength(1);
    expect(runner.counts()).toMatchObject({ running: 0, queued: 0 });
  });

  test("a job that has ended cannot be cancelled, nor one that never was", async () => {
    const { runner, backend, start, job } = startRunner();
    const { jobId } = await start();
    backend.turns[0]?.end();
    await settle();
    const before = await job(jobId);
    expect(runner.cancel(jobId, "caller")).toBe(false);
    expect(runner.cancel("nobody", "caller")).toBe(false);
    await settle();
    expect(await job(jobId)).toBe(before);
  });

  test("a job that runs into its limit ends as timeout; waiting in the queue does not count", async () => {
    const { clock, start, endOf, job } = startRunner({ maxConcurrent: 1 });
    const long = await start({ limitMs: 50_000 });
    const short = await start({ limitMs: 1_000 });
    await clock.advance(49_999);
    expect(await endOf(long.jobId)).toBe("running");
    expect(await endOf(short.jobId)).toBe("queued");
    await clock.advance(1);
    expect((await job(long.jobId)).failure).toEqual({ code: "timeout", limitMs: 50_000, what: "job" });
    await clock.advance(1_000);
    expect(await endOf(short.jobId)).toBe("timeout");
  });

  test("the first cause of an end counts, whatever comes later", async () => {
    const { runner, backend, clock, start, endOf } = startRunner();
    backend.ignoreAborts();
    const cancelled = await start({ limitMs: 1_000 });
    const late = await start({ limitMs: 1_000 });
    runner.cancel(cancelled.jobId, "caller");
    await clock.advance(1_000);
    runner.cancel(late.jobId, "caller");
    for (const turn of backend.turns)
      turn.end({ failure: { code: "codex_failed", kind: "x", message: "", retryable: false } });
    expect(await endOf(cancelled.jobId)).toBe("cancelled");
    expect(await endOf(late.jobId)).toBe("timeout");
  });

  test("a turn that completed before the stop reached it has completed", async () => {
    const { runner, backend, start, job } = startRunner();
    backend.ignoreAborts();
    const { jobId } = await start();
    runner.cancel(jobId, "caller");
    backend.turns[0]?.end({ answer: "in time" });
    await settle();
    expect(await job(jobId)).toMatchObject({ state: "completed", answer: "in time", failure: null });
  });

  test.each<{ failure: Failure; state: string }>([
    { failure: { code: "interrupted", reason: "gone" }, state: "failed" },
    { failure: { code: "timeout", limitMs: 5, what: "model" }, state: "failed" },
    { failure: { code: "confinement_unavailable", reason: "no" }, state: "failed" },
    { failure: { code: "codex_failed", kind: "other", message: "no", retryable: true }, state: "failed" },
    { failure: { code: "unknown_thread" }, state: "failed" },
  ])(
    "what the backend gives as $failure.code is the job's end, with half its answer",
    async ({ failure, state }) => {
      const { backend, start, job } = startRunner();
      const { jobId } = await start();
      backend.turns[0]?.end({ answer: "half", failure });
      await settle();
      expect(await job(jobId)).toMatchObject({ state, failure, answer: "half" });
    },
  );

  test("a backend that throws ends the job as internal and frees its place", async () => {
    const { runner, backend, start, endOf } = startRunner({ maxConcurrent: 1 });
    backend.throwOnce(new Error("bug"));
    const first = await start();
    const second = await start();
    expect(await endOf(first.jobId)).toBe("internal");
    expect(await endOf(second.jobId)).toBe("running");
    expect(runner.counts()).toMatchObject({ running: 1, queued: 0 });
  });

  test("what no longer holds right before the start ends the job with that code, and no turn begins", async () => {
    const { backend, start, endOf } = startRunner({ recheck: async () => ({ code: "cwd_not_allowed" }) });
    const { jobId } = await start();
    expect(await endOf(jobId)).toBe("cwd_not_allowed");
    expect(backend.turns).toHaveLength(0);
  });

  test("a recheck that throws ends the job as internal", async () => {
    const { backend, start, endOf } = startRunner({
      recheck: async () => Promise.reject(new Error("broken")),
    });
    const { jobId } = await start();
    expect(await endOf(jobId)).toBe("internal");
    expect(backend.turns).toHaveLength(0);
  });

  test("a job that is cancelled while it is rechecked runs nothing", async () => {
    const recheck = Promise.withResolvers<null>();
    const { runner, backend, start, endOf } = startRunner({ recheck: async () => recheck.promise });
    const { jobId } = await start();
    runner.cancel(jobId, "caller");
    recheck.resolve(null);
    expect(await endOf(jobId)).toBe("cancelled");
    expect(backend.turns.every((turn) => turn.isOver())).toBe(true);
  });

  test("a Codex that dies ends all its jobs as interrupted", async () => {
    const { backend, start, endOf } = startRunner();
    const jobs = [await start(), await start()];
    backend.die();
    for (const { jobId } of jobs) expect(await endOf(jobId)).toBe("interrupted");
  });

  test("with an output schema the answer is parsed, and only then", async () => {
    const { backend, start, job } = startRunner({ maxConcurrent: 9 });
    const answers = ['{"a":1}', "[1]", '"text"', "no JSON", "null"];
    const jobs = [];
    for (const answer of answers) {
      const { jobId } = await start({ outputSchema: { type: "object" } });
      jobs.push(jobId);
      backend.turns.at(-1)?.end({ answer });
    }
    const { jobId: plain } = await start();
    backend.turns.at(-1)?.end({ answer: '{"a":1}' });
    await settle();
    const outputs = await Promise.all(jobs.map(async (jobId) => (await job(jobId)).output));
    expect(outputs).toEqual([{ a: 1 }, null, null, null, null]);
    expect((await job(plain)).output).toBeNull();
  });
});

describe("waiting", () => {
  test("ends at once when the job ends", async () => {
    const { runner, backend, start } = startRunner();
    const { jobId } = await start();
    const waiting = runner.wait(jobId, null, 20_000, never);
    backend.turns[0]?.end();
    await waiting;
    expect((await runner.look(jobId, 0))?.job.state).toBe("completed");
    expect(runner.counts().waitingCallers).toBe(0);
  });

  test("ends at the first event above the cursor", async () => {
    const { runner, backend, start } = startRunner();
    const { jobId } = await start();
    const seen = (await runner.look(jobId, 0))?.events.at(-1)?.id ?? 0;
    const waiting = runner.wait(jobId, seen, 20_000, never);
    await settle();
    expect(runner.counts().waitingCallers).toBe(1);
    backend.turns[0]?.tell({ type: "message", text: "news" });
    await waiting;
    expect((await runner.look(jobId, seen))?.events.map(({ text }) => text)).toEqual(["news"]);
  });

  test("does not begin when such an event is there already", async () => {
    const { runner, start } = startRunner();
    const { jobId } = await start();
    await runner.wait(jobId, 0, 20_000, never);
    expect(runner.counts().waitingCallers).toBe(0);
  });

  test("for the end alone is not ended by events, but by its time", async () => {
    const { runner, backend, clock, start } = startRunner();
    const { jobId } = await start();
    let woken = false;
    const waiting = runner.wait(jobId, null, 1_000, never).then(() => (woken = true));
    backend.turns[0]?.tell({ type: "message", text: "news" });
    await clock.advance(999);
    expect(woken).toBe(false);
    await clock.advance(1);
    await waiting;
    expect(runner.counts().waitingCallers).toBe(0);
  });

  test("for a job that has ended, or that nobody knows, takes no time", async () => {
    const { runner, backend, start } = startRunner();
    const { jobId } = await start();
    backend.turns[0]?.end();
    await settle();
    await runner.wait(jobId, null, 20_000, never);
    await runner.wait("nobody", null, 20_000, never);
    expect(runner.counts().waitingCallers).toBe(0);
  });

  test("a caller who goes away leaves no waiter, no timer, and the job running", async () => {
    const { runner, clock, start, endOf } = startRunner();
    const { jobId } = await start();
    await clock.advance(300);
    const timers = clock.pending();
    const away = new AbortController();
    const waiting = runner.wait(jobId, null, 20_000, away.signal);
    expect(clock.pending()).toBe(timers + 1);
    away.abort();
    await waiting;
    await runner.wait(jobId, null, 20_000, AbortSignal.abort());
    expect(runner.counts().waitingCallers).toBe(0);
    expect(clock.pending()).toBe(timers);
    expect(await endOf(jobId)).toBe("running");
  });

  test("1,000 waiters are all woken, and nothing of them stays", async () => {
    const { runner, backend, clock, start } = startRunner();
    const { jobId } = await start();
    const waiting = Array.from({ length: 1_000 }, async (_, n) =>
      runner.wait(jobId, n % 2 === 0 ? null : 99, 20_000, never),
    );
    expect(runner.counts().waitingCallers).toBe(1_000);
    backend.turns[0]?.end();
    await Promise.all(waiting);
    expect(runner.counts().waitingCallers).toBe(0);
    await clock.advance(300);
    expect(clock.pending()).toBe(0);
  });
});

describe("what is kept", () => {
  test("a running job is kept a few times a second, an ended one at once", async () => {
    const { backend, jobs, clock, start } = startRunner();
    const { jobId } = await start();
    // The thread and the turn are kept at once: by them the answer is found after a crash.
    expect(await jobs.get(jobId)).toMatchObject({ state: "running", threadId: "thread-1" });
    backend.turns[0]?.tell({ type: "command-started", command: "ls" });
    expect((await jobs.get(jobId))?.progress.commands).toBe(0);
    await clock.advance(250);
    expect((await jobs.get(jobId))?.progress).toMatchObject({ commands: 1, phase: "running a command" });
    backend.turns[0]?.end();
    await settle();
    expect((await jobs.get(jobId))?.state).toBe("completed");
    expect((await jobs.events(jobId, 0, 99)).map(({ type }) => type)).toEqual([
      "queued",
      "thread",
      "turn",
      "command",
      "finished",
    ]);
  });

  test("what could not be kept is kept with the next try", async () => {
    const memory = createMemoryJobStore();
    let broken = true;
    const jobs = {
      ...memory,
      save: async (...args: Parameters<typeof memory.save>) =>
        broken ? Promise.reject(new Error("disk full")) : memory.save(...args),
    };
    const { backend, clock, start } = startRunner({ jobs });
    const { jobId } = await start();
    await clock.advance(250);
    broken = false;
    backend.turns[0]?.end();
    await settle();
    expect((await memory.events(jobId, 0, 99)).map(({ id }) => id)).toEqual([1, 2, 3, 4]);
  });

  test("whatever is kept or shown has been redacted", async () => {
    const { backend, clock, runner, start } = startRunner({
      redact: (text) => text.replaceAll("hunter2", "[redacted]"),
    });
    const { jobId } = await start();
    const [turn] = backend.turns;
    turn?.tell({ type: "command-started", command: "echo hunter2" });
    turn?.tell({ type: "changes", changes: [], diff: "+hunter2" });
    await clock.advance(250);
    const early = await runner.look(jobId, 0);
    expect(JSON.stringify(early)).toContain("[redacted]");
    expect(JSON.stringify(early)).not.toContain("hunter2");
    turn?.end({
      answer: "it is hunter2",
      diff: "-hunter2",
      failure: { code: "codex_failed", kind: "other", message: "hunter2", retryable: false },
    });
    await settle();
    const late = await runner.look(jobId, 0);
    expect(late?.job).toMatchObject({ answer: "it is [redacted]", diff: "-[redacted]" });
    expect(JSON.stringify(late)).not.toContain("hunter2");
  });

  test("the story of a very long job is bounded, and its cursor goes on", async () => {
    const { backend, runner, start } = startRunner();
    const { jobId } = await start();
    for (let n = 0; n < 5_000; n += 1) backend.turns[0]?.tell({ type: "message", text: `m${n}` });
    const events = (await runner.look(jobId, 0))?.events ?? [];
    expect(events.length).toBeLessThanOrEqual(2_000);
    expect(events.at(-1)).toMatchObject({ id: 5_003, text: "m4999" });
  });
});

describe("closing", () => {
  test("lets a running turn end within the grace", async () => {
    const { runner, backend, clock, start, endOf } = startRunner();
    const { jobId } = await start();
    const closing = runner.close(2_000);
    await clock.advance(1_999);
    backend.turns[0]?.end();
    await closing;
    expect(await endOf(jobId)).toBe("completed");
  });

  test("ends the rest as interrupted after the grace, and what waits at once", async () => {
    const { runner, clock, start, job, endOf } = startRunner({ maxConcurrent: 1 });
    const running = await start();
    const queued = await start();
    const closing = runner.close(2_000);
    expect(await endOf(queued.jobId)).toBe("interrupted");
    expect(await endOf(running.jobId)).toBe("running");
    await clock.advance(2_000);
    await closing;
    expect(await job(running.jobId)).toMatchObject({ state: "failed", failure: { code: "interrupted" } });
  });

  test("takes no more jobs, but still tells of those that it has", async () => {
    const { runner, start, refusal } = startRunner();
    const call = jobRequest({ requestId: "r" });
    await runner.submit(call);
    await start();
    const closing = runner.close(0);
    expect(await refusal()).toMatchObject({ code: "interrupted" });
    expect(await runner.submit(call)).toMatchObject({ ok: true, value: { deduplicated: true } });
    void closing;
  });

  test("a job that was being accepted when it closed ends as interrupted and runs nothing", async () => {
    const memory = createMemoryJobStore();
    const gate = Promise.withResolvers<void>();
    const jobs = {
      ...memory,
      insert: async (...args: Parameters<typeof memory.insert>) => {
        await gate.promise;
        return memory.insert(...args);
      },
    };
    const { runner, backend, endOf } = startRunner({ jobs });
    const submitting = runner.submit(jobRequest());
    await settle();
    const closing = runner.close(0);
    gate.resolve();
    expect(await submitting).toMatchObject({ ok: true });
    expect(await endOf("job-1")).toBe("interrupted");
    expect(backend.turns).toHaveLength(0);
    await closing;
  });
});
