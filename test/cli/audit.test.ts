import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../src/cli/audit.ts";
import { call, openLog } from "../audit/audit-samples.ts";
import { createFakeTerminal } from "./fake-terminal.ts";

let base = "";
let log = "";

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "cli-audit-")));
  log = join(base, "state", "audit", "audit.log");
});

afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

async function audit(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const environment = { HOME: base, CODEX_GPT_BRIDGE_STATE_DIR: join(base, "state") };
  const terminal = createFakeTerminal(environment, base);
  const code = await run(terminal, argv);
  return { code, out: terminal.out(), err: terminal.err() };
}

async function write(): Promise<void> {
  const made = await openLog(join(base, "state", "audit"));
  made.record({ type: "start", version: "0.1.0", projects: ["app"] });
  made.record(call({ outcome: "confinement_unavailable", durationMs: 123_456 }));
  const http = { method: "GET", path: `/mcp/${"long".repeat(40)}`, status: 405 };
  made.record(call({ tool: null, http, outcome: "method_not_allowed", subject: null }));
  made.record(call({ tool: null, outcome: "unknown_tool", durationMs: 1 }));
  made.record({
    type: "job",
    jobId: "job-1",
    subject: "owner",
    tool: "codex_run",
    project: "app",
    sandbox: "read-only",
    threadId: null,
    state: "completed",
    failure: null,
    durationMs: 1_200_000,
    usage: null,
    changedFiles: 0,
    commands: 1,
  });
  await made.close();
}

describe("codex-gpt-bridge audit tail", () => {
  it("shows the newest calls and jobs in a table that fits 80 columns", async () => {
    await write();
    const { code, out } = await audit("tail");
    expect(code).toBe(0);
    const rows = out.trimEnd().split("\n");
    expect(rows.map((row) => row.slice(15))).toEqual([
      "what             outcome            took   reference",
      "start            0.1.0",
      "codex_run        confinement_unava… 123s   V1StGXR8_Z5jdHi6B-myT",
      "GET /mcp/longlo… method_not_allowed 12ms   V1StGXR8_Z5jdHi6B-myT",
      "unknown tool     unknown_tool       1ms    V1StGXR8_Z5jdHi6B-myT",
      "end of codex_run completed          20min  job-1",
    ]);
    expect(rows[1]).toMatch(/^\d\d-\d\d \d\d:\d\d:\d\d start/);
    expect(Math.max(...rows.map((row) => row.length))).toBeLessThan(80);
  });

  it("gives as many lines as asked for, and as JSON the lines as they are kept", async () => {
    await write();
    expect((await audit("tail", "-n", "2")).out.trimEnd().split("\n")).toHaveLength(3);
    expect((await audit("tail", "-n", "2", "--json")).out).toBe(
      `${readFileSync(log, "utf8").split("\n").slice(3, 5).join("\n")}\n`,
    );
  });

  it("is fine where there is no log yet", async () => {
    expect(await audit("tail")).toEqual({ code: 0, out: "There is no audit log yet.\n", err: "" });
    expect(await audit("tail", "--json")).toEqual({ code: 0, out: "", err: "" });
  });
});

describe("codex-gpt-bridge audit verify", () => {
  it("says that all is in order, and where the chain ends", async () => {
    await write();
    const { code, out } = await audit("verify");
    expect(code).toBe(0);
    expect(out).toMatch(/^5 lines in 1 file, all in order\.\nLast line: 5 [0-9a-f]{64}\n$/);
    const { ok, last } = JSON.parse((await audit("verify", "--json")).out) as { ok: boolean; last: unknown };
    expect([ok, last]).toMatchObject([true, { seq: 5 }]);
  });

  it("is fine where there is no log yet", async () => {
    expect(await audit("verify")).toEqual({ code: 0, out: "There is no audit log yet.\n", err: "" });
  });

  it("names the first broken line, with exit code 1", async () => {
    await write();
    writeFileSync(log, readFileSync(log, "utf8").replace("unknown_tool", "answered-ok!"));
    const { code, out } = await audit("verify");
    expect(code).toBe(1);
    expect(out).toBe(
      "Broken at audit.log:4: it is not as it was written.\nThe 3 lines before it are in order.\n",
    );
    const report = await audit("verify", "--json");
    expect([report.code, JSON.parse(report.out)]).toMatchObject([
      1,
      { ok: false, line: 4, reason: "altered" },
    ]);
  });

  it("says that the last line is torn", async () => {
    await write();
    writeFileSync(log, readFileSync(log, "utf8").slice(0, -30));
    const { code, out } = await audit("verify");
    expect(code).toBe(0);
    expect(out).toContain("The last line is torn (line 5); everything up to it is in order.\n");
  });
});

describe("codex-gpt-bridge audit", () => {
  it.each([
    [[]],
    [["show"]],
    [["tail", "now"]],
    [["tail", "-n", "0"]],
    [["tail", "-n", "x"]],
    [["tail", "--all"]],
  ])("refuses %j", async (argv) => {
    const { code, out, err } = await audit(...argv);
    expect(code).toBe(2);
    expect(out).toBe("");
    expect(err).not.toBe("");
  });

  it("explains itself", async () => {
    const { code, out } = await audit("--help");
    expect(code).toBe(0);
    expect(out).toContain("audit verify");
  });
});
