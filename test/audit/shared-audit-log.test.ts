import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AskEntry } from "../../src/audit/audit-entry.ts";
import { newestLines } from "../../src/audit/log-end.ts";
import { createSharedAuditLog } from "../../src/audit/shared-audit-log.ts";
import { verifyLog } from "../../src/audit/verify-log.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog, type Log } from "../../src/lib/log.ts";

let base = "";
let directory = "";

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "codex-gpt-bridge-shared-"));
  directory = join(base, "audit", "chatgpt");
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

const entry: AskEntry = {
  type: "ask",
  tool: "ask_chatgpt",
  outcome: "completed",
  model: "m",
  effort: null,
  background: false,
  responseId: "resp_1",
  requestId: "req_1",
  prompt: "a prompt",
  files: 0,
  usage: null,
  costUsd: 0.5,
  durationMs: 5,
  redactions: 0,
};

function open(log: Log = silentLog) {
  const rules = {
    redact: (text: string) => text.replaceAll("secret", "[redacted:value]"),
    prompts: "hash" as const,
  };
  return createSharedAuditLog({ directory, ...rules, clock: systemClock, log, keepDays: 30, keepBytes: 1e9 });
}

test("several writers in one process and in others make one chain without a gap", async () => {
  const module = new URL("../../src/audit/shared-audit-log.ts", import.meta.url).href;
  const clock = new URL("../../src/lib/clock.ts", import.meta.url).href;
  const script = `
    const { createSharedAuditLog } = await import(${JSON.stringify(module)});
    const { systemClock } = await import(${JSON.stringify(clock)});
    const log = { debug() {}, info() {}, warn() {}, error(fields) { throw fields.err; } };
    const record = createSharedAuditLog({ directory: ${JSON.stringify(directory)}, redact: (t) => t, prompts: "hash", clock: systemClock, log, keepDays: 30, keepBytes: 1e9 });
    setInterval(() => {}, 1000);
    for (let n = 0; n < 20; n++) await record(${JSON.stringify(entry)});
    process.exit(0);`;
  const children = Array.from({ length: 3 }, () =>
    spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "ignore", "inherit"],
    }),
  );
  const ended = Promise.all(children.map(async (child) => once(child, "close")));
  const [one, two] = [open(), open()];
  for (let n = 0; n < 20; n++) await Promise.all([one(entry), two(entry)]);
  for (const [code] of await ended) expect(code).toBe(0);
  expect(await verifyLog(directory)).toMatchObject({ ok: true, lines: 100, firstSeq: 1, torn: 0 });
});

test("a line passes the redactor, and of a prompt it keeps hash and length", async () => {
  await open()({ ...entry, model: "secret", prompt: "a secret" });
  const [newest] = await newestLines(directory, 1);
  expect(newest?.line.entry).toMatchObject({ model: "[redacted:value]", prompt: { length: 8 } });
  expect(newest?.text).not.toContain("secret");
});

test("what cannot be kept is told to the owner, and never thrown at the caller", async () => {
  mkdirSync(join(base, "elsewhere"));
  mkdirSync(join(base, "audit"));
  symlinkSync(join(base, "elsewhere"), directory);
  const told: string[] = [];
  await open({ ...silentLog, error: (_fields, message) => told.push(message) })(entry);
  expect(told).toEqual(["an audit line could not be kept"]);
});
