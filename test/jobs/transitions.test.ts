import { describe, expect, test } from "vitest";
import { isFinal, type JobRecord } from "../../src/jobs/job.ts";
import { createMemoryJobStore } from "../../src/jobs/memory-store.ts";
import {
  endJob,
  MAX_ANSWER_BYTES,
  MAX_DIFF_BYTES,
  noteChanges,
  noteProgress,
  noteThread,
  noteUsage,
  startJob,
  type Ending,
} from "../../src/jobs/transitions.ts";
import type { Failure } from "../../src/policy/failure.ts";
import { jobRecord } from "../support/job-records.ts";
import { settle } from "../support/fake-clock.ts";
import { createSeededRandom, type SeededRandom } from "../support/seeded-random.ts";
import { startRunner } from "./start-runner.ts";

const usage = { inputTokens: 1, cachedInputTokens: 0, outputTokens: 1, reasoningOutputTokens: 0 };
const ending: Ending = {
  answer: "done",
  changes: [],
  commandChanges: null,
  diff: null,
  usage: null,
  failure: null,
};
const failures: (Failure | null)[] = [
  null,
  { code: "cancelled", by: "caller" },
  { code: "timeout", limitMs: 1, what: "job" },
  { code: "interrupted", reason: "gone" },
  { code: "internal" },
];

const steps: ((job: JobRecord, random: SeededRandom) => JobRecord)[] = [
  (job, random) => startJob(job, random.below(1_000)),
  (job, random) => noteThread(job, `thread-${random.below(3)}`),
  (job, random) => noteProgress(job, { ...job.progress, commands: random.below(9) }),
  (job) => noteUsage(job, usage),
  (job, random) => noteChanges(job, [], random.pick([null, "+a"])),
  (job, random) => endJob(job, { ...ending, failure: random.pick(failures) }, random.below(1_000)),
];

const ALLOWED: Record<string, readonly string[]> = {
  queued: ["queued", "running", "completed", "failed", "cancelled"],
  running: ["running", "completed", "failed", "cancelled"],
};

test("any steps in any order lead to one final state, and a final record never changes", () => {
  for (let seed = 1; seed <= 2_000; seed += 1) {
    const random = createSeededRandom(seed);
    let job = jobRecord("job");
    for (let step = 0; step < 12; step += 1) {
      const before = job;
      job = random.pick(steps)(job, random);
      const isAllowed = isFinal(before.state) ? job === before : ALLOWED[before.state]?.includes(job.state);
      expect(isAllowed, `seed ${seed}: ${before.state} to ${job.state}`).toBe(true);
      expect(isFinal(job.state), `seed ${seed}`).toBe(job.finishedAt !== null);
    }
    job = endJob(job, ending, 1);
    expect(isFinal(job.state)).toBe(true);
  }
});

test("whatever happens around a runner, every job ends once and stays as it ended", async () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = createSeededRandom(seed);
    const memory = createMemoryJobStore();
    const ended = new Map<string, string>();
    const jobs = {
      ...memory,
      save: async (...[job, events]: Parameters<typeof memory.save>) => {
        const record = JSON.stringify(job);
        const wasEnded = ended.get(job.jobId) ?? record;
        expect(wasEnded, `seed ${seed}`).toBe(record);
        if (isFinal(job.state)) ended.set(job.jobId, record);
        await memory.save(job, events);
      },
    };
    const { runner, backend, clock, refusal } = startRunner({ jobs, maxConcurrent: 3, maxQueue: 5 });
    if (random.below(4) === 0) backend.ignoreAborts();
    const someTurn = () => random.pick([...backend.turns, undefined]);
    const deeds = [
      async () => refusal({ limitMs: 1 + random.below(2_000) }),
      async () => refusal({ thread: { kind: "resume", threadId: `thread-${1 + random.below(4)}` } }),
      async () => runner.cancel(`job-${1 + random.below(10)}`, "caller"),
      async () => someTurn()?.tell({ type: "message", text: "m" }),
      async () => someTurn()?.end(),
      async () => someTurn()?.end({ failure: { code: "interrupted", reason: "gone" } }),
      async () => backend.throwOnce(new Error("bug")),
      async () => clock.advance(random.below(500)),
      async () => random.below(10) === 0 && backend.die(),
    ];
    for (let step = 0; step < 40; step += 1) await random.pick(deeds)();
    const closing = runner.close(100);
    await clock.advance(100);
    for (const turn of backend.turns)
      turn.end({ answer: null, failure: { code: "interrupted", reason: "x" } });
    await closing;
    await settle();
    const all = await memory.find({ caller: "alice", limit: 999 });
    expect(all.length, `seed ${seed}`).toBe(ended.size);
    for (const job of all) expect(isFinal(job.state), `seed ${seed}`).toBe(true);
    expect(runner.counts(), `seed ${seed}`).toEqual({ running: 0, queued: 0, waitingCallers: 0 });
  }
});

describe("an ended job", () => {
  const running = startJob(jobRecord("job"), 1);

  test.each([
    { failure: null, state: "completed" },
    { failure: { code: "cancelled", by: "owner" } as const, state: "cancelled" },
    { failure: { code: "timeout", limitMs: 1, what: "job" } as const, state: "failed" },
    { failure: { code: "interrupted", reason: "x" } as const, state: "failed" },
    { failure: { code: "internal" } as const, state: "failed" },
  ])("with $failure.code is $state", ({ failure, state }) => {
    expect(endJob(running, { ...ending, failure }, 5)).toMatchObject({ state, finishedAt: 5, failure });
  });

  test("keeps at most 24 KiB of the answer and of the diff, and says so", () => {
    const job = endJob(running, { ...ending, answer: "ü".repeat(13_000), diff: "d".repeat(25_000) }, 5);
    expect(Buffer.byteLength(job.answer ?? "")).toBe(MAX_ANSWER_BYTES);
    expect(Buffer.byteLength(job.diff ?? "")).toBe(MAX_DIFF_BYTES);
    expect(job).toMatchObject({ answerTruncated: true, diffTruncated: true });
    expect(endJob(running, { ...ending, answer: "a".repeat(MAX_ANSWER_BYTES) }, 5).answerTruncated).toBe(
      false,
    );
  });

  test("parses the whole answer, not what is kept of it", () => {
    const answer = JSON.stringify({ text: "x".repeat(30_000) });
    const job = endJob({ ...running, wantsOutput: true }, { ...ending, answer }, 5);
    expect(job.answerTruncated).toBe(true);
    expect(job.output).toEqual(JSON.parse(answer));
  });

  test("keeps at most 500 changed files, counts all, and says so", () => {
    const changes = Array.from({ length: 501 }, (_, n) => ({
      path: `${n}`,
      kind: "add" as const,
      additions: 1,
      deletions: 0,
    }));
    const job = endJob(running, { ...ending, changes }, 5);
    expect(job.changes).toHaveLength(500);
    expect(job.diffTruncated).toBe(true);
    expect(job.progress.filesChanged).toBe(501);
  });

  test("keeps the tokens that were counted on the way where the end tells none", () => {
    expect(endJob(noteUsage(running, usage), ending, 5).usage).toEqual(usage);
  });
});
