import { describe, expect, test } from "vitest";
import type { CallEntry, JobEntry } from "../../src/audit/audit-entry.ts";
import { createMemoryAuditLog } from "../../src/audit/memory-audit-log.ts";
import type { MetricFacts } from "../../src/metrics/exposition.ts";
import { createMeter } from "../../src/metrics/meter.ts";
import type { ScanVerdict } from "../../src/policy/decide.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { parsePrometheus } from "../support/prometheus-text.ts";

const facts: MetricFacts = {
  version: "1.2.3",
  codexVersion: "0.169.0",
  backend: "app-server",
  isReady: true,
  confinementIsProven: false,
  auditIsWritten: true,
  storageIsWritten: false,
  jobs: { running: 2, queued: 1, waitingCallers: 3 },
  limits: { running: 4, queued: 16 },
  redactions: 7,
  spendUsd: {},
};

/** Words that a caller chose, and that no number may carry. */
const FOREIGN = [
  "/home/me/secret-project",
  "please fix",
  "thread-1",
  "job-1",
  "req-1",
  "v1/chat",
  "my-project",
];

const call: CallEntry = {
  type: "call",
  requestId: "req-1",
  subject: "owner",
  via: "static-token",
  tool: "codex_read",
  http: null,
  outcome: "answered",
  project: "my-project",
  sandbox: "read-only",
  jobId: "job-1",
  threadId: "thread-1",
  conversation: "v1/chat",
  prompt: "please fix /home/me/secret-project",
  durationMs: 120,
  redactions: 0,
};

const job: JobEntry = {
  type: "job",
  jobId: "job-1",
  subject: "owner",
  tool: "codex_read",
  project: "my-project",
  sandbox: "read-only",
  threadId: "thread-1",
  state: "completed",
  failure: null,
  durationMs: 42_000,
  usage: { inputTokens: 100, cachedInputTokens: 60, outputTokens: 20, reasoningOutputTokens: 5 },
  changedFiles: 0,
  commands: 1,
};

function setUp() {
  const clock = createFakeClock();
  const meter = createMeter(clock);
  const audit = meter.audit(createMemoryAuditLog({ redact: (text) => text, prompts: "hash" }, clock));
  const read = async (given: Partial<MetricFacts> = {}) =>
    parsePrometheus(await meter.text({ ...facts, ...given }));
  return { clock, meter, audit, read };
}

describe("what is on record is counted", () => {
  test("calls by tool and outcome, refusals by their code", async () => {
    const { audit, read } = setUp();
    audit.record(call);
    audit.record(call);
    audit.record({ ...call, outcome: "secrets_found" });
    audit.record({ ...call, tool: null, outcome: "unknown_tool" });
    const metrics = await read();
    expect(metrics.values("codex_gpt_bridge_calls_total")).toEqual({
      "outcome=answered,tool=codex_read": 2,
      "outcome=secrets_found,tool=codex_read": 1,
      "outcome=unknown_tool,tool=unknown": 1,
    });
  });

  test("requests that were no tool call, apart from those", async () => {
    const { audit, read } = setUp();
    const http = { method: "POST", path: "/mcp", status: 401 };
    audit.record({ ...call, tool: null, http, outcome: "wrong_credential" });
    audit.record({ ...call, tool: null, http: { ...http, status: 200 } });
    const metrics = await read();
    expect(metrics.values("codex_gpt_bridge_requests_total")).toEqual({
      "outcome=answered": 1,
      "outcome=wrong_credential": 1,
    });
    expect(metrics.values("codex_gpt_bridge_calls_total")).toEqual({});
  });

  test("ended jobs by state and failure, with their tokens", async () => {
    const { audit, read } = setUp();
    audit.record(job);
    audit.record({ ...job, state: "failed", failure: "codex_failed", usage: null });
    const metrics = await read();
    expect(metrics.values("codex_gpt_bridge_jobs_ended_total")).toEqual({
      "code=none,state=completed,tool=codex_read": 1,
      "code=codex_failed,state=failed,tool=codex_read": 1,
    });
    expect(metrics.values("codex_gpt_bridge_tokens_total")).toEqual({
      "kind=input": 100,
      "kind=cached_input": 60,
      "kind=output": 20,
      "kind=reasoning_output": 5,
    });
  });

  test("durations as buckets that add up", async () => {
    const { audit, read } = setUp();
    for (const durationMs of [0, 5, 6, 120, 30_000, 30_001]) audit.record({ ...call, durationMs });
    const metrics = await read();
    const buckets = metrics.values("codex_gpt_bridge_call_duration_seconds_bucket");
    const upTo = (le: string): number | undefined => buckets[`le=${le},tool=codex_read`];
    expect([
      upTo("0.005"),
      upTo("0.01"),
      upTo("0.1"),
      upTo("0.25"),
      upTo("20"),
      upTo("30"),
      upTo("+Inf"),
    ]).toEqual([2, 3, 3, 4, 4, 5, 6]);
    expect(metrics.values("codex_gpt_bridge_call_duration_seconds_count")).toEqual({ "tool=codex_read": 6 });
    expect(metrics.values("codex_gpt_bridge_call_duration_seconds_sum")).toEqual({
      "tool=codex_read": 60.132,
    });
  });

  test("the looks for secrets, with what came of them and how long they took", async () => {
    const { clock, meter, read } = setUp();
    const verdicts: ScanVerdict[] = [
      { kind: "clean" },
      { kind: "clean" },
      { kind: "incomplete", reason: "late" },
    ];
    const workspace = meter.workspace({
      name: "kept as it is",
      async scan(root: string): Promise<ScanVerdict> {
        await clock.advance(200);
        return verdicts.shift() ?? { kind: "incomplete", reason: root };
      },
    });
    expect(await workspace.scan("/a")).toEqual({ kind: "clean" });
    await workspace.scan("/a");
    await workspace.scan("/a");
    expect(workspace.name).toBe("kept as it is");
    const metrics = await read();
    expect(metrics.values("codex_gpt_bridge_scans_total")).toEqual({
      "verdict=clean": 2,
      "verdict=incomplete": 1,
    });
    expect(metrics.values("codex_gpt_bridge_scan_duration_seconds_sum")).toEqual({ "": 0.6 });
  });

  test("Codex processes that were started", async () => {
    const { meter, read } = setUp();
    const noted: number[] = [];
    const children = meter.children({
      note: async (pid: number, _exited: Promise<unknown>) => {
        noted.push(pid);
      },
    });
    await children.note(11, Promise.resolve());
    await children.note(12, Promise.resolve());
    expect(noted).toEqual([11, 12]);
    expect((await read()).values("codex_gpt_bridge_codex_starts_total")).toEqual({ "": 2 });
  });
});

test("what holds now is asked anew each time", async () => {
  const { read } = setUp();
  const before = await read();
  expect(before.values("codex_gpt_bridge_jobs")).toEqual({ "state=running": 2, "state=queued": 1 });
  expect(before.values("codex_gpt_bridge_jobs_limit")).toEqual({ "state=running": 4, "state=queued": 16 });
  expect(before.values("codex_gpt_bridge_waiting_callers")).toEqual({ "": 3 });
  expect(before.values("codex_gpt_bridge_ready")).toEqual({ "": 1 });
  expect(before.values("codex_gpt_bridge_confinement_proven")).toEqual({ "": 0 });
  expect(before.values("codex_gpt_bridge_storage_writable")).toEqual({ "": 0 });
  expect(before.values("codex_gpt_bridge_redactions_total")).toEqual({ "": 7 });
  expect(before.values("codex_gpt_bridge_info")).toEqual({
    "backend=app-server,codex=0.169.0,version=1.2.3": 1,
  });
  const after = await read({
    codexVersion: "0.170.0",
    isReady: false,
    redactions: 9,
    spendUsd: { "gpt-x": 1.5 },
  });
  expect(after.values("codex_gpt_bridge_info")).toEqual({
    "backend=app-server,codex=0.170.0,version=1.2.3": 1,
  });
  expect(after.values("codex_gpt_bridge_ready")).toEqual({ "": 0 });
  expect(after.values("codex_gpt_bridge_redactions_total")).toEqual({ "": 9 });
  expect(after.values("codex_gpt_bridge_ask_chatgpt_usd")).toEqual({ "model=gpt-x": 1.5 });
});

test("nothing that a caller chose is in the text, and every metric has a help line and a type", async () => {
  const { audit, meter } = setUp();
  audit.record(call);
  audit.record(job);
  const text = await meter.text(facts);
  for (const word of FOREIGN) expect(text).not.toContain(word);
  const { helps, types, names } = parsePrometheus(text);
  expect(names.size).toBeGreaterThan(15);
  for (const name of names) {
    expect(helps, name).toContain(name);
    expect(types, name).toContain(name);
  }
});
