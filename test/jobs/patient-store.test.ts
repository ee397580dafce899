import { expect, test } from "vitest";
import { createMemoryJobStore } from "../../src/jobs/memory-store.ts";
import { createPatientStore } from "../../src/jobs/patient-store.ts";
import type { JobStore } from "../../src/jobs/store.ts";
import { silentLog } from "../../src/lib/log.ts";
import { jobStoreContract } from "../contract/job-store.ts";
import { finished, jobRecord } from "../support/job-records.ts";
import { createMemoryThreadStore } from "../../src/jobs/memory-store.ts";
import { createFakeClock, settle } from "../support/fake-clock.ts";
import { startRunner } from "./start-runner.ts";

jobStoreContract({
  name: "the patient store around another",
  create: (limits) => ({
    jobs: createPatientStore(createMemoryJobStore(limits), createFakeClock(), silentLog),
    threads: createMemoryThreadStore(limits),
  }),
});

/** A disk that is full whenever the test says so. */
function createFillingStore() {
  const store = createMemoryJobStore();
  const disk = { isFull: false, saves: 0 };
  const refuse = (): void => {
    if (disk.isFull) throw new Error("database or disk is full");
  };
  const jobs: JobStore = {
    ...store,
    async insert(job) {
      refuse();
      return store.insert(job);
    },
    async save(job, events) {
      disk.saves += 1;
      refuse();
      return store.save(job, events);
    },
  };
  const clock = createFakeClock();
  return { disk, store, clock, jobs: createPatientStore(jobs, clock, silentLog) };
}

test("a finished job that cannot be written is answered from memory, by every way of asking", async () => {
  const { disk, jobs } = createFillingStore();
  const job = jobRecord("job", { requestId: "r" });
  await jobs.insert(job);
  await jobs.save(job, [{ id: 1, at: 0, type: "queued", text: "" }]);
  disk.isFull = true;
  await jobs.save(finished(job), [{ id: 2, at: 0, type: "finished", text: "" }]);
  expect(await jobs.get("job")).toEqual(finished(job));
  expect(await jobs.find({ caller: "alice", limit: 1 })).toEqual([finished(job)]);
  expect(await jobs.findByRequest("alice", "r")).toEqual(finished(job));
  expect((await jobs.events("job", 0, 9)).map(({ id }) => id)).toEqual([1, 2]);
  expect(jobs.trouble()).toBe("database or disk is full");
});

test("it is written as soon as there is room, and asked for ever more rarely until then", async () => {
  const { disk, store, clock, jobs } = createFillingStore();
  const job = jobRecord("job");
  await jobs.insert(job);
  disk.isFull = true;
  await jobs.save(finished(job), []);
  await clock.advance(600_000);
  expect(disk.saves).toBeLessThan(20);
  disk.isFull = false;
  await clock.advance(60_000);
  expect(await store.get("job")).toEqual(finished(job));
  expect(jobs.trouble()).toBeNull();
  expect(clock.pending()).toBe(0);
});

test("what is not an end is refused, so that nobody takes it for kept", async () => {
  const { disk, jobs } = createFillingStore();
  disk.isFull = true;
  await expect(jobs.insert(jobRecord("job"))).rejects.toThrow("full");
  await expect(jobs.save(jobRecord("job"), [])).rejects.toThrow("full");
});

test("a job that ends while the disk is full is answered, and kept later", async () => {
  const { disk, store, clock, jobs } = createFillingStore();
  const { backend, start, job } = startRunner({ jobs, clock });
  const { jobId } = await start();
  disk.isFull = true;
  backend.turns[0]?.end({ answer: "not lost" });
  await settle();
  expect(await job(jobId)).toMatchObject({ state: "completed", answer: "not lost" });
  expect((await store.get(jobId))?.state).toBe("running");
  disk.isFull = false;
  await clock.advance(1_000);
  expect(await store.get(jobId)).toMatchObject({ state: "completed", answer: "not lost" });
});
