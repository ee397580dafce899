import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createTurnRecord } from "../../src/codex/app-server/turn-record.ts";
import { parseNotification } from "../../src/codex/app-server/wire.ts";
import type { CodexEvent } from "../../src/codex/events.ts";

type Line = [method: string, params: object];

/** What Codex said in the turns of one thread: a command and a new file; a reply; a reply in a new process. */
function recorded(version: string, turn: number): Line[] {
  const file = new URL(`recorded/${version}-turn-${turn}.jsonl`, import.meta.url);
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines
    .map((line) => JSON.parse(line) as { method: string; params: object })
    .map((m) => [m.method, m.params]);
}

function play(lines: readonly Line[]) {
  const record = createTurnRecord("t", "/srv/project");
  const events: CodexEvent[] = [];
  for (const [method, params] of lines) {
    const notification = parseNotification(method, params);
    if (notification === "broken") throw new Error(`${method} is broken: ${JSON.stringify(params)}`);
    if (notification !== null) events.push(...record.accept(notification));
  }
  return { record, events, outcome: record.outcome(null) };
}

const started: Line = ["turn/started", { threadId: "t", turn: { id: "now" } }];
const completed = (fields: object = {}): Line => [
  "turn/completed",
  { threadId: "t", turn: { id: "now", status: "completed", items: [], ...fields } },
];
const item = (fields: object): Line => [
  "item/completed",
  { threadId: "t", turnId: "now", item: { id: "i", ...fields } },
];
const message = (text: string, phase?: string | null): Line => item({ type: "agentMessage", text, phase });
const tokens = (inputTokens: number) => ({
  inputTokens,
  cachedInputTokens: inputTokens / 2,
  outputTokens: inputTokens / 10,
  reasoningOutputTokens: inputTokens / 20,
});
const counted = (total: number, last: number, turnId: string | null = "now"): Line => [
  "thread/tokenUsage/updated",
  { threadId: "t", turnId, tokenUsage: { total: tokens(total), last: tokens(last) } },
];

describe.each(["0.169.0", "0.153.4"])("as Codex %s said it", (version) => {
  test("a turn with a command and a new file", () => {
    const { outcome, events, record } = play(recorded(version, 1));
    expect(outcome).toMatchObject({
      answer: "First answer.",
      failure: null,
      changes: [{ path: "made.txt", kind: "add", additions: 2, deletions: 0 }],
      usage: { inputTokens: 3_600, cachedInputTokens: 2_100, outputTokens: 270, reasoningOutputTokens: 120 },
    });
    expect(outcome.diff).toContain("+one\n+two");
    expect(events.map(({ type }) => type)).toEqual([
      "warning",
      "turn",
      "command-started",
      "command-finished",
      "usage",
      "changes",
      "changes",
      "usage",
      "message",
      "usage",
    ]);
    expect(events).toContainEqual(
      expect.objectContaining({ type: "command-finished", exitCode: 0, output: "hello\n" }),
    );
    expect(record.ended()).toBe("completed");
    expect(record.runningCommands()).toBe(0);
  });

  test.each([
    { turn: 2, answer: "Second answer." },
    { turn: 3, answer: "Third answer." },
  ])(
    "reply $turn costs its own tokens, though Codex tells the thread's count anew when it is opened",
    ({ turn, answer }) => {
      const { outcome } = play(recorded(version, turn));
      const usage = {
        inputTokens: 1_200,
        cachedInputTokens: 700,
        outputTokens: 90,
        reasoningOutputTokens: 40,
      };
      expect(outcome).toMatchObject({ answer, failure: null, usage });
    },
  );
});

describe("tokens", () => {
  test.each<{ name: string; lines: Line[]; inputTokens: number | undefined }>([
    {
      name: "of a new thread are all its own",
      lines: [counted(100, 100), counted(250, 150)],
      inputTokens: 250,
    },
    {
      name: "of a resumed thread begin where it was",
      lines: [counted(1_100, 100), counted(1_250, 150)],
      inputTokens: 250,
    },
    {
      name: "are not those of an earlier turn",
      lines: [counted(1_000, 400, "before"), counted(1_100, 100)],
      inputTokens: 100,
    },
    { name: "without a turn's name are this turn's", lines: [counted(100, 100, null)], inputTokens: 100 },
    {
      name: "of an earlier turn alone are none",
      lines: [counted(1_000, 400, "before")],
      inputTokens: undefined,
    },
  ])("$name", ({ lines, inputTokens }) => {
    expect(play([started, ...lines, message("x"), completed()]).outcome.usage?.inputTokens).toBe(inputTokens);
  });
});

describe("the answer", () => {
  test.each<{ name: string; lines: Line[]; answer: string | null }>([
    { name: "is the last message", lines: [message("one"), message("two")], answer: "two" },
    {
      name: "is no commentary",
      lines: [message("final", "final_answer"), message("by the way", "commentary")],
      answer: "final",
    },
    {
      name: "is the commentary where there is nothing else",
      lines: [message("working", "commentary")],
      answer: "working",
    },
    {
      name: "replaces a commentary that came first",
      lines: [message("working", "commentary"), message("final", null)],
      answer: "final",
    },
    {
      name: "may come with the end of the turn",
      lines: [completed({ items: [{ type: "agentMessage", id: "m", text: "at the end" }] })],
      answer: "at the end",
    },
    { name: "may be missing", lines: [], answer: null },
  ])("$name", ({ lines, answer }) => {
    expect(play([started, ...lines, completed()]).outcome.answer).toBe(answer);
  });
});

describe("the end", () => {
  const fileChange = item({
    type: "fileChange",
    status: "completed",
    changes: [{ path: "/srv/project/a.txt", kind: { type: "add" }, diff: "x\n" }],
  });

  test.each<{ name: string; lines: Line[]; failure: object | null }>([
    { name: "completed with an answer", lines: [message("x"), completed()], failure: null },
    { name: "completed with changes and no words", lines: [fileChange, completed()], failure: null },
    {
      name: "completed with nothing",
      lines: [completed()],
      failure: { code: "codex_failed", kind: "noAnswer", retryable: true },
    },
    { name: "interrupted", lines: [completed({ status: "interrupted" })], failure: { code: "interrupted" } },
    {
      name: "failed with a reason",
      lines: [
        completed({ status: "failed", error: { message: "full", codexErrorInfo: "contextWindowExceeded" } }),
      ],
      failure: { code: "codex_failed", kind: "contextWindowExceeded", message: "full" },
    },
    {
      name: "failed with a reason that came before",
      lines: [
        [
          "error",
          {
            threadId: "t",
            error: { message: "quota", codexErrorInfo: "usageLimitExceeded" },
            willRetry: false,
          },
        ],
        completed({ status: "failed", error: null }),
      ],
      failure: { code: "codex_failed", kind: "usageLimitExceeded", message: "quota" },
    },
    {
      name: "failed without a reason",
      lines: [completed({ status: "failed" })],
      failure: { code: "codex_failed", kind: "other" },
    },
    {
      name: "in a way that nobody knows",
      lines: [completed({ status: "vanished" })],
      failure: { code: "codex_failed" },
    },
    {
      name: "completed after an error that was tried again",
      lines: [
        ["error", { threadId: "t", error: { message: "reconnecting" }, willRetry: true }],
        message("x"),
        completed(),
      ],
      failure: null,
    },
  ])("$name", ({ lines, failure }) => {
    const { outcome } = play([started, ...lines]);
    expect(outcome).toMatchObject({ failure });
  });

  test("of an earlier turn, told late, is not the end of this one", () => {
    const { record } = play([started, completed({ id: "before", status: "interrupted" })]);
    expect(record.ended()).toBeNull();
  });

  test("that somebody else decides keeps what was done", () => {
    const { record } = play([started, message("half"), fileChange]);
    const failure = { code: "timeout", limitMs: 1, what: "model" } as const;
    expect(record.outcome(failure)).toMatchObject({
      failure,
      answer: "half",
      changes: [{ path: "a.txt" }],
      turnId: "now",
    });
  });
});

describe("on the way", () => {
  test("commands that run are counted, and none is left at the end", () => {
    const command = { type: "commandExecution", command: "ls", status: "inProgress" };
    const start = (id: string): Line => ["item/started", { threadId: "t", item: { ...command, id } }];
    const lines = [started, start("a"), start("b")];
    expect(play(lines).record.runningCommands()).toBe(2);
    expect(play([...lines, item({ ...command, id: "a", exitCode: 0 })]).record.runningCommands()).toBe(1);
    expect(play([...lines, completed()]).record.runningCommands()).toBe(0);
  });

  test("a file change that failed or was declined changed nothing", () => {
    const changes = [{ path: "/srv/project/a.txt", kind: { type: "add" }, diff: "x\n" }];
    for (const status of ["failed", "declined", "inProgress"]) {
      expect(play([started, item({ type: "fileChange", status, changes })]).outcome.changes).toEqual([]);
    }
  });

  test("a moved file counts under its new name", () => {
    const kind = { type: "update", move_path: "/srv/project/new.txt" };
    const changes = [{ path: "/srv/project/old.txt", kind, diff: "@@ -1 +1 @@\n-a\n+b\n" }];
    const { outcome } = play([started, item({ type: "fileChange", status: "completed", changes })]);
    const counts = { additions: 1, deletions: 1 };
    expect(outcome.changes).toEqual([{ path: "new.txt", kind: "update", ...counts, movedFrom: "old.txt" }]);
  });

  test.each<{ line: Line; events: object[] }>([
    { line: item({ type: "reasoning", summary: ["a", "b"] }), events: [{ type: "reasoning", text: "a\nb" }] },
    { line: item({ type: "reasoning", summary: [] }), events: [] },
    {
      line: item({ type: "mcpToolCall", server: "docs", tool: "search", status: "failed" }),
      events: [{ type: "tool", name: "docs.search", ok: false }],
    },
    {
      line: ["error", { threadId: "t", error: { message: "again" }, willRetry: true }],
      events: [{ type: "retrying", message: "again" }],
    },
    {
      line: ["warning", { threadId: "t", message: "careful" }],
      events: [{ type: "warning", message: "careful" }],
    },
    { line: ["thread/closed", { threadId: "t" }], events: [] },
  ])("$line is told as $events", ({ line, events }) => {
    expect(play([line]).events).toEqual(events);
  });

  test("the same diff again is no news", () => {
    const diff: Line = ["turn/diff/updated", { threadId: "t", turnId: "now", diff: "+a" }];
    expect(play([started, diff, diff]).events.filter(({ type }) => type === "changes")).toHaveLength(1);
  });
});
