/** What every JobStore and ThreadStore promises (src/jobs/store.ts), as one suite. */
import { beforeEach, describe, expect, test } from "vitest";
import type { JobEvent, JobRecord, ThreadRecord } from "../../src/jobs/job.ts";
import type { JobStore, ThreadStore } from "../../src/jobs/store.ts";
import { BORN, finished, jobRecord } from "../support/job-records.ts";

export interface StoreLimits {
  readonly maxFinishedJobs: number;
  readonly maxFinishedBytes: number;
  readonly maxThreads: number;
}

export interface StoresToCheck {
  readonly jobs: JobStore;
  readonly threads: ThreadStore;
}

export interface StoresUnderTest {
  readonly name: string;
  /** Fresh and empty; limits that are not given are out of the way. */
  readonly create: (limits?: Partial<StoreLimits>) => StoresToCheck | Promise<StoresToCheck>;
}

function event(id: number, text = `event ${id}`): JobEvent {
  return { id, at: BORN + id, type: "message", text };
}

/** Every field away from its first value. */
const fullJob = finished(
  jobRecord("full", {
    tool: "codex_run",
    conversation: "conversation",
    requestId: "request",
    sandbox: "workspace-write",
    startedAt: BORN + 10,
    threadId: "thread",
    turnId: "turn",
    wantsOutput: true,
  }),
  {
    state: "failed",
    answer: "half an answer \u{1F600} \"quoted\" 'and' \\ back",
    answerTruncated: true,
    output: { deep: [1, null, { x: "ü" }] },
    changes: [{ path: "a b/ü.txt", kind: "update", additions: null, deletions: 3 }],
    diff: "--- a\n+++ b\n",
    diffTruncated: true,
    usage: { inputTokens: 1, cachedInputTokens: 2, outputTokens: 3, reasoningOutputTokens: 4 },
    progress: { phase: "finished", commands: 5, filesChanged: 6, lastEvent: "last" },
    failure: { code: "codex_failed", kind: "other", message: "no", retryable: true },
  },
);

export function jobStoreContract(subject: StoresUnderTest): void {
  describe(`what ${subject.name} promises`, () => {
    let jobs: JobStore;
    let threads: ThreadStore;
    beforeEach(async () => {
      ({ jobs, threads } = await subject.create());
    });

    async function put(job: JobRecord, events: readonly JobEvent[] = []): Promise<void> {
      await jobs.insert(job);
      await jobs.save(job, events);
    }

    test("a job comes back as it was inserted", async () => {
      expect(await jobs.insert(fullJob)).toEqual({ ok: true, value: fullJob });
      expect(await jobs.get("full")).toEqual(fullJob);
      expect(await jobs.count()).toBe(1);
    });

    test("a job, a thread and events that are not there are null and nothing, not errors", async () => {
      expect(await jobs.get("nobody")).toBeNull();
      expect(await jobs.findByRequest("alice", "nothing")).toBeNull();
      expect(await jobs.find({ caller: "alice", limit: 5 })).toEqual([]);
      expect(await jobs.events("nobody", 0, 10)).toEqual([]);
      expect(await threads.get("nobody")).toBeNull();
      expect(await jobs.count()).toBe(0);
      expect(await threads.count()).toBe(0);
    });

    test("a second job under one request id is not inserted, and the first is given back", async () => {
      const first = jobRecord("first", { requestId: "r" });
      await jobs.insert(first);
      expect(await jobs.insert(jobRecord("second", { requestId: "r" }))).toEqual({
        ok: false,
        failure: { twin: first },
      });
      expect(await jobs.get("second")).toBeNull();
      expect(await jobs.count()).toBe(1);
    });

    test("of many inserts at once under one request id, exactly one is kept", async () => {
      const results = await Promise.all(
        Array.from({ length: 50 }, async (_, n) => jobs.insert(jobRecord(`job-${n}`, { requestId: "r" }))),
      );
      const kept = results.filter((result) => result.ok);
      expect(kept).toHaveLength(1);
      const winner = await jobs.findByRequest("alice", "r");
      const twins = results.flatMap((result) => (result.ok ? [] : [result.failure.twin]));
      expect(twins).toEqual(Array.from({ length: 49 }, () => winner));
    });

    test("a request id belongs to its caller, and no id is no twin", async () => {
      await jobs.insert(jobRecord("hers", { requestId: "r" }));
      expect((await jobs.insert(jobRecord("his", { caller: "bob", requestId: "r" }))).ok).toBe(true);
      expect((await jobs.insert(jobRecord("none-1"))).ok).toBe(true);
      expect((await jobs.insert(jobRecord("none-2"))).ok).toBe(true);
      expect((await jobs.findByRequest("alice", "r"))?.jobId).toBe("hers");
      expect((await jobs.findByRequest("bob", "r"))?.jobId).toBe("his");
    });

    test("a caller and a request id cannot be told together as another pair", async () => {
      await jobs.insert(jobRecord("one", { caller: 'a","b', requestId: "c" }));
      expect(await jobs.findByRequest("a", 'b","c')).toBeNull();
      expect((await jobs.insert(jobRecord("two", { caller: "a", requestId: 'b","c' }))).ok).toBe(true);
    });

    test("the twin is given as it is now, also after its end", async () => {
      const job = jobRecord("job", { requestId: "r" });
      await put(job);
      await jobs.save(finished(job), []);
      expect(await jobs.insert(jobRecord("again", { requestId: "r" }))).toEqual({
        ok: false,
        failure: { twin: finished(job) },
      });
      expect(await jobs.findByRequest("alice", "r")).toEqual(finished(job));
    });

    test("saving replaces the record and appends events in order", async () => {
      const job = jobRecord("job");
      await put(job, [event(1)]);
      await jobs.save({ ...job, state: "running" }, [event(2), event(3)]);
      expect(await jobs.get("job")).toEqual({ ...job, state: "running" });
      expect(await jobs.events("job", 0, 10)).toEqual([event(1), event(2), event(3)]);
    });

    test("the same event id twice is written once, as it was first", async () => {
      const job = jobRecord("job");
      await put(job, [event(1), event(2)]);
      await jobs.save(job, [event(1, "changed"), event(2, "changed"), event(3)]);
      await jobs.save(job, [event(3, "changed")]);
      expect(await jobs.events("job", 0, 10)).toEqual([event(1), event(2), event(3)]);
    });

    test("events are read after a cursor and up to a limit, oldest first", async () => {
      await put(
        jobRecord("job"),
        [1, 2, 3, 4, 5].map((id) => event(id)),
      );
      await put(jobRecord("other"), [event(9)]);
      expect((await jobs.events("job", 2, 2)).map(({ id }) => id)).toEqual([3, 4]);
      expect(await jobs.events("job", 5, 10)).toEqual([]);
    });

    test("jobs are found newest first, of one caller, up to a limit", async () => {
      for (let n = 1; n <= 5; n += 1) await put(jobRecord(`job-${n}`, { createdAt: BORN + n }));
      await put(jobRecord("not-hers", { caller: "bob", createdAt: BORN + 9 }));
      const found = await jobs.find({ caller: "alice", limit: 3 });
      expect(found.map(({ jobId }) => jobId)).toEqual(["job-5", "job-4", "job-3"]);
    });

    test("a job that changed later is not newer", async () => {
      const old = jobRecord("old");
      await put(old);
      await put(jobRecord("new", { createdAt: BORN + 1 }));
      await jobs.save(finished(old), []);
      expect((await jobs.find({ caller: "alice", limit: 1 }))[0]?.jobId).toBe("new");
    });

    test("jobs are found by conversation, within one caller", async () => {
      await put(jobRecord("a", { conversation: "one" }));
      await put(jobRecord("b", { conversation: "two", createdAt: BORN + 1 }));
      await put(jobRecord("c", { createdAt: BORN + 2 }));
      await put(jobRecord("d", { caller: "bob", conversation: "one", createdAt: BORN + 3 }));
      const found = await jobs.find({ caller: "alice", conversation: "one", limit: 9 });
      expect(found.map(({ jobId }) => jobId)).toEqual(["a"]);
    });

    test("of two jobs of one moment, and of a clock that was put back, the later one is the newer", async () => {
      for (const [jobId, createdAt] of [
        ["first", BORN],
        ["second", BORN],
        ["third", BORN - 86_400_000],
      ] as const)
        await put(jobRecord(jobId, { createdAt }));
      const found = await jobs.find({ caller: "alice", limit: 3 });
      expect(found.map(({ jobId }) => jobId)).toEqual(["third", "second", "first"]);
    });

    test("jobs that have not ended are known, oldest first, until they end", async () => {
      for (const jobId of ["a", "b", "c"]) await put(jobRecord(jobId));
      await jobs.save(finished(jobRecord("b")), []);
      await jobs.save({ ...jobRecord("c"), state: "running" }, []);
      const unfinished = await jobs.unfinished();
      expect(unfinished.map(({ jobId, state }) => `${jobId} ${state}`)).toEqual(["a queued", "c running"]);
    });

    test("the jobs that a caller started within a span are counted, with the first of them", async () => {
      for (let n = 1; n <= 5; n += 1) await put(jobRecord(`job-${n}`, { createdAt: BORN + n }));
      await put(jobRecord("not-hers", { caller: "bob", createdAt: BORN + 3 }));
      expect(await jobs.countStarted("alice", BORN + 2, BORN + 4)).toEqual({ count: 2, firstAt: BORN + 3 });
      expect(await jobs.countStarted("alice", BORN + 9, BORN + 99)).toEqual({ count: 0, firstAt: null });
    });

    describe("retention", () => {
      test("takes the oldest finished jobs above the count, with their events and request ids", async () => {
        ({ jobs, threads } = await subject.create({ maxFinishedJobs: 3 }));
        for (let n = 1; n <= 5; n += 1) {
          const job = jobRecord(`job-${n}`, { createdAt: BORN + n, requestId: `r-${n}` });
          await put(job);
          await jobs.save(finished(job), [event(1)]);
        }
        const kept = (await jobs.find({ caller: "alice", limit: 9 })).map(({ jobId }) => jobId);
        expect(kept).toEqual(["job-5", "job-4", "job-3"]);
        expect(await jobs.get("job-1")).toBeNull();
        expect(await jobs.events("job-1", 0, 9)).toEqual([]);
        expect(await jobs.findByRequest("alice", "r-1")).toBeNull();
        expect((await jobs.insert(jobRecord("again", { requestId: "r-1" }))).ok).toBe(true);
        expect((await jobs.insert(jobRecord("twin", { requestId: "r-5" }))).ok).toBe(false);
      });

      test("takes the oldest finished jobs above the bytes, and never the newest", async () => {
        ({ jobs, threads } = await subject.create({ maxFinishedBytes: 200_000 }));
        for (let n = 1; n <= 30; n += 1) {
          const job = jobRecord(`job-${n}`, { createdAt: BORN + n });
          await put(job);
          await jobs.save(finished(job, { answer: "x".repeat(20_000) }), []);
        }
        const kept = (await jobs.find({ caller: "alice", limit: 99 })).map(({ jobId }) => jobId);
        expect(kept[0]).toBe("job-30");
        expect(kept.length).toBeGreaterThan(1);
        expect(kept.length).toBeLessThan(15);
      });

      test("never takes a job that has not ended", async () => {
        ({ jobs, threads } = await subject.create({ maxFinishedJobs: 1, maxFinishedBytes: 10_000 }));
        for (let n = 1; n <= 5; n += 1) await put(jobRecord(`live-${n}`));
        for (let n = 1; n <= 5; n += 1) {
          const job = jobRecord(`job-${n}`);
          await put(job);
          await jobs.save(finished(job), []);
        }
        expect(await jobs.count()).toBe(6);
        for (let n = 1; n <= 5; n += 1) expect(await jobs.get(`live-${n}`)).not.toBeNull();
      });

      test("a job that is saved twice at its end counts once", async () => {
        ({ jobs, threads } = await subject.create({ maxFinishedJobs: 2 }));
        const first = jobRecord("first");
        const second = jobRecord("second", { createdAt: BORN + 1 });
        await put(first);
        await put(second);
        for (let n = 1; n <= 3; n += 1) await jobs.save(finished(first), [event(n)]);
        await jobs.save(finished(second), []);
        expect(await jobs.get("first")).not.toBeNull();
        expect(await jobs.get("second")).not.toBeNull();
      });

      test("the end of a finished job's story stays", async () => {
        const job = jobRecord("job");
        await put(
          job,
          Array.from({ length: 500 }, (_, n) => event(n + 1)),
        );
        await jobs.save(finished(job), [event(501)]);
        expect((await jobs.events("job", 490, 99)).map(({ id }) => id)).toEqual([
          491, 492, 493, 494, 495, 496, 497, 498, 499, 500, 501,
        ]);
      });
    });

    describe("threads", () => {
      const thread: ThreadRecord = {
        version: 1,
        threadId: "thread",
        caller: "alice",
        project: "sample",
        cwd: "packages/ü",
        sandbox: "workspace-write",
        model: null,
        effort: "high",
        createdAt: BORN,
        usedAt: BORN,
      };

      test("come back as they were saved; saving again replaces", async () => {
        await threads.save(thread);
        expect(await threads.get("thread")).toEqual(thread);
        const used = { ...thread, sandbox: "read-only" as const, usedAt: BORN + 5 };
        await threads.save(used);
        expect(await threads.get("thread")).toEqual(used);
        expect(await threads.count()).toBe(1);
      });

      test("above the limit the one unused for longest goes", async () => {
        ({ jobs, threads } = await subject.create({ maxThreads: 2 }));
        await threads.save({ ...thread, threadId: "a", usedAt: BORN });
        await threads.save({ ...thread, threadId: "b", usedAt: BORN + 1 });
        await threads.save({ ...thread, threadId: "a", usedAt: BORN + 2 });
        await threads.save({ ...thread, threadId: "c", usedAt: BORN + 3 });
        expect(await threads.count()).toBe(2);
        expect(await threads.get("b")).toBeNull();
        expect(await threads.get("a")).not.toBeNull();
      });
    });
  });
}
