import { describe, expect, test } from "vitest";
import { createRedactor } from "../../src/audit/redact.ts";
import type { CodexEvent } from "../../src/codex/events.ts";
import { advance, toEventText, toStory } from "../../src/jobs/story.ts";

function told(event: CodexEvent, redact = (text: string): string => text): string | null {
  const story = toStory(event);
  return story === null ? null : toEventText(redact(story.text));
}

const start = { phase: "starting", commands: 0, filesChanged: 0, lastEvent: null } as const;
const change = { path: "src/a.ts", kind: "update", additions: 1, deletions: 0 } as const;
const usage = { inputTokens: 1, cachedInputTokens: 0, outputTokens: 1, reasoningOutputTokens: 0 };

describe("what a watcher reads", () => {
  test.each<[CodexEvent, string | null]>([
    [{ type: "command-started", command: "/bin/bash -lc 'npm test'" }, "Runs: npm test"],
    [{ type: "command-started", command: "zsh -c ls" }, "Runs: ls"],
    [{ type: "command-started", command: `bash -lc 'echo '"'"'x'"'"''` }, "Runs: echo 'x'"],
    [{ type: "command-started", command: "git status" }, "Runs: git status"],
    [{ type: "command-finished", command: "ls", exitCode: 0, output: "secret" }, "Done: ls"],
    [{ type: "command-finished", command: "ls", exitCode: 2, output: "" }, "Failed (exit code 2): ls"],
    [{ type: "command-finished", command: "ls", exitCode: null, output: "" }, "Ended: ls"],
    [{ type: "changes", changes: [change], diff: null }, "Changed: src/a.ts"],
    [{ type: "message", text: "two\n  lines" }, "two lines"],
    [{ type: "tool", name: "docs.search", ok: false }, "Tool docs.search failed"],
    [{ type: "declined", what: "write", reason: "No." }, "Codex asked to write. No."],
    [{ type: "usage", usage }, null],
  ])("%j is told as %j", (event, text) => {
    expect(told(event)).toBe(text);
  });

  test("a long text is cut to 300 bytes and marked", () => {
    const text = told({ type: "message", text: "ü".repeat(400) });
    expect(text).toBe(`${"ü".repeat(150)}…`);
  });

  test.each(Array.from({ length: 30 }, (_, n) => ({ cutAfter: n + 6 })))(
    "a token that the cut would leave $cutAfter characters of is struck out first",
    ({ cutAfter }) => {
      const token = "ghp_aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY1zA3";
      const text = `${"a".repeat(299 - cutAfter)} ${token}`;
      for (const event of [
        { type: "message", text },
        { type: "warning", message: text },
        { type: "command-started", command: text },
      ] as const) {
        expect(told(event, createRedactor().redact)).not.toContain("ghp_");
      }
    },
  );
});

describe("progress", () => {
  test.each<[CodexEvent, object]>([
    [{ type: "turn", turnId: "t" }, { phase: "thinking" }],
    [
      { type: "command-started", command: "ls" },
      { phase: "running a command", commands: 1 },
    ],
    [
      { type: "command-finished", command: "ls", exitCode: 0, output: "" },
      { phase: "thinking", commands: 0 },
    ],
    [
      { type: "changes", changes: [change], diff: null },
      { phase: "editing files", filesChanged: 1 },
    ],
    [{ type: "thread", threadId: "t" }, { phase: "starting" }],
    [{ type: "warning", message: "w" }, { phase: "starting" }],
  ])("after %j is %j", (event, progress) => {
    expect(advance(start, event, "line")).toMatchObject({ ...progress, lastEvent: "line" });
  });

  test("an event that is not told leaves the last one standing", () => {
    expect(advance({ ...start, lastEvent: "before" }, { type: "usage", usage }, null).lastEvent).toBe(
      "before",
    );
  });
});
