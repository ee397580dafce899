/** The way of a call through the whole house, as a client sees it. */
import { readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { fail, ok } from "../../src/lib/result.ts";
import type { TurnOutcome } from "../../src/codex/backend.ts";
import type { Failure } from "../../src/policy/failure.ts";
import { startHouse, type House, type HouseOptions } from "./start-house.ts";

const open: House[] = [];
afterEach(async () => {
  for (const started of open.splice(0)) await started.stop();
});
async function house(options: HouseOptions = {}): Promise<House> {
  const started = await startHouse(options);
  open.push(started);
  return started;
}

const usage = { inputTokens: 10, cachedInputTokens: 5, outputTokens: 3, reasoningOutputTokens: 1 };
const FAST = { fastReturnMs: 100 };

test("a turn that may write is refused where .git is a link, in words that help; one that reads is not", async () => {
  const { call, backend, base } = await house({ ceiling: { allowWrite: true }, ...FAST });
  backend.script("", (turn) => turn.end());
  await symlink(base, join(base, "sample", ".git"));
  expect((await call("codex_run", { prompt: "x", sandbox: "workspace-write" })).content).toMatchObject({
    status: "refused",
    error: {
      code: "confinement_unavailable",
      message: expect.stringContaining(".git of the project is a symbolic link"),
    },
  });
  expect((await call("codex_read", { prompt: "x" })).content["status"]).toBe("completed");
});

describe("a call that ends in time", () => {
  test("answers with the whole job, and with the answer as text", async () => {
    const { call, backend } = await house();
    const changes = [{ path: "a.txt", kind: "add", additions: 1, deletions: 0 } as const];
    backend.script("explain", (turn) => turn.end({ answer: "It is simple.", changes, diff: "+x", usage }));
    const { isError, text, content } = await call("codex_read", { prompt: "please explain" });
    expect(isError).toBe(false);
    expect(text).toBe("It is simple.");
    expect(content).toEqual({
      status: "completed",
      nextAction: expect.stringContaining("codex_reply"),
      jobId: "job-1",
      tool: "codex_read",
      project: "sample",
      sandbox: "read-only",
      threadId: "thread-1",
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      finishedAt: expect.stringMatching(/Z$/),
      elapsedMs: expect.any(Number),
      answer: "It is simple.",
      answerTruncated: false,
      output: null,
      changes,
      changesNote: null,
      diff: "+x",
      diffTruncated: false,
      usage,
      progress: expect.objectContaining({ phase: "finished" }),
      error: null,
    });
  });

  test("gives the parsed output where a schema was given", async () => {
    const { call, backend } = await house();
    backend.script("count", (turn) => turn.end({ answer: '{"n":3}' }));
    const outputSchema = { type: "object", properties: { n: { type: "number" } } };
    expect((await call("codex_read", { prompt: "count", outputSchema })).content["output"]).toEqual({ n: 3 });
    expect(backend.turns[0]?.request.outputSchema).toEqual(outputSchema);
  });

  test("without a word of answer says the job itself as text", async () => {
    const { call, backend } = await house();
    backend.script("quiet", (turn) => turn.end({ answer: null }));
    const { text, content } = await call("codex_read", { prompt: "quiet" });
    expect(JSON.parse(text)).toEqual(content);
  });

  test.each<{ failure: Failure; status: string }>([
    {
      failure: { code: "codex_failed", kind: "other", message: "no luck", retryable: true },
      status: "failed",
    },
    { failure: { code: "interrupted", reason: "The Codex process ended." }, status: "failed" },
    { failure: { code: "timeout", limitMs: 600_000, what: "model" }, status: "failed" },
  ])("badly ($failure.code) is an ordinary result with its error", async ({ failure, status }) => {
    const { call, backend } = await house();
    backend.script("try", (turn) => turn.end({ answer: "half", failure }));
    const { isError, text, content } = await call("codex_read", { prompt: "try" });
    expect(isError).toBe(false);
    expect(content).toMatchObject({
      status,
      answer: "half",
      threadId: "thread-1",
      error: { code: failure.code },
    });
    expect(JSON.parse(text)).toEqual(content);
  });

  test("of which a caller hears 24 KiB says that it was cut", async () => {
    const { call, backend } = await house();
    backend.script("long", (turn) => turn.end({ answer: "x".repeat(30_000) }));
    const { content, text } = await call("codex_read", { prompt: "long" });
    expect(content).toMatchObject({ answerTruncated: true });
    expect(text).toHaveLength(24 * 1024);
  });
});

describe("a call that takes longer", () => {
  test("answers running, and codex_job_status brings the end", async () => {
    const { call, backend } = await house(FAST);
    const { isError, text, content } = await call("codex_read", { prompt: "slow" });
    expect(isError).toBe(false);
    expect(content).toMatchObject({ status: "running", jobId: "job-1", answer: null, finishedAt: null });
    expect(content["nextAction"]).toContain("codex_job_status");
    expect(JSON.parse(text)).toEqual(content);
    const waiting = call("codex_job_status", { jobId: "job-1" });
    backend.turns[0]?.end({ answer: "there" });
    expect(await waiting).toMatchObject({ text: "there", content: { status: "completed", answer: "there" } });
  });

  test("behind others answers queued", async () => {
    const { call } = await house({ ...FAST, maxConcurrent: 1 });
    await call("codex_read", { prompt: "one" });
    expect((await call("codex_read", { prompt: "two" })).content).toMatchObject({
      status: "queued",
      threadId: null,
    });
  });

  test("is not ended by a caller who goes away", async () => {
    const { call, clientOf, backend } = await house();
    const away = new AbortController();
    const client = await clientOf("alice");
    const leaving = client.callTool(
      { name: "codex_read", arguments: { prompt: "slow" } },
      { signal: away.signal },
    );
    const turn = await backend.turn(0);
    away.abort();
    await expect(leaving).rejects.toThrow(/abort/i);
    expect(turn.isOver()).toBe(false);
    turn.end({ answer: "kept" });
    expect((await call("codex_job_status")).content).toMatchObject({ status: "completed", answer: "kept" });
  });

  test("may be limited by the caller, never beyond the owner", async () => {
    const { call } = await house({ jobMs: 2_000 });
    const { content } = await call("codex_read", { prompt: "slow", timeoutMs: 1_000 });
    expect(content).toMatchObject({ status: "failed", error: { code: "timeout" } });
    expect((await call("codex_read", { prompt: "slow", timeoutMs: 2_001 })).content).toMatchObject({
      status: "refused",
      error: { code: "invalid_argument", message: expect.stringContaining("timeoutMs") },
    });
  });
});

describe("watching a job", () => {
  test("gives its events, and with a cursor only what is new, at once", async () => {
    const { call, backend } = await house(FAST);
    await call("codex_read", { prompt: "slow" });
    const first = (await call("codex_job_status", { jobId: "job-1", waitMs: 0 })).content;
    expect((first["events"] as { type: string }[]).map(({ type }) => type)).toEqual([
      "queued",
      "thread",
      "turn",
    ]);
    expect(first["nextCursor"]).toBe("3");
    const watching = call("codex_job_status", { jobId: "job-1", cursor: "3" });
    backend.turns[0]?.tell({ type: "command-started", command: "npm test" });
    const next = (await watching).content;
    expect(next["events"]).toMatchObject([{ id: 4, type: "command", text: "Runs: npm test" }]);
    expect(next).toMatchObject({ status: "running", nextCursor: "4", progress: { commands: 1 } });
    const quiet = (await call("codex_job_status", { jobId: "job-1", cursor: "4", waitMs: 0 })).content;
    expect(quiet).toMatchObject({ events: [], nextCursor: "4" });
  });

  test("for longer than a call may take is shortened, not refused", async () => {
    const { call } = await house(FAST);
    await call("codex_read", { prompt: "slow" });
    expect((await call("codex_job_status", { jobId: "job-1", waitMs: 3_600_000 })).content["status"]).toBe(
      "running",
    );
  });

  test("without an id finds the newest of the conversation, else of the caller, and lists recent ones", async () => {
    const { call, backend } = await house();
    backend.script("", (turn) => turn.end());
    await call("codex_read", { prompt: "a" }, { conversation: "one" });
    await call("codex_read", { prompt: "b" }, { conversation: "two" });
    await call("codex_read", { prompt: "c" });
    const newest = async (conversation?: string) =>
      (await call("codex_job_status", {}, conversation === undefined ? {} : { conversation })).content;
    expect((await newest("one"))["jobId"]).toBe("job-1");
    expect((await newest("two"))["jobId"]).toBe("job-2");
    expect((await newest("three"))["jobId"]).toBe("job-3");
    const { jobId, recentJobs } = await newest();
    expect(jobId).toBe("job-3");
    expect((recentJobs as { jobId: string }[]).map((job) => job.jobId)).toEqual(["job-3", "job-2", "job-1"]);
    expect((await call("codex_job_status", { jobId: "job-1" })).content["recentJobs"]).toBeUndefined();
  });

  test("of nothing is refused", async () => {
    const { call } = await house();
    expect((await call("codex_job_status")).content).toMatchObject({ error: { code: "unknown_job" } });
  });
});

describe("cancelling", () => {
  test("ends a running job, and is fine a second time", async () => {
    const { call } = await house(FAST);
    await call("codex_read", { prompt: "slow" });
    const { isError, content } = await call("codex_job_cancel", { jobId: "job-1" });
    expect(isError).toBe(false);
    expect(content).toMatchObject({ status: "cancelled", error: { code: "cancelled" } });
    expect((await call("codex_job_cancel", { jobId: "job-1" })).content).toEqual(content);
  });

  test("leaves a job that has ended as it is", async () => {
    const { call, backend } = await house();
    backend.script("", (turn) => turn.end({ answer: "done" }));
    await call("codex_read", { prompt: "quick" });
    expect((await call("codex_job_cancel", { jobId: "job-1" })).content).toMatchObject({
      status: "completed",
    });
  });
});

describe("the same call again", () => {
  test("finds the job that runs, and says so", async () => {
    const { call, backend } = await house(FAST);
    await call("codex_run", { prompt: "slow" });
    expect((await call("codex_run", { prompt: "slow" })).content).toMatchObject({
      jobId: "job-1",
      deduplicated: true,
    });
    expect((await call("codex_read", { prompt: "slow" })).content).toMatchObject({ jobId: "job-2" });
    expect((await call("codex_run", { prompt: "slow" }, { conversation: "x" })).content).toMatchObject({
      jobId: "job-3",
    });
    expect(backend.turns).toHaveLength(3);
  });

  test("with a request id is the same job also after its end, whatever changed since", async () => {
    const { call, backend, base } = await house();
    backend.script("", (turn) => turn.end({ answer: "once" }));
    const args = { prompt: "quick", requestId: "r-1" };
    await call("codex_read", args);
    await writeFile(join(base, "sample", ".env"), "API_TOKEN=sk-live-0123456789abcdef0123456789abcdef\n");
    expect((await call("codex_read", args)).content).toMatchObject({
      jobId: "job-1",
      status: "completed",
      answer: "once",
      deduplicated: true,
    });
    expect((await call("codex_read", { ...args, prompt: "other" })).content).toMatchObject({
      status: "refused",
      error: { code: "invalid_argument", message: expect.stringContaining("requestId") },
    });
    expect(backend.turns).toHaveLength(1);
  });

  test("is the same whatever order the keys of its schema come in, at any depth", async () => {
    const { call, backend } = await house(FAST);
    const schema = (text: string) => ({ prompt: "slow", outputSchema: JSON.parse(text) as unknown });
    const inner = '{"type":"object","anyOf":[{"type":"number","minimum":1}]}';
    await call("codex_read", schema(`{"type":"object","properties":{"a":${inner},"b":{}},"required":["a"]}`));
    const turned = '{"anyOf":[{"minimum":1,"type":"number"}],"type":"object"}';
    const again = await call(
      "codex_read",
      schema(`{"required":["a"],"properties":{"b":{},"a":${turned}},"type":"object"}`),
    );
    expect(again.content).toMatchObject({ jobId: "job-1", deduplicated: true });
    const other = await call(
      "codex_read",
      schema(`{"type":"object","properties":{"a":${inner},"b":{}},"required":["b"]}`),
    );
    expect(other.content).toMatchObject({ jobId: "job-2" });
    expect(backend.turns).toHaveLength(2);
  });

  test("of a reply comes before thread_busy", async () => {
    const { call, backend } = await house(FAST);
    backend.script("first", (turn) => turn.end());
    await call("codex_read", { prompt: "first" });
    const reply = { threadId: "thread-1", prompt: "slow" };
    await call("codex_reply", reply);
    expect((await call("codex_reply", reply)).content).toMatchObject({ jobId: "job-2", deduplicated: true });
    expect((await call("codex_reply", { ...reply, prompt: "another" })).content).toMatchObject({
      status: "refused",
      error: { code: "thread_busy", retryable: true },
    });
  });
});

describe("a reply", () => {
  test("goes on in the thread, with the directory and sandbox that it had", async () => {
    const { call, backend } = await house({ ceiling: { allowWrite: true } });
    backend.script("", (turn) => turn.end());
    await call("codex_run", { prompt: "first", cwd: "sub", sandbox: "workspace-write", effort: "low" });
    const { content } = await call("codex_reply", { threadId: "thread-1", prompt: "second" });
    expect(content).toMatchObject({
      status: "completed",
      tool: "codex_reply",
      sandbox: "workspace-write",
      threadId: "thread-1",
    });
    const request = backend.turns[1]?.request;
    expect(request?.thread).toEqual({ kind: "resume", threadId: "thread-1" });
    expect(request?.grant.cwd.path).toMatch(/\/sample\/sub$/);
    expect(request?.grant.effort).toBe("low");
  });

  test("with fork works on a branch", async () => {
    const { call, backend } = await house();
    backend.script("", (turn) => turn.end());
    await call("codex_read", { prompt: "first" });
    const { content } = await call("codex_reply", { threadId: "thread-1", prompt: "second", fork: true });
    expect(content["threadId"]).toBe("thread-2");
    expect((await call("codex_reply", { threadId: "thread-2", prompt: "third" })).content["status"]).toBe(
      "completed",
    );
  });

  test("to a thread that could write is refused once writing is no longer allowed", async () => {
    const { call, backend, room } = await house({ ceiling: { allowWrite: true } });
    backend.script("", (turn) => turn.end());
    await call("codex_run", { prompt: "first", sandbox: "workspace-write" });
    Object.assign(room.ceiling, { allowWrite: false });
    expect((await call("codex_reply", { threadId: "thread-1", prompt: "second" })).content).toMatchObject({
      error: { code: "sandbox_not_allowed" },
    });
  });
});

describe("another caller", () => {
  test("sees no job, no thread and no call of this one", async () => {
    const { call, backend } = await house(FAST);
    const bob = { caller: "bob" };
    await call("codex_read", { prompt: "slow", requestId: "r" }, { conversation: "shared" });
    const codeOf = async (name: string, args: object) =>
      (await call(name, { ...args }, { ...bob, conversation: "shared" })).content["error"];
    expect(await codeOf("codex_job_status", { jobId: "job-1" })).toMatchObject({ code: "unknown_job" });
    expect(await codeOf("codex_job_status", {})).toMatchObject({ code: "unknown_job" });
    expect(await codeOf("codex_job_cancel", { jobId: "job-1" })).toMatchObject({ code: "unknown_job" });
    expect(await codeOf("codex_reply", { threadId: "thread-1", prompt: "x" })).toMatchObject({
      code: "unknown_thread",
    });
    expect(backend.turns[0]?.isOver()).toBe(false);
    const same = { prompt: "slow", requestId: "r" };
    expect((await call("codex_read", same, { ...bob, conversation: "shared" })).content).toMatchObject({
      jobId: "job-2",
    });
    const calls = (await call("bridge_status", {}, bob)).content["recentCalls"] as unknown[];
    expect(calls).toHaveLength(5);
  });

  test("hears of a job that is not his exactly what he hears of one that never was", async () => {
    const { call } = await house(FAST);
    await call("codex_read", { prompt: "slow" });
    const of = async (jobId: string) => {
      const { content, isError } = await call("codex_job_status", { jobId }, { caller: "bob" });
      return { ...content, ref: "", isError };
    };
    expect(await of("job-1")).toEqual(await of("job-99"));
  });
});

describe("what is refused", () => {
  const secret = "API_TOKEN=sk-live-0123456789abcdef0123456789abcdef\n";

  test("is an error with its code, its reference and a next step, in the shape of the tool's answer", async () => {
    const { call, logLines } = await house();
    const { isError, text, content } = await call("codex_read", { prompt: "x", cwd: "../.." });
    expect(isError).toBe(true);
    expect(content).toEqual({
      status: "refused",
      error: { code: "cwd_not_allowed", message: expect.any(String), retryable: false },
      ref: expect.stringMatching(/^[\w-]{21}$/),
      nextAction: expect.any(String),
    });
    expect(JSON.parse(text)).toEqual(content);
    expect(JSON.stringify(logLines)).toContain(content["ref"]);
  });

  test.each<{
    name: string;
    tool?: string;
    args?: object;
    options?: HouseOptions;
    files?: Record<string, string>;
    code: string;
  }>([
    { name: "a directory outside", args: { cwd: "/etc" }, code: "cwd_not_allowed" },
    { name: "a directory that is missing", args: { cwd: "nowhere" }, code: "cwd_not_allowed" },
    { name: "a way upwards", args: { cwd: "sub/../../.." }, code: "cwd_not_allowed" },
    { name: "a link out", args: { cwd: "link-out" }, code: "cwd_not_allowed" },
    { name: "a project that is not there", args: { project: "other" }, code: "unknown_project" },
    {
      name: "no project of two",
      options: { projects: [{ name: "a" }, { name: "b" }] },
      code: "cwd_required",
    },
    { name: "writing", tool: "codex_run", args: { sandbox: "workspace-write" }, code: "sandbox_not_allowed" },
    {
      name: "writing in a project that is excepted",
      tool: "codex_run",
      args: { sandbox: "workspace-write" },
      options: { ceiling: { allowWrite: true }, projects: [{ name: "sample", write: false }] },
      code: "sandbox_not_allowed",
    },
    { name: "a model", args: { model: "expensive" }, code: "model_not_allowed" },
    { name: "a secret", files: { ".env": secret }, code: "secrets_found" },
    {
      name: "a secret, from a directory beside it",
      args: { cwd: "sub" },
      files: { ".env": secret },
      code: "secrets_found",
    },
    { name: "a machine that is not proven", options: { proven: false }, code: "confinement_unavailable" },
    { name: "a thread that never was", tool: "codex_reply", args: { threadId: "t" }, code: "unknown_thread" },
  ])("$name: $code", async ({ tool = "codex_read", args, options, files = {}, code }) => {
    const { call, backend, base } = await house(options);
    for (const [name, text] of Object.entries(files)) await writeFile(join(base, "sample", name), text);
    if (options === undefined) await symlink("/etc", join(base, "sample", "link-out"));
    const { isError, content } = await call(tool, { prompt: "x", ...args });
    expect({ isError, ...content }).toMatchObject({ isError: true, status: "refused", error: { code } });
    expect(JSON.stringify(content)).not.toContain(base);
    expect(JSON.stringify(content)).not.toContain("sk-live");
    expect(backend.turns).toHaveLength(0);
  });

  test("codex_read never writes, whatever is allowed and asked", async () => {
    const { call, backend } = await house({
      ceiling: { allowWrite: true, defaultSandbox: "workspace-write" },
    });
    backend.script("", (turn) => turn.end());
    await call("codex_read", { prompt: "x" });
    expect(backend.turns[0]?.request.grant.sandbox).toBe("read-only");
    expect((await call("codex_read", { prompt: "x", sandbox: "workspace-write" })).content).toMatchObject({
      error: { code: "invalid_argument" },
    });
    await call("codex_run", { prompt: "x" });
    expect(backend.turns[1]?.request.grant.sandbox).toBe("workspace-write");
  });

  test("a full house is busy", async () => {
    const { call } = await house({ ...FAST, maxConcurrent: 1, maxQueue: 0 });
    await call("codex_read", { prompt: "one" });
    expect((await call("codex_read", { prompt: "two" })).content).toMatchObject({
      error: { code: "busy", retryable: true },
    });
  });

  test("a machine without Codex explains itself, and works once Codex is there", async () => {
    const { call, becomeInstalled, backend, room } = await house();
    becomeInstalled(fail({ code: "codex_not_found" }));
    expect((await call("codex_read", { prompt: "x" })).content).toMatchObject({
      error: { code: "codex_not_found" },
    });
    expect((await call("bridge_status")).content).toMatchObject({
      status: "not_ready",
      error: { code: "codex_not_found" },
    });
    becomeInstalled(
      ok({ command: "/opt/codex", version: "0.169.0", programDirectories: [], hasMcpServer: false }),
    );
    backend.script("", (turn) => turn.end());
    expect((await call("codex_read", { prompt: "x" })).content["status"]).toBe("completed");
    expect(room.codex.status().facts).not.toBeNull();
  });

  test("a bug in the bridge is a refusal without its words", async () => {
    const { call, logLines } = await house({
      room: {
        toolsFingerprint: () => {
          throw new Error("secret detail");
        },
      },
    });
    const { isError, content } = await call("bridge_status");
    expect({ isError, ...content }).toMatchObject({
      isError: true,
      status: "refused",
      error: { code: "internal" },
    });
    expect(JSON.stringify(content)).not.toContain("secret detail");
    expect(logLines.some(({ message }) => message === "a tool failed")).toBe(true);
  });
});

describe("arguments", () => {
  test.each<{ tool: string; args: Record<string, unknown>; argument: string }>([
    { tool: "codex_read", args: {}, argument: "prompt" },
    { tool: "codex_read", args: { prompt: "" }, argument: "prompt" },
    { tool: "codex_read", args: { prompt: " \n\t" }, argument: "prompt" },
    { tool: "codex_read", args: { prompt: 5 }, argument: "prompt" },
    { tool: "codex_read", args: { prompt: "x".repeat(65_537) }, argument: "prompt" },
    { tool: "codex_read", args: { prompt: "x", approvalPolicy: "never" }, argument: "approvalPolicy" },
    { tool: "codex_read", args: { prompt: "x", config: {} }, argument: "config" },
    { tool: "codex_read", args: { prompt: "x", effort: "High!" }, argument: "effort" },
    { tool: "codex_read", args: { prompt: "x", cwd: "" }, argument: "cwd" },
    { tool: "codex_read", args: { prompt: "x", timeoutMs: 999 }, argument: "timeoutMs" },
    { tool: "codex_read", args: { prompt: "x", timeoutMs: 1_000.5 }, argument: "timeoutMs" },
    { tool: "codex_read", args: { prompt: "x", requestId: "" }, argument: "requestId" },
    { tool: "codex_read", args: { prompt: "x", requestId: "r".repeat(129) }, argument: "requestId" },
    { tool: "codex_read", args: { prompt: "x", outputSchema: { type: "array" } }, argument: "outputSchema" },
    {
      tool: "codex_read",
      args: { prompt: "x", outputSchema: { type: "object", x: "y".repeat(17_000) } },
      argument: "outputSchema",
    },
    { tool: "codex_run", args: { prompt: "x", sandbox: "danger-full-access" }, argument: "sandbox" },
    { tool: "codex_reply", args: { prompt: "x" }, argument: "threadId" },
    { tool: "codex_job_status", args: { cursor: "-1" }, argument: "cursor" },
    { tool: "codex_job_status", args: { cursor: 3 }, argument: "cursor" },
    { tool: "codex_job_status", args: { waitMs: -1 }, argument: "waitMs" },
    { tool: "codex_job_cancel", args: {}, argument: "jobId" },
    { tool: "bridge_status", args: { verbose: true }, argument: "verbose" },
  ])("$tool with a wrong $argument is told which", async ({ tool, args, argument }) => {
    const { call, backend } = await house();
    const { isError, content } = await call(tool, args);
    expect(isError).toBe(true);
    expect(content).toMatchObject({
      status: "refused",
      error: { code: "invalid_argument", message: expect.stringContaining(`"${argument}"`) },
    });
    expect(backend.turns).toHaveLength(0);
  });

  test.each([1, 65_536])("a prompt of %d characters is fine", async (length) => {
    const { call, backend } = await house();
    backend.script("", (turn) => turn.end());
    expect((await call("codex_read", { prompt: "p".repeat(length) })).isError).toBe(false);
  });

  test("a value is never repeated in the refusal", async () => {
    const { call } = await house();
    const { text } = await call("codex_read", { prompt: "x", effort: "hunter2-is-my-password" });
    expect(text).not.toContain("hunter2");
  });

  test("a tool that does not exist is a protocol error, and noted", async () => {
    const { call, clientOf } = await house();
    const client = await clientOf("alice");
    await expect(client.callTool({ name: "codex_shell", arguments: {} })).rejects.toThrow(
      "There is no such tool.",
    );
    expect((await call("bridge_status")).content["recentCalls"]).toMatchObject([
      { tool: "unknown", outcome: "unknown_tool" },
    ]);
  });
});

describe("bridge_status", () => {
  test("says what there is and what is allowed, without whole paths", async () => {
    const { call, backend, base } = await house({
      projects: [{ name: "app" }, { name: "site", write: true, model: "m" }],
    });
    backend.script("", (turn) => turn.end());
    await call("codex_read", { prompt: "x", project: "app" });
    await call("codex_read", { prompt: "x", project: "app", model: "other" });
    const { content } = await call("bridge_status");
    expect(content).toMatchObject({
      status: "ready",
      version: "1.2.3",
      allowedRoots: [
        { name: "app", path: "~/app" },
        { name: "site", path: "~/site" },
      ],
      projects: [
        { name: "app", write: false },
        { name: "site", write: true, model: "m" },
      ],
      defaultCwd: null,
      defaultSandbox: "read-only",
      allowWorkspaceWrite: true,
      allowDangerFullAccess: false,
      defaultApprovalPolicy: "never",
      auth: "token",
      backend: "app-server",
      codexVersion: "0.169.0",
      codexLoggedIn: true,
      confinement: { state: "proven" },
      secrets: "refuse",
      trackedSessions: 1,
      trackedJobs: 1,
      recentCalls: [
        { tool: "codex_read", outcome: "model_not_allowed" },
        { tool: "codex_read", outcome: "answered" },
      ],
    });
    expect(JSON.stringify(content)).not.toContain(base);
  });

  test.each([
    { home: (base: string) => base, path: "~/sample" },
    { home: (base: string) => `${base}/sample`, path: "~" },
    { home: (base: string) => `${base}/elsewhere`, path: "sample" },
    { home: (base: string) => `${base}/sam`, path: "sample" },
    { home: () => null, path: "sample" },
  ])("shows a root as $path", async ({ home, path }) => {
    const started = await house();
    Object.assign(started.room, { home: home(started.base) });
    const { content } = await started.call("bridge_status");
    expect(content).toMatchObject({ allowedRoots: [{ name: "sample", path }], defaultCwd: path });
  });

  test("does not wait for Codex", async () => {
    const { call } = await house();
    expect((await call("bridge_status")).content).toMatchObject({
      status: "not_ready",
      codexVersion: null,
      error: null,
    });
  });
});

test("whatever leaves has passed the redaction", async () => {
  const { call, backend } = await house({ redact: (text) => text.replaceAll("hunter2", "[redacted]") });
  backend.script("leak", (turn) => {
    turn.tell({ type: "message", text: "hunter2" });
    const outcome: Partial<TurnOutcome> = {
      answer: "hunter2",
      diff: "+hunter2",
      failure: { code: "codex_failed", kind: "other", message: "hunter2", retryable: false },
    };
    turn.end(outcome);
  });
  const { text } = await call("codex_read", { prompt: "leak" });
  expect(text).toContain("[redacted]");
  expect(text).not.toContain("hunter2");
  expect((await call("codex_job_status", { waitMs: 0 })).text).not.toContain("hunter2");
});

test("the project's own instructions go along with a turn, those below its working directory too", async () => {
  const { call, backend, base } = await house();
  backend.script("", (turn) => turn.end());
  await writeFile(join(base, "sample", "AGENTS.md"), "Be kind.");
  await writeFile(join(base, "sample", "sub", "AGENTS.md"), "Be brief.");
  await call("codex_read", { prompt: "x", cwd: "sub" });
  expect(backend.turns[0]?.request.projectInstructions).toContain("Be kind.\n\nBe brief.");
  expect(await readFile(join(base, "sample", "AGENTS.md"), "utf8")).toBe("Be kind.");
});
