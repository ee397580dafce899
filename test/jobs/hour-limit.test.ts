import { expect, test } from "vitest";
import { settle } from "../support/fake-clock.ts";
import { jobRequest, startRunner } from "./start-runner.ts";

const limited = { jobsPerHour: 3, maxConcurrent: 50 };

test("above the jobs of an hour a caller is told when to come again, and others are not touched", async () => {
  const { clock, start, refusal } = startRunner(limited);
  await start();
  await clock.advance(600_000);
  await start();
  await start();
  expect(await refusal()).toEqual({ code: "rate_limited", retryAfterMs: 3_000_000 });
  expect(await refusal({ caller: "bob" })).toBeNull();
  await clock.advance(3_000_000);
  expect(await refusal()).toBeNull();
});

test("of many calls in one moment no more are taken", async () => {
  const { runner } = startRunner(limited);
  const results = await Promise.all(Array.from({ length: 20 }, async () => runner.submit(jobRequest())));
  expect(results.filter(({ ok }) => ok)).toHaveLength(3);
});

test("the same call again costs nothing", async () => {
  const { runner, refusal } = startRunner(limited);
  const call = jobRequest({ requestId: "r" });
  for (let n = 0; n < 9; n += 1) expect((await runner.submit(call)).ok).toBe(true);
  await settle();
  expect(await refusal()).toBeNull();
});

test("a refused call does not count", async () => {
  const { runner, start, refusal } = startRunner({ jobsPerHour: 3, maxConcurrent: 1, maxQueue: 0 });
  const { jobId } = await start();
  for (let n = 0; n < 5; n += 1) expect(await refusal()).toMatchObject({ code: "busy" });
  runner.cancel(jobId, "caller");
  await settle();
  expect(await refusal()).toBeNull();
});

test("a clock that is put back locks nobody out for longer than an hour", async () => {
  const { clock, refusal, jobs, start } = startRunner(limited);
  for (let n = 0; n < 3; n += 1) await start();
  const job = (await jobs.find({ caller: "alice", limit: 1 }))[0];
  expect(job?.createdAt).toBe(clock.now());
  const yesterday = { ...clock, now: () => clock.now() - 86_400_000 };
  const back = startRunner({ ...limited, jobs, clock: yesterday, newId: () => "of yesterday" });
  expect(await back.refusal()).toBeNull();
  expect(await refusal()).toMatchObject({ code: "rate_limited", retryAfterMs: 3_600_000 });
});
