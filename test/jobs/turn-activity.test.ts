import { describe, expect, test } from "vitest";
import type { CodexEvent, FileChange } from "../../src/codex/events.ts";
import { createTurnActivity } from "../../src/jobs/turn-activity.ts";

const clock = { now: () => 1 };
let tokens = 0;
const response = (): CodexEvent => {
  const usage = {
    inputTokens: (tokens += 1),
    cachedInputTokens: 0,
    outputTokens: 0,
    reasoningOutputTokens: 0,
  };
  return { type: "usage", usage };
};
const same = response();
const patched = (...paths: string[]): CodexEvent => ({
  type: "changes",
  changes: paths.map((path): FileChange => ({ path, kind: "update", additions: 1, deletions: 1 })),
  diff: null,
});
const command: CodexEvent = { type: "command-started", command: "ls" };
const tool: CodexEvent = { type: "tool", name: "docs.search", ok: true };

describe("whether a turn may have run commands", () => {
  const table: readonly (readonly [string, readonly CodexEvent[], boolean])[] = [
    ["an answer alone", [response()], false],
    ["an answer whose tokens are told twice", [same, same], false],
    ["a patch and an answer", [patched("a"), response(), patched("a"), response()], false],
    [
      "two patches and an answer",
      [patched("a"), response(), patched("a", "b"), response(), response()],
      false,
    ],
    ["a command", [command, response(), response()], true],
    ["another tool", [tool, response(), response()], true],
    ["a call that nobody told of", [response(), response()], true],
    ["a patch and a call that nobody told of", [patched("a"), response(), response(), response()], true],
    [
      "two patches in one response, and a call that nobody told of",
      [response(), patched("a"), patched("a", "b"), response(), response()],
      true,
    ],
    [
      "patches that come before their response is counted",
      [patched("a"), response(), patched("a", "b"), response(), response()],
      false,
    ],
    [
      "patches that come after their response is counted",
      [response(), patched("a"), response(), patched("a", "b"), response()],
      false,
    ],
    ["a model that tells no tokens", [], true],
  ];
  test.each(table)("%s", (_name, events, expected) => {
    const activity = createTurnActivity(clock);
    for (const event of events) activity.hear(event);
    expect(activity.mayHaveRunCommands(true)).toBe(expected);
  });

  test("a turn that was cut off may always have", () => {
    expect(createTurnActivity(clock).mayHaveRunCommands(false)).toBe(true);
  });
});
