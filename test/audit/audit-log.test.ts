import { createHash } from "node:crypto";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  appendFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toJobEntry } from "../../src/audit/audit-entry.ts";
import type { AuditLog } from "../../src/audit/audit-log.ts";
import { createMemoryAuditLog } from "../../src/audit/memory-audit-log.ts";
import { verifyLog } from "../../src/audit/verify-log.ts";
import type { JobRecord } from "../../src/jobs/job.ts";
import { systemClock, type Clock } from "../../src/lib/clock.ts";
import { call, filesOf, linesOf, makeDirectory, openLog } from "./audit-samples.ts";

let base = "";
let directory = "";
const open: AuditLog[] = [];

beforeEach(() => {
  base = makeDirectory();
  directory = join(base, "audit");
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((log) => log.close()));
  rmSync(base, { recursive: true, force: true });
});

async function start(more: Parameters<typeof openLog>[1] = {}): Promise<AuditLog> {
  const log = await openLog(directory, more);
  open.push(log);
  return log;
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200 && !holds(); tries++) await sleep(25);
  expect(holds()).toBe(true);
}

/** A clock that can be set, with timers of the real one. */
function settableClock(): Clock & { set: (at: number) => void } {
  let offset = 0;
  return {
    ...systemClock,
    now: () => systemClock.now() + offset,
    set: (at) => {
      offset = at - systemClock.now();
    },
  };
}

const adapters = {
  file: async () => start(),
  memory: async () => createMemoryAuditLog({ redact: (text) => text, prompts: "hash" }, systemClock),
};

describe.each(Object.entries(adapters))("every audit log (%s)", (_name, make) => {
  it("gives a subject its newest calls, newest first, and nobody else's", async () => {
    const log = await make();
    for (let n = 0; n < 30; n++) log.record(call({ requestId: `r${n}` }));
    log.record(call({ requestId: "other", subject: "guest", outcome: "busy" }));
    log.record(call({ requestId: "nobody", subject: null }));
    expect(log.recent("owner", 3).map(({ requestId }) => requestId)).toEqual(["r29", "r28", "r27"]);
    expect(log.recent("owner", 100)).toHaveLength(20);
    expect(log.recent("guest", 5)).toMatchObject([{ tool: "codex_run", outcome: "busy" }]);
    expect(log.recent("stranger", 5)).toEqual([]);
  });

  it("is healthy, flushes at once when idle, and keeps nothing after its end", async () => {
    const log = await make();
    await log.flushed();
    expect(log.health()).toEqual({ ok: true });
    await log.close();
    await log.close();
    log.record(call({ subject: "late" }));
    await log.flushed();
    expect(log.recent("late", 1)).toEqual([]);
  });
});

describe("a line of the audit log", () => {
  it("is one JSON object whose hash anybody can compute again", async () => {
    const log = await start();
    log.record(call());
    log.record(call({ outcome: "secrets_found", jobId: null }));
    await log.flushed();
    const lines = readFileSync(join(directory, "audit.log"), "utf8").trimEnd().split("\n");
    let previous = "0".repeat(64);
    for (const [index, line] of lines.entries()) {
      const { hash, prevHash, seq } = JSON.parse(line) as Record<string, unknown>;
      expect(prevHash).toBe(previous);
      expect(seq).toBe(index + 1);
      const without = line.replace(/,"hash":"[0-9a-f]{64}"\}$/, "}");
      previous = createHash("sha256")
        .update(previous + without)
        .digest("hex");
      expect(hash).toBe(previous);
    }
    expect(lines).toHaveLength(2);
  });

  it("has the shape that docs show", async () => {
    const log = await start();
    log.record(call({ conversation: "c-1", prompt: "Hello" }));
    log.record({ type: "stop" });
    await log.flushed();
    const [line, stop] = linesOf(directory);
    expect(line).toEqual({
      v: 1,
      seq: 1,
      prevHash: "0".repeat(64),
      ts: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      type: "call",
      requestId: "V1StGXR8_Z5jdHi6B-myT",
      subject: "owner",
      via: "static-token",
      tool: "codex_run",
      http: null,
      outcome: "answered",
      project: "app",
      sandbox: "read-only",
      jobId: "job-1",
      threadId: null,
      conversation: createHash("sha256").update("c-1").digest("hex"),
      prompt: { sha256: createHash("sha256").update("Hello").digest("hex"), length: 5 },
      durationMs: 12,
      redactions: 0,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(stop).toMatchObject({ seq: 2, type: "stop", prevHash: line?.["hash"] });
  });

  it("has the prompt's text only where the owner asked for it, and then redacted", async () => {
    const redact = (text: string): string => text.replaceAll("hunter2", "[redacted:password]");
    const log = await start({ prompts: "full", redact });
    const prompt = `the password is hunter2 ${"x".repeat(2000)}`;
    log.record(call({ prompt, http: { method: "POST", path: "/hunter2", status: 404 }, tool: "hunter2" }));
    await log.flushed();
    const text = readFileSync(join(directory, "audit.log"), "utf8");
    expect(text).not.toContain("hunter2");
    expect(linesOf(directory)[0]?.["prompt"]).toEqual({
      sha256: createHash("sha256").update(prompt).digest("hex"),
      length: prompt.length,
      text: `the password is [redacted:password] ${"x".repeat(2000)}`,
    });
  });

  it("lets nothing through when the redactor itself fails", async () => {
    const log = await start({
      prompts: "full",
      redact: () => {
        throw new Error("broken");
      },
    });
    log.record(call({ prompt: "hunter2" }));
    await log.flushed();
    expect(linesOf(directory)[0]).toMatchObject({
      project: "[redacted:error]",
      prompt: { text: "[redacted:error]" },
    });
  });

  it("cannot steer the terminal that shows it, and stays short", async () => {
    const log = await start();
    const path = `/mcp\u001B[2J\u009B31m\u202Eexe\n${"a".repeat(5000)}\uD800`;
    log.record(call({ http: { method: "GET", path, status: 405 } }));
    await log.flushed();
    const { http } = linesOf(directory)[0] as { http: { path: string } };
    expect(http.path).toHaveLength(512);
    expect(http.path.startsWith("/mcp\uFFFD[2J\uFFFD31m\uFFFDexe\uFFFDaaa")).toBe(true);
    expect(await verifyLog(directory)).toMatchObject({ ok: true, lines: 1 });
  });

  it("tells a job's end with counts instead of contents", () => {
    const job: JobRecord = {
      version: 1,
      jobId: "j1",
      tool: "codex_run",
      caller: "owner",
      conversation: null,
      requestId: null,
      fingerprint: "f",
      project: "app",
      sandbox: "workspace-write",
      state: "failed",
      createdAt: 1000,
      startedAt: 1100,
      finishedAt: 3500,
      limitMs: 60_000,
      threadId: "t1",
      turnId: "u1",
      lastMessage: null,
      answer: "never kept",
      answerTruncated: false,
      wantsOutput: false,
      output: null,
      changes: [{ path: "a.ts", kind: "add", additions: 1, deletions: 0 }],
      commandChanges: null,
      diff: "never kept",
      diffTruncated: false,
      usage: { inputTokens: 1, cachedInputTokens: 0, outputTokens: 2, reasoningOutputTokens: 0 },
      progress: { phase: "finished", commands: 3, filesChanged: 1, lastEvent: "never kept" },
      failure: { code: "codex_failed", kind: "other", message: "never kept", retryable: false },
    };
    expect(toJobEntry(job)).toEqual({
      type: "job",
      jobId: "j1",
      subject: "owner",
      tool: "codex_run",
      project: "app",
      sandbox: "workspace-write",
      threadId: "t1",
      state: "failed",
      failure: "codex_failed",
      durationMs: 2500,
      usage: job.usage,
      changedFiles: 1,
      commands: 3,
    });
  });
});

describe("the file of the audit log", () => {
  it("is the owner's alone", async () => {
    mkdirSync(directory, { mode: 0o755 });
    writeFileSync(join(directory, "audit.log"), "", { mode: 0o644 });
    const log = await start();
    log.record(call());
    await log.flushed();
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, "audit.log")).mode & 0o777).toBe(0o600);
  });

  it.each([
    ["a link to a file", () => symlinkSync(join(base, "elsewhere"), join(directory, "audit.log"))],
    ["a link to nothing", () => symlinkSync(join(base, "missing"), join(directory, "audit.log"))],
    ["a hard link", () => linkSync(join(base, "elsewhere"), join(directory, "audit.log"))],
    [
      "a link to a directory",
      () => {
        rmSync(directory, { recursive: true });
        symlinkSync(base, directory);
      },
    ],
    [
      "a file for a directory",
      () => {
        rmSync(directory, { recursive: true });
        writeFileSync(directory, "");
      },
    ],
  ])("is refused where %s lies in its place", async (_name, plant) => {
    mkdirSync(directory);
    writeFileSync(join(base, "elsewhere"), "untouched\n");
    plant();
    await expect(openLog(directory)).rejects.toThrow(/is a link|of its own/);
    expect(readFileSync(join(base, "elsewhere"), "utf8")).toBe("untouched\n");
    expect(existsSync(join(base, "missing"))).toBe(false);
  });

  it("goes on where the last run ended, with its newest calls", async () => {
    const first = await start();
    for (let n = 0; n < 25; n++) first.record(call({ requestId: `r${n}` }));
    first.record({ type: "stop" });
    await first.close();
    const second = await start();
    expect(second.recent("owner", 2).map(({ requestId }) => requestId)).toEqual(["r24", "r23"]);
    second.record({ type: "start", version: "0.1.0", projects: ["app"] });
    await second.flushed();
    expect(linesOf(directory).map(({ seq }) => seq)).toEqual(Array.from({ length: 27 }, (_, n) => n + 1));
    expect(await verifyLog(directory)).toMatchObject({ ok: true, lines: 27, firstSeq: 1, last: { seq: 27 } });
  });

  it("keeps its order when the clock jumps back", async () => {
    const clock = settableClock();
    const log = await start({ clock });
    clock.set(Date.UTC(2030, 0, 1));
    log.record(call());
    clock.set(Date.UTC(2020, 0, 1));
    log.record(call());
    await log.flushed();
    expect(linesOf(directory).map(({ seq, ts }) => [seq, String(ts).slice(0, 4)])).toEqual([
      [1, "2030"],
      [2, "2020"],
    ]);
    expect(await verifyLog(directory)).toMatchObject({ ok: true });
  });

  it("takes a torn last line out and says so", async () => {
    const first = await start();
    first.record(call());
    first.record(call());
    await first.close();
    const path = join(directory, "audit.log");
    truncateSync(path, statSync(path).size - 20);
    expect(await verifyLog(directory)).toMatchObject({
      ok: true,
      lines: 1,
      unfinished: { file: "audit.log", line: 2 },
    });
    const second = await start();
    second.record(call({ requestId: "after" }));
    await second.flushed();
    expect(linesOf(directory)).toMatchObject([
      { seq: 1 },
      { seq: 2, type: "torn", text: expect.stringContaining('{"v":1,"seq":2,') as string },
      { seq: 3, requestId: "after" },
    ]);
    expect(await verifyLog(directory)).toMatchObject({ ok: true, lines: 3, torn: 1, unfinished: null });
  });

  it("only adds the line break to a last line that lacks nothing else", async () => {
    const first = await start();
    first.record(call());
    await first.close();
    const path = join(directory, "audit.log");
    truncateSync(path, statSync(path).size - 1);
    const second = await start();
    second.record(call());
    await second.flushed();
    expect(await verifyLog(directory)).toMatchObject({ ok: true, lines: 2, torn: 0 });
  });

  it("leaves damage where it is, goes on after it, and verify names it", async () => {
    const first = await start();
    for (let n = 0; n < 3; n++) first.record(call());
    await first.close();
    appendFileSync(join(directory, "audit.log"), "not a line\n");
    const second = await start();
    second.record(call());
    await second.flushed();
    expect(second.health()).toEqual({ ok: true });
    expect(await verifyLog(directory)).toMatchObject({
      ok: false,
      file: "audit.log",
      line: 4,
      reason: "unparsable",
      lines: 3,
    });
  });
});

describe("a full audit log", () => {
  it("moves on to a new file, and the chain goes on over both", async () => {
    const log = await start({ maxFileBytes: 2000 });
    for (let n = 0; n < 40; n++) {
      log.record(call());
      await log.flushed();
    }
    const files = filesOf(directory);
    expect(files.length).toBeGreaterThan(5);
    expect(files.at(0)).toMatch(/^audit-0000000000\d\d\.log$/);
    expect(statSync(join(directory, files[0] ?? "")).mode & 0o777).toBe(0o600);
    expect(await verifyLog(directory)).toMatchObject({ ok: true, lines: 40, files: files.length });
    await log.close();
    unlinkSync(join(directory, "audit.log"));
    await start();
  });

  it("goes on after a crash between the old file and the new one", async () => {
    const first = await start();
    first.record(call());
    await first.close();
    renameSync(join(directory, "audit.log"), join(directory, "audit-000000000001.log"));
    const second = await start();
    second.record(call());
    await second.flushed();
    expect(await verifyLog(directory)).toMatchObject({ ok: true, lines: 2, files: 2 });
  });

  it("lets its oldest files go, and still verifies from the first line kept", async () => {
    const log = await start({ maxFileBytes: 2000, keepBytes: 6000 });
    for (let n = 0; n < 60; n++) {
      log.record(call());
      await log.flushed();
    }
    expect(linesOf(directory)[0]?.["seq"]).toBeGreaterThan(10);
    const report = await verifyLog(directory);
    expect(report).toMatchObject({ ok: true });
    expect(report.firstSeq).toBeGreaterThan(10);
    expect(filesOf(directory).length).toBeLessThanOrEqual(6);
    // What nobody pruned is missed.
    unlinkSync(join(directory, filesOf(directory)[0] ?? ""));
    expect(await verifyLog(directory)).toMatchObject({ ok: false, reason: "beginning", line: 1 });
  });

  it("lets files go that are older than the owner keeps them, at a start too", async () => {
    const clock = settableClock();
    const first = await start({ clock, maxFileBytes: 500, keepDays: 30 });
    for (let n = 0; n < 6; n++) {
      first.record(call());
      await first.flushed();
    }
    await first.close();
    expect(filesOf(directory).length).toBeGreaterThan(2);
    clock.set(Date.now() + 31 * 86_400_000);
    const second = await start({ clock, maxFileBytes: 500, keepDays: 30 });
    second.record(call());
    await second.flushed();
    const report = await verifyLog(directory);
    expect(report).toMatchObject({ ok: true });
    expect(report.firstSeq).toBeGreaterThan(1);
  });

  it("moves on after a week, so that retention reaches quiet logs", async () => {
    const clock = settableClock();
    const log = await start({ clock });
    log.record(call());
    await log.flushed();
    clock.set(Date.now() + 8 * 86_400_000);
    log.record(call());
    await log.flushed();
    expect(filesOf(directory)).toHaveLength(2);
    expect(await verifyLog(directory)).toMatchObject({ ok: true, lines: 2 });
  });

  it("keeps writing when something lies where the full file would go", async () => {
    const log = await start({ maxFileBytes: 500 });
    log.record(call());
    await log.flushed();
    mkdirSync(join(directory, "audit-000000000001.log"));
    log.record(call());
    await log.flushed();
    expect(log.health()).toEqual({ ok: true });
    expect(readFileSync(join(directory, "audit.log"), "utf8").trimEnd().split("\n")).toHaveLength(2);
  });
});

describe("an audit log that cannot be written", () => {
  /** The directory is gone and something else is in its place: every write fails, for root too. */
  function takeAway(): void {
    renameSync(directory, `${directory}-away`);
    writeFileSync(directory, "");
  }

  function giveBack(): void {
    unlinkSync(directory);
    renameSync(`${directory}-away`, directory);
  }

  it("says so, never blocks, counts what it lost, and goes on without a gap", async () => {
    const log = await start({ maxWaiting: 10 });
    log.record(call({ requestId: "before" }));
    await log.flushed();
    takeAway();
    for (let n = 0; n < 25; n++) log.record(call({ requestId: `r${n}` }));
    await log.flushed();
    expect(log.health()).toEqual({ ok: false, reason: expect.stringMatching(/cannot be written/) as string });
    expect(JSON.stringify(log.health())).not.toContain(base);
    expect(log.recent("owner", 1)).toMatchObject([{ requestId: "r24" }]);
    giveBack();
    await until(() => log.health().ok);
    log.record(call({ requestId: "after" }));
    await log.flushed();
    const lines = linesOf(directory);
    const kept = lines.flatMap(({ type, requestId }) => (type === "call" ? [requestId] : []));
    expect(kept).toEqual(["before", ...Array.from({ length: 10 }, (_, n) => `r${n}`), "after"]);
    expect(lines.filter(({ type }) => type === "lost")).toMatchObject([{ count: 15 }]);
    expect(await verifyLog(directory)).toMatchObject({ ok: true, lost: 15 });
  });

  it("starts all the same, unhealthy, and is written once the disk is back", async () => {
    writeFileSync(join(base, "state"), "");
    const log = await openLog(join(base, "state", "audit"));
    open.push(log);
    expect(log.health().ok).toBe(false);
    log.record(call());
    unlinkSync(join(base, "state"));
    await until(() => log.health().ok);
    await log.flushed();
    expect(await verifyLog(join(base, "state", "audit"))).toMatchObject({ ok: true, lines: 1 });
  });

  it("ends, whatever the disk does", async () => {
    const log = await openLog(directory);
    takeAway();
    log.record(call());
    await log.close();
    expect(log.health().ok).toBe(false);
    giveBack();
  });

  it("does not write on into a file that another one has replaced", async () => {
    const log = await start();
    log.record(call({ requestId: "first" }));
    await log.flushed();
    renameSync(join(directory, "audit.log"), join(directory, "audit.log.1"));
    writeFileSync(join(directory, "audit.log"), "");
    log.record(call({ requestId: "second" }));
    await log.flushed();
    await until(() => log.health().ok);
    expect(linesOf(directory)).toMatchObject([{ seq: 2, requestId: "second" }]);
  });

  it("does not write on into a file that was taken away", async () => {
    const log = await start();
    log.record(call({ requestId: "first" }));
    await log.flushed();
    unlinkSync(join(directory, "audit.log"));
    log.record(call({ requestId: "second" }));
    await log.flushed();
    await until(() => log.health().ok);
    await log.flushed();
    expect(linesOf(directory)).toMatchObject([{ seq: 2, requestId: "second" }]);
    expect(await verifyLog(directory)).toMatchObject({ ok: false, reason: "beginning" });
  });
});

it("takes a flood of 5,000 lines, all of them", async () => {
  const log = await start();
  for (let n = 0; n < 5000; n++) {
    log.record(call({ prompt: "Explain the module that reads the configuration.", requestId: `r${n}` }));
    if (n % 25 === 24) await sleep(0);
  }
  await until(() => linesOf(directory).length === 5000);
  expect(await verifyLog(directory)).toMatchObject({ ok: true, lines: 5000 });
});
