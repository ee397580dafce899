import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Caps } from "../../src/chatgpt/budget.ts";
import type { Ledger, NewAsk } from "../../src/chatgpt/ledger.ts";
import { LEASE_MS, LEDGER_FILE, openLedger } from "../../src/chatgpt/sqlite/ledger.ts";

const NOW = Date.UTC(2026, 10, 21, 12);
const DAY_MS = 86_400_000;
const caps: Caps = { perCall: null, perDay: 1, perMonth: 3 };
const usage = { inputTokens: 10, cachedInputTokens: 0, outputTokens: 5, reasoningOutputTokens: 0 };

let directory = "";
let ledger: Ledger;
let calls = 0;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "codex-gpt-bridge-ledger-"));
  ledger = openLedger(directory);
});
afterEach(() => {
  ledger.close();
  rmSync(directory, { recursive: true, force: true });
});

function ask(more: Partial<NewAsk> = {}): NewAsk {
  calls += 1;
  const callId = `call-${calls}`;
  return {
    callId,
    project: "/p",
    model: "m",
    effort: null,
    background: false,
    heldUsd: 0.6,
    now: NOW,
    ...more,
  };
}

function reserve(more: Partial<NewAsk> = {}): { callId: string; code: string | null } {
  const wanted = ask(more);
  const result = ledger.reserve(wanted, caps);
  return { callId: wanted.callId, code: result.ok ? null : result.failure.code };
}

describe("what a call holds", () => {
  test("counts until it is settled, and then what it cost does", () => {
    const first = reserve();
    expect(reserve({ heldUsd: 0.6 }).code).toBeNull();
    expect(reserve().code).toBe("budget_exceeded");
    ledger.sent(first.callId);
    ledger.settle(first.callId, { costUsd: 0.1, usage });
    expect(reserve().code).toBeNull();
  });

  test("is seen by another process at once", () => {
    reserve({ heldUsd: 5 });
    const other = openLedger(directory);
    expect(other.reserve(ask(), caps)).toMatchObject({ ok: false, failure: { code: "budget_exceeded" } });
    other.close();
  });

  test("is released when its process died before it asked", () => {
    reserve({ heldUsd: 5 });
    expect(reserve({ now: NOW + LEASE_MS - 1 }).code).toBe("budget_exceeded");
    expect(reserve({ now: NOW + LEASE_MS + 1 }).code).toBeNull();
  });

  test("counts as spent when its process died after it asked, until the answer is collected", () => {
    const { callId } = reserve({ heldUsd: 5, background: true });
    ledger.sent(callId);
    ledger.accepted(callId, "resp_1");
    const late = NOW + LEASE_MS + 1;
    const refusal = ledger.reserve(ask({ now: late }), caps);
    expect(refusal).toMatchObject({ ok: false, failure: { why: "spent" } });
    ledger.settle(ledger.byResponse("resp_1")?.callId ?? "", { costUsd: 0.2, usage });
    expect(reserve({ now: late }).code).toBeNull();
  });

  test("goes on being held as long as its process renews it", () => {
    const { callId } = reserve({ heldUsd: 5 });
    for (let n = 1; n < 10; n++) ledger.renew([callId], NOW + n * 30_000);
    expect(reserve({ now: NOW + 300_000 }).code).toBe("budget_exceeded");
  });

  test("cannot be asked with after it was released", () => {
    const { callId } = reserve();
    reserve({ now: NOW + LEASE_MS + 1 });
    expect(() => ledger.sent(callId)).toThrow(/gone/);
  });
});

describe("days and months", () => {
  test("a new day opens the day's cap, not the month's", () => {
    for (let day = 0; day < 3; day++) {
      const { callId, code } = reserve({ heldUsd: 1, now: NOW + day * DAY_MS });
      expect(code).toBeNull();
      ledger.sent(callId);
      ledger.settle(callId, { costUsd: 1, usage });
    }
    expect(ledger.reserve(ask({ now: NOW + 3 * DAY_MS }), caps)).toMatchObject({ failure: { cap: "month" } });
    expect(reserve({ now: Date.UTC(2026, 11, 1) }).code).toBeNull();
  });

  test("what was spent survives a restart", () => {
    const { callId } = reserve();
    ledger.sent(callId);
    ledger.settle(callId, { costUsd: 2, usage });
    ledger.close();
    ledger = openLedger(directory);
    expect(reserve().code).toBe("budget_exceeded");
  });
});

describe("what can be collected", () => {
  test("is the newest of its project that OpenAI has begun", () => {
    const [first, second, other, unsent] = [
      reserve({ heldUsd: 0 }),
      reserve({ heldUsd: 0 }),
      reserve({ heldUsd: 0, project: "/q" }),
      reserve({ heldUsd: 0 }),
    ];
    for (const [index, { callId }] of [first, second, other].entries())
      ledger.accepted(callId, `resp_${index}`);
    expect(ledger.newest("/p")).toMatchObject({
      callId: second.callId,
      responseId: "resp_1",
      isSettled: false,
    });
    expect(ledger.newest("/q")?.responseId).toBe("resp_2");
    expect(ledger.newest(null)).toBeNull();
    expect(unsent.code).toBeNull();
    expect(ledger.byResponse("resp_9")).toBeNull();
  });
});

describe("the file", () => {
  test("is for the owner alone", () => {
    expect(statSync(join(directory, LEDGER_FILE)).mode & 0o777).toBe(0o600);
  });

  test("of a newer version is left alone", () => {
    ledger.close();
    const sql = new DatabaseSync(join(directory, LEDGER_FILE));
    sql.exec("PRAGMA user_version = 99");
    sql.close();
    expect(() => openLedger(directory)).toThrow(/newer/);
    rmSync(join(directory, LEDGER_FILE));
    ledger = openLedger(directory);
  });

  test("that is no database is an error, never a new beginning with nothing spent", () => {
    const elsewhere = mkdtempSync(join(tmpdir(), "codex-gpt-bridge-ledger-"));
    writeFileSync(
      join(elsewhere, LEDGER_FILE),
      "this is no database, but it is long enough to be taken for one".repeat(20),
    );
    expect(() => openLedger(elsewhere)).toThrow(/not a database/);
    rmSync(elsewhere, { recursive: true });
  });

  test("is opened by eight new processes at once", () => {
    const elsewhere = mkdtempSync(join(tmpdir(), "codex-gpt-bridge-ledger-"));
    const module = new URL("../../src/chatgpt/sqlite/ledger.ts", import.meta.url).href;
    const open = `import(${JSON.stringify(module)}).then(({openLedger}) => openLedger(${JSON.stringify(elsewhere)}).close())`;
    const script = Array.from(
      { length: 8 },
      () => `"${process.execPath}" -e '${open}' & pids="$pids $!";`,
    ).join(" ");
    const { status, stderr } = spawnSync(
      "sh",
      ["-c", `${script} for pid in $pids; do wait $pid || exit 1; done`],
      { encoding: "utf8" },
    );
    expect({ status, stderr: stderr.replaceAll(/.*Warning.*\n/g, "") }).toMatchObject({ status: 0 });
    rmSync(elsewhere, { recursive: true });
  });
});
