/** A runner with everything around it real or scripted, and a clock that the test moves. */
import type { JobRequest } from "../../src/jobs/job-request.ts";
import type { JobRecord } from "../../src/jobs/job.ts";
import { createMemoryJobStore, createMemoryThreadStore } from "../../src/jobs/memory-store.ts";
import { createRunner, type RunnerParts } from "../../src/jobs/runner.ts";
import { silentLog } from "../../src/lib/log.ts";
import type { Failure, FailureCode } from "../../src/policy/failure.ts";
import type { GrantTerms } from "../../src/policy/grant.ts";
import { createFakeClock, settle } from "../support/fake-clock.ts";
import { grantForTest } from "../support/grant.ts";
import { createScriptedBackend } from "../support/scripted-backend.ts";

const place = { path: "/srv/sample", device: "1", inode: "2" };
export const terms: GrantTerms = {
  project: "sample",
  root: place,
  cwd: place,
  sandbox: "read-only",
  approvalPolicy: "never",
  network: false,
  mcpServers: [],
  model: null,
  effort: null,
  deniedPaths: [],
  deniedPatterns: [],
  heldDirectories: [],
};

/** A call that differs from every other one, unless the fields say otherwise. */
export function jobRequest(fields: Partial<JobRequest> = {}): JobRequest {
  calls += 1;
  return {
    tool: "codex_read",
    caller: "alice",
    conversation: null,
    requestId: null,
    fingerprint: `fingerprint-${calls}`,
    grant: grantForTest(terms),
    cwd: "",
    thread: { kind: "new" },
    prompt: "work",
    outputSchema: null,
    projectInstructions: null,
    limitMs: 60_000,
    ...fields,
  };
}
let calls = 0;

export function startRunner(parts: Partial<RunnerParts> = {}) {
  const clock = createFakeClock();
  const backend = createScriptedBackend();
  const jobs = parts.jobs ?? createMemoryJobStore();
  const threads = parts.threads ?? createMemoryThreadStore();
  let ids = 0;
  const runner = createRunner({
    backend,
    clock,
    log: silentLog,
    maxConcurrent: 2,
    maxQueue: 2,
    jobsPerHour: 0,
    newId: () => `job-${(ids += 1)}`,
    redact: (text) => text,
    onEnd() {},
    recheck: async () => null,
    rootOf: () => "/srv/sample",
    async lookFirst() {},
    ...parts,
    jobs,
    threads,
  });

  /** The job that `submit` gave; throws where it was refused. */
  async function start(fields: Partial<JobRequest> = {}): Promise<JobRecord> {
    const submitted = await runner.submit(jobRequest(fields));
    if (!submitted.ok) throw new Error(submitted.failure.code);
    await settle();
    return submitted.value.job;
  }

  async function refusal(fields: Partial<JobRequest> = {}): Promise<Failure | null> {
    const submitted = await runner.submit(jobRequest(fields));
    return submitted.ok ? null : submitted.failure;
  }

  async function job(jobId: string): Promise<JobRecord> {
    const found = await runner.look(jobId, 0);
    if (found === null) throw new Error(`no job ${jobId}`);
    return found.job;
  }

  /** `completed`, or the code of the failure; the state where it has not ended. */
  async function endOf(jobId: string): Promise<FailureCode | JobRecord["state"]> {
    await settle();
    const { failure, state } = await job(jobId);
    return failure?.code ?? state;
  }

  async function events(jobId: string): Promise<string[]> {
    return ((await runner.look(jobId, 0))?.events ?? []).map(({ type }) => type);
  }

  return { runner, clock, backend, jobs, threads, start, refusal, job, endOf, events };
}

export const never = new AbortController().signal;
