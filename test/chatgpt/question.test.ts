/** The small decisions around a question: what is struck out, what is strict, who ends a call, what the tools look like. */
import { describe, expect, test } from "vitest";
import { createRedactor } from "../../src/audit/redact.ts";
import { askFailureCodes, toAskWords, type AskFailure } from "../../src/chatgpt/ask-failure.ts";
import { createCallEnd } from "../../src/chatgpt/call-end.ts";
import { isStrict } from "../../src/chatgpt/openai/request-body.ts";
import { parseResponse, parseStreamEvent } from "../../src/chatgpt/openai/response.ts";
import { screenTexts } from "../../src/chatgpt/outgoing-text.ts";
import { wireTools } from "../../src/chatgpt/tools.ts";
import { golden, inFull } from "../golden/golden.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { FAKE_SECRETS } from "../support/secret-corpus.ts";

test("the tools are what the golden file says; a client reads them once", () => {
  expect(inFull(wireTools())).toBe(golden("ask-tools.json", wireTools()));
});

describe("secrets in what would leave", () => {
  const secret = FAKE_SECRETS["GitHub personal token"]?.() ?? "";
  const key = "a-value-that-is-known-1234";
  const redactor = createRedactor({ secrets: [key] });
  const texts = [
    { place: "prompt", text: `before ${secret} after` },
    { place: "files: a.ts", text: `const key = "${key}";` },
    { place: "instructions", text: "harmless" },
  ];

  test("are refused by kind, number and place, never by value", () => {
    expect(screenTexts(texts, "refuse", redactor)).toEqual({
      ok: false,
      failure: { code: "secrets_found", kinds: { github: 1, value: 1 }, places: ["prompt", "files: a.ts"] },
    });
  });

  test("are struck out, and the rest stays as it is", () => {
    expect(screenTexts(texts, "redact", redactor)).toEqual({
      ok: true,
      value: ["before [redacted:github] after", 'const key = "[redacted:value]";', "harmless"],
    });
  });

  test("in an id or a schema cannot be struck out, so they are refused", () => {
    const fixed = [{ place: "model", text: secret, isFixed: true }];
    expect(screenTexts(fixed, "redact", redactor)).toMatchObject({ ok: false });
  });

  test("leave with the owner's off, and where the owner excepted the file", () => {
    expect(screenTexts(texts, "off", redactor)).toMatchObject({
      ok: true,
      value: [texts[0]?.text, texts[1]?.text, "harmless"],
    });
    const excepted = texts.map(({ place, text }) => ({ place, text, isExcepted: true }));
    expect(screenTexts(excepted, "refuse", redactor).ok).toBe(true);
  });
});

test("every code has words, and none of them is empty or holds a placeholder", () => {
  const samples: readonly AskFailure[] = [
    { code: "no_api_key" },
    { code: "unauthorized", isForbidden: true },
    { code: "model_not_found", model: "m" },
    { code: "model_not_allowed", allowed: ["m"] },
    { code: "rate_limited", retryAfterMs: null },
    { code: "quota_exceeded" },
    {
      code: "budget_exceeded",
      cap: "day",
      why: "held",
      capUsd: 1,
      usedUsd: 0.5,
      resetsAt: "2026-01-01T00:00:00.000Z",
      model: "m",
    },
    { code: "secrets_found", kinds: { github: 1 }, places: ["prompt"] },
    ...(["place", "no_project", "not_text", "too_large", "too_many", "all_too_large"] as const).map(
      (why) => ({ code: "file_not_allowed", file: "files[0]", why }) as const,
    ),
    { code: "refused_by_model", message: "no" },
    { code: "incomplete", reason: "max_output_tokens" },
    { code: "timeout", limitMs: 1_000 },
    { code: "cancelled" },
    { code: "network", reason: "ECONNRESET" },
    { code: "upstream", status: null, message: "no" },
    { code: "unknown_response" },
    { code: "invalid_argument", argument: "prompt", reason: "is wrong" },
    { code: "internal", cause: "ENOSPC" },
  ];
  expect(new Set(samples.map(({ code }) => code))).toEqual(new Set(askFailureCodes));
  for (const sample of samples) {
    const { error, nextAction } = toAskWords(sample);
    expect(error.code).toBe(sample.code);
    for (const text of [error.message, nextAction])
      expect(text).toMatch(/^[A-Zf](?!.*(undefined|null|NaN|\[object)).+\.$/s);
  }
});

describe("OpenAI's strict schemas", () => {
  const strict = {
    type: "object",
    properties: { a: { type: "string" } },
    required: ["a"],
    additionalProperties: false,
  };
  test.each<[boolean, unknown]>([
    [true, strict],
    [true, { ...strict, properties: { a: { type: "array", items: strict } } }],
    [false, { type: "object" }],
    [false, { ...strict, additionalProperties: true }],
    [false, { ...strict, required: [] }],
    [false, { ...strict, properties: { a: { type: "object", properties: {} } } }],
    [false, { ...strict, properties: { a: { anyOf: [{ type: "object" }] } } }],
  ])("%s: %j", (expected, schema) => {
    expect(isStrict(schema)).toBe(expected);
  });
});

describe("what OpenAI sends", () => {
  test("may have new fields, new items and new events", () => {
    const response = {
      id: "resp_1",
      status: "completed",
      model: "m",
      novelty: {},
      output: [
        { type: "hologram" },
        {
          type: "message",
          content: [
            { type: "output_text", text: "a" },
            { type: "smell" },
            { type: "output_text", text: "b" },
          ],
        },
      ],
    };
    expect(parseResponse(response, null)).toMatchObject({
      outputText: "ab",
      usage: null,
      status: "completed",
    });
    expect(parseStreamEvent({ type: "response.smell.delta", delta: 5 })).toEqual({
      kind: "other",
      type: "response.smell.delta",
    });
  });

  test.each([null, 5, "text", {}, { id: "" }])("is no response: %j", (value) => {
    expect(parseResponse(value, null)).toBeNull();
  });
});

describe("the end of a call", () => {
  const start = (background: boolean) => {
    const clock = createFakeClock();
    const [client, shutdown] = [new AbortController(), new AbortController()];
    const end = createCallEnd({
      clock,
      timeoutMs: 1_000,
      client: client.signal,
      shutdown: shutdown.signal,
      background,
    });
    return { clock, client, shutdown, end };
  };

  test.each<[unknown, boolean, boolean]>([
    ["AbortError: This operation was aborted", false, true],
    ["AbortError: This operation was aborted", true, true],
    ["the user pressed Escape", true, true],
    [undefined, false, true],
    ["McpError: MCP error -32001: Request timed out", false, false],
    ["SdkError: Request timed out", true, false],
    ["request timeout", true, false],
    // What Codex 0.169.0 says, for its time limit as for its user.
    ["MCP request cancelled by caller", false, true],
    ["MCP request cancelled by caller", true, false],
    [new Error("Connection closed"), false, false],
  ])("a client that says %s (background %s) ends it: %s", (reason, background, ends) => {
    const { client, end } = start(background);
    client.abort(reason);
    expect(end.cause()).toBe(ends ? "cancelled" : null);
    end.release();
  });

  test("has one cause, the first, and no timer is left behind", async () => {
    const { clock, client, shutdown, end } = start(false);
    await clock.advance(1_000);
    client.abort("stop");
    shutdown.abort();
    expect(end.cause()).toBe("timeout");
    expect(end.signal.aborted).toBe(true);
    end.release();
    expect(clock.pending()).toBe(0);
  });
});
