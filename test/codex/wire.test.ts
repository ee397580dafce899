import { describe, expect, test } from "vitest";
import { declineRequest } from "../../src/codex/app-server/decline.ts";
import { parseNotification, threadIdOf, threadResult } from "../../src/codex/app-server/wire.ts";

const inThread = { threadId: "t" };

describe("what a later Codex may add", () => {
  test.each<{ name: string; method: string; params: unknown }>([
    { name: "a field", method: "turn/started", params: { ...inThread, turn: { id: "x", new: 1 }, new: 2 } },
    {
      name: "an item",
      method: "item/completed",
      params: { ...inThread, item: { type: "hologram", id: "h" } },
    },
    {
      name: "an item in a turn",
      method: "turn/completed",
      params: {
        ...inThread,
        turn: {
          id: "x",
          status: "completed",
          items: [{ type: "new" }, { type: "agentMessage", id: "m", text: "a" }],
        },
      },
    },
    {
      name: "a status",
      method: "turn/completed",
      params: { ...inThread, turn: { id: "x", status: "paused" } },
    },
    {
      name: "a phase",
      method: "item/completed",
      params: { ...inThread, item: { type: "agentMessage", id: "m", text: "a", phase: "encore" } },
    },
    { name: "an error without a kind", method: "error", params: { ...inThread, error: { message: "m" } } },
    {
      name: "an error of another kind",
      method: "error",
      params: {
        ...inThread,
        error: { message: "m", codexErrorInfo: { new: { deep: [] } } },
        willRetry: "perhaps",
      },
    },
    {
      name: "tokens of other kinds",
      method: "thread/tokenUsage/updated",
      params: {
        ...inThread,
        tokenUsage: {
          total: { inputTokens: 1, outputTokens: 1, new: 1 },
          last: { inputTokens: 1, outputTokens: 1 },
        },
      },
    },
    {
      name: "items that are no list",
      method: "turn/completed",
      params: { ...inThread, turn: { id: "x", status: "completed", items: "many" } },
    },
  ])("$name is read", ({ method, params }) => {
    expect(parseNotification(method, params)).toMatchObject({ method });
  });

  test.each([
    { name: "an item that is no object", method: "item/completed", params: { ...inThread, item: 42 } },
    { name: "a diff that is no text", method: "turn/diff/updated", params: { ...inThread, diff: {} } },
    { name: "no thread", method: "turn/started", params: { turn: { id: "x" } } },
    { name: "nothing at all", method: "turn/completed", params: undefined },
    { name: "null", method: "warning", params: null },
  ])("$name is told as broken", ({ method, params }) => {
    expect(parseNotification(method, params)).toBe("broken");
  });

  test.each(["item/agentMessage/delta", "something/new", "", "toString", "__proto__", "constructor"])(
    "a notification called %j is none of ours",
    (method) => {
      expect(parseNotification(method, inThread)).toBeNull();
    },
  );

  test("an item that we know, in a shape that we do not, is an item of some other kind", () => {
    const params = { ...inThread, item: { type: "commandExecution", id: "c", command: ["ls"] } };
    expect(parseNotification("item/started", params)).toMatchObject({
      params: { item: { type: "other", name: "commandExecution" } },
    });
  });

  test("a profile that Codex does not name is none", () => {
    for (const activePermissionProfile of [null, undefined]) {
      const parsed = threadResult.parse({ thread: { id: "t" }, activePermissionProfile });
      expect(parsed.activePermissionProfile?.id).toBeUndefined();
    }
    expect(threadResult.safeParse({ thread: { id: "t" }, activePermissionProfile: "bridge-1" }).success).toBe(
      false,
    );
  });
});

test.each<[unknown, string | null]>([
  [{ threadId: "t" }, "t"],
  [{ conversationId: "c" }, "c"],
  [{ threadId: "t", conversationId: "c" }, "t"],
  [{ threadId: 5 }, null],
  [{}, null],
  [null, null],
  ["t", null],
  [undefined, null],
])("the thread of %j is %j", (params, threadId) => {
  expect(threadIdOf(params)).toBe(threadId);
});

describe("a request for more than was granted", () => {
  test.each([
    ["item/commandExecution/requestApproval", { decision: "decline" }],
    ["item/fileChange/requestApproval", { decision: "decline" }],
    ["item/permissions/requestApproval", { permissions: {}, scope: "turn" }],
    ["execCommandApproval", { decision: "denied" }],
    ["applyPatchApproval", { decision: "denied" }],
    ["item/tool/requestUserInput", { answers: {} }],
    ["mcpServer/elicitation/request", { action: "decline", content: null }],
  ])("%s is answered with no", (method, result) => {
    expect(declineRequest(method)?.result).toEqual(result);
  });

  test.each([
    "item/commandExecution/requestApproval",
    "item/fileChange/requestApproval",
    "item/permissions/requestApproval",
    "execCommandApproval",
    "applyPatchApproval",
    "item/tool/requestUserInput",
    "mcpServer/elicitation/request",
    "item/tool/call",
  ])("no answer to %s holds a word of consent", (method) => {
    expect(JSON.stringify(declineRequest(method)?.result)).not.toMatch(
      /accept|approve|allow|true|session|always/i,
    );
  });

  test.each(["account/chatgptAuthTokens/refresh", "attestation/generate", "fs/read", "", "constructor"])(
    "%j is none that we answer",
    (method) => {
      expect(declineRequest(method)).toBeNull();
    },
  );
});
