import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AskConfig } from "../../src/config/ask-load.ts";
import {
  startScriptedOpenai,
  USAGE,
  type Behaviour,
  type ScriptedOpenai,
} from "../support/scripted-openai.ts";
import { startAskRoom, type AskHouse } from "./start-ask-room.ts";

let openai: ScriptedOpenai;
let house: AskHouse | null = null;

beforeEach(async () => {
  openai = await startScriptedOpenai();
});
afterEach(async () => {
  await house?.dispose();
  house = null;
  await openai.close();
});

async function start(settings: Partial<AskConfig> = {}): Promise<AskHouse> {
  house = await startAskRoom(openai.url, settings);
  return house;
}

const error = (status: number, body: unknown = {}, headers: Record<string, string> = {}): Behaviour => ({
  kind: "error",
  status,
  body: { error: body },
  headers,
});
const answer = (more: object): Behaviour => ({ kind: "answer", ...more });
const ok = answer({ text: "fine" });

interface Expected {
  readonly code: string;
  readonly retryable: boolean;
  /** How often the question was sent. */
  readonly sent: number;
  readonly words?: RegExp;
}

describe("what OpenAI says", () => {
  test.each<[string, readonly Behaviour[], Expected]>([
    [
      "401",
      [error(401, { message: "Incorrect API key provided: sk-abc" })],
      { code: "unauthorized", retryable: false, sent: 1, words: /OPENAI_API_KEY|API key/ },
    ],
    [
      "403",
      [error(403, { message: "Country not supported" })],
      { code: "unauthorized", retryable: false, sent: 1, words: /403/ },
    ],
    [
      "404 for the model",
      [error(404, { message: "The model `x` does not exist", code: "model_not_found" })],
      { code: "model_not_found", retryable: false, sent: 1, words: /gpt-6-astra/ },
    ],
    [
      "403 for the model",
      [error(403, { message: "no access", code: "model_not_found" })],
      { code: "model_not_found", retryable: false, sent: 1 },
    ],
    [
      "429 for ever",
      [error(429, { message: "slow down", code: "rate_limit_exceeded" }, { "retry-after-ms": "5" })],
      { code: "rate_limited", retryable: true, sent: 4 },
    ],
    [
      "429 with a long wait",
      [error(429, { message: "slow down" }, { "retry-after": "60" })],
      { code: "rate_limited", retryable: true, sent: 1, words: /60 seconds/ },
    ],
    [
      "429 without quota",
      [error(429, { message: "You exceeded your current quota", code: "insufficient_quota" })],
      { code: "quota_exceeded", retryable: false, sent: 1 },
    ],
    [
      "500",
      [error(500, { message: "The server had an error" })],
      { code: "upstream", retryable: true, sent: 1, words: /500/ },
    ],
    [
      "502 from a proxy",
      [{ kind: "error", status: 502, body: "<html>bad gateway</html>" }],
      { code: "upstream", retryable: true, sent: 1 },
    ],
    [
      "503 for ever",
      [error(503, { message: "overloaded" }, { "retry-after-ms": "5" })],
      { code: "upstream", retryable: true, sent: 4 },
    ],
    [
      "400 for an effort",
      [error(400, { message: "Unsupported value: 'max'", param: "reasoning.effort" })],
      { code: "invalid_argument", retryable: false, sent: 1, words: /reasoningEffort/ },
    ],
    [
      "400 for the length",
      [error(400, { message: "too long", code: "context_length_exceeded" })],
      { code: "invalid_argument", retryable: false, sent: 1, words: /too long/ },
    ],
    [
      "400 for a policy",
      [error(400, { message: "flagged", code: "invalid_prompt" })],
      { code: "refused_by_model", retryable: false, sent: 1 },
    ],
    [
      "an unknown conversation",
      [error(400, { message: "not found", code: "previous_response_not_found" })],
      { code: "unknown_response", retryable: false, sent: 1 },
    ],
    [
      "a connection closed without a word",
      [{ kind: "hangUp" }],
      { code: "network", retryable: true, sent: 1 },
    ],
    ["a web page", [{ kind: "html" }], { code: "upstream", retryable: true, sent: 1 }],
    [
      "a failed response",
      [answer({ status: "failed", text: "", error: { code: "server_error", message: "it broke" } })],
      { code: "upstream", retryable: true, sent: 1, words: /it broke/ },
    ],
    [
      "a refusal",
      [answer({ refusal: "I will not." })],
      { code: "refused_by_model", retryable: false, sent: 1, words: /I will not/ },
    ],
    [
      "a content filter",
      [answer({ status: "incomplete", incompleteReason: "content_filter", text: "half" })],
      { code: "incomplete", retryable: false, sent: 1 },
    ],
    [
      "nothing but reasoning",
      [answer({ status: "incomplete", text: "" })],
      { code: "incomplete", retryable: false, sent: 1, words: /maxOutputTokens|reasoning/ },
    ],
  ])(
    "%s is one code, plain words and the request id",
    async (_name, behaviours, { code, retryable, sent, words }) => {
      openai.plays(...behaviours);
      const { ask } = await start();
      const content = await ask({ prompt: "Think." });
      expect(content.error).toMatchObject({ code, retryable });
      expect(`${content.error?.message} ${content.nextAction}`).toMatch(words ?? /./);
      expect(content.error?.message).not.toMatch(/sk-abc|undefined|null|\[object/);
      expect(openai.received).toHaveLength(sent);
      if (!["network"].includes(code)) expect(content.requestId).toMatch(/^req_\d+$/);
    },
  );

  test.each([
    ["429", error(429, { message: "slow down" }, { "retry-after-ms": "5" })],
    ["503", error(503, {}, { "retry-after-ms": "5" })],
  ])("%s that passes is waited out: one answer, paid once", async (_name, behaviour) => {
    openai.plays(behaviour, behaviour, ok);
    const { ask } = await start();
    expect(await ask({ prompt: "Think." })).toMatchObject({ status: "completed", outputText: "fine" });
    expect(openai.paid()).toBe(1);
  });

  test("nobody there: the question is sent again, for it never left, and then it is a network failure", async () => {
    const { ask } = await start();
    await openai.close();
    const content = await ask({ prompt: "Think." });
    expect(content.error).toMatchObject({ code: "network", retryable: true });
    expect(content.error?.message).toContain("ECONNREFUSED");
    openai = await startScriptedOpenai();
  });

  test("a question and its key follow no redirect to another host", async () => {
    const elsewhere = await startScriptedOpenai();
    try {
      const location = `${elsewhere.url}/responses`;
      openai.plays({ kind: "error", status: 307, headers: { location } });
      const { ask } = await start();
      expect(await ask({ prompt: "Think." })).toMatchObject({
        error: { code: "upstream", message: expect.stringContaining("307") },
      });
      expect(elsewhere.received).toEqual([]);
    } finally {
      await elsewhere.close();
    }
  });

  test("an answer of any size is not taken into memory", async () => {
    openai.plays(answer({ text: "too much ".repeat(5_000_000) }));
    const { ask } = await start();
    const asked = await ask({ prompt: "Think.", timeoutMs: 5_000 });
    expect(asked).toMatchObject({
      outputText: "",
      error: { code: expect.stringMatching(/network|timeout/) },
    });
  });

  test("a question that is not answered in time ends with its limit", async () => {
    openai.plays({ kind: "silence" });
    const { ask } = await start();
    const content = await ask({ prompt: "Think.", timeoutMs: 1_000 });
    expect(content).toMatchObject({ status: "failed", error: { code: "timeout", retryable: true } });
    expect(content.error?.message).toContain("1 second");
  });

  test("an answer that was cut off at its limit is an answer, and says so", async () => {
    openai.plays(answer({ status: "incomplete", text: "The first half" }));
    const { ask } = await start();
    expect(await ask({ prompt: "Think.", maxOutputTokens: 100 })).toMatchObject({
      status: "incomplete",
      outputText: "The first half",
      truncated: true,
      error: { code: "incomplete" },
    });
  });

  test("a response in the background is asked about until it has ended", async () => {
    openai.plays(answer({ text: "after all", delayMs: 900 }));
    const { ask } = await start();
    expect(await ask({ prompt: "Think.", background: true })).toMatchObject({ outputText: "after all" });
    expect(openai.received.filter(({ method }) => method === "GET").length).toBeGreaterThan(1);
  });
});

describe("what is asked", () => {
  test("a follow-up, a web search, a schema and limits are what OpenAI calls them", async () => {
    openai.plays(answer({ text: '{"verdict":"good"}' }));
    const { ask } = await start();
    const outputSchema = {
      type: "object",
      properties: { verdict: { type: "string" } },
      required: ["verdict"],
      additionalProperties: false,
    };
    const content = await ask({
      prompt: "Judge.",
      previousResponseId: "resp_earlier",
      webSearch: true,
      maxOutputTokens: 900,
      outputSchema,
    });
    expect(content.output).toEqual({ verdict: "good" });
    expect(openai.received[0]?.json).toMatchObject({
      previous_response_id: "resp_earlier",
      tools: [{ type: "web_search" }],
      max_output_tokens: 900,
      store: true,
      text: { format: { type: "json_schema", schema: outputSchema, strict: true } },
    });
  });

  test("output is null where the model did not follow the schema, and the text is there", async () => {
    openai.plays(answer({ text: "I would rather not use JSON." }));
    const { ask } = await start();
    const content = await ask({ prompt: "Judge.", outputSchema: { type: "object" } });
    expect(content).toMatchObject({
      status: "completed",
      output: null,
      outputText: "I would rather not use JSON.",
    });
  });

  test.each([
    ["none", undefined, false],
    ["medium", undefined, false],
    ["high", undefined, true],
    ["xhigh", undefined, true],
    ["max", undefined, true],
    ["max", false, false],
    ["low", true, true],
  ])(
    "effort %s with background %s is asked in the background: %s",
    async (reasoningEffort, background, expected) => {
      const { ask } = await start();
      await ask({ prompt: "Think.", reasoningEffort, ...(background === undefined ? {} : { background }) });
      expect(openai.received[0]?.json["background"] ?? false).toBe(expected);
    },
  );

  test("a model that the owner does not allow is not asked; the default always is", async () => {
    const { ask } = await start({ models: ["gpt-6-sol"] });
    const refused = await ask({ prompt: "Think.", model: "gpt-7" });
    expect(refused.error).toMatchObject({ code: "model_not_allowed", retryable: false });
    expect(refused.error?.message).toContain("gpt-6-sol");
    expect(openai.received).toHaveLength(0);
    for (const model of ["gpt-6-sol", "gpt-6-astra"]) {
      expect(await ask({ prompt: "Think.", model })).toMatchObject({ status: "completed", model });
    }
  });

  test.each([
    { prompt: " " },
    { prompt: "x", effort: "high" },
    { prompt: "x", reasoningEffort: "huge" },
    { prompt: "x", model: "a b" },
    { prompt: "x", previousResponseId: "../files" },
    { prompt: "x", outputSchema: { type: "array" } },
    { prompt: "x", maxOutputTokens: 1.5 },
  ])("%o is no question", async (args) => {
    const { ask } = await start();
    await expect(ask(args)).rejects.toThrow(/Invalid|must|expected|Unrecognized|Too small/i);
  });
});

describe("money", () => {
  const prices = { "gpt-6-astra": { input: 2, cached_input: 0.5, output: 10 } };
  const cost = 0.0064;

  test("a model without a price costs null, and the answer says why", async () => {
    const { ask } = await start({ prices });
    const content = await ask({ prompt: "Think.", model: "gpt-7" });
    expect(content).toMatchObject({ estimatedCostUsd: null, costNote: expect.stringContaining("gpt-7") });
    expect(await ask({ prompt: "Think." })).toMatchObject({ estimatedCostUsd: cost, costNote: null });
  });

  test("with a cap, a model without a price is not asked", async () => {
    const { ask } = await start({ maxUsdPerDay: 5 });
    const content = await ask({ prompt: "Think." });
    expect(content).toMatchObject({
      status: "refused",
      error: { code: "budget_exceeded", retryable: false },
    });
    expect(content.error?.message).toContain("no price");
    expect(openai.received).toHaveLength(0);
  });

  test("the cap for a call limits its output, and refuses a question that is too long for it", async () => {
    const { ask } = await start({ prices, maxUsdPerCall: 0.02 });
    await ask({ prompt: "Think." });
    const limit = Number(openai.received[0]?.json["max_output_tokens"]);
    expect(limit).toBeGreaterThan(1_900);
    expect(limit * 10).toBeLessThanOrEqual(0.02 * 1_000_000);
    const content = await ask({ prompt: "long ".repeat(10_000) });
    expect(content.error).toMatchObject({ code: "budget_exceeded", retryable: false });
    expect(openai.paid()).toBe(1);
  });

  test.each([
    ["day", { maxUsdPerDay: 2 * cost - 0.001 }],
    ["month", { maxUsdPerMonth: 2 * cost - 0.001 }],
  ])("the cap for a %s is closed once it is used up, and says when it opens", async (cap, caps) => {
    const { ask } = await start({ prices, ...caps });
    for (let n = 0; n < 2; n++) expect((await ask({ prompt: "Think." })).error).toBeNull();
    const { error: refusal, status } = await ask({ prompt: "Think." });
    expect({ status, ...refusal }).toMatchObject({
      status: "refused",
      code: "budget_exceeded",
      retryable: false,
    });
    const resets = new Date(refusal?.resetsAt ?? "");
    expect(resets.getTime()).toBeGreaterThan(Date.now());
    expect(resets.getUTCHours()).toBe(0);
    if (cap === "month") expect(resets.getUTCDate()).toBe(1);
    expect(openai.paid()).toBe(2);
  });

  test("while a call runs, what it may cost is held; a refusal for that may be tried again", async () => {
    openai.hold();
    const { ask } = await start({ prices, maxUsdPerDay: 0.1 });
    const first = ask({ prompt: "Think.", background: true });
    await openai.until(1, ({ method }) => method === "GET");
    expect((await ask({ prompt: "Think." })).error).toMatchObject({
      code: "budget_exceeded",
      retryable: true,
    });
    openai.finish();
    expect((await first).status).toBe("completed");
    expect((await ask({ prompt: "Think." })).error).toBeNull();
  });

  test.each<[string, Behaviour]>([
    ["a question that was turned away", error(401, {})],
    ["a response that failed", answer({ status: "failed", text: "", usage: null })],
  ])("%s costs nothing", async (_name, behaviour) => {
    openai.plays(behaviour, ok);
    const { ask } = await start({ prices, maxUsdPerDay: cost / 2 });
    await ask({ prompt: "Think." });
    expect((await ask({ prompt: "Think." })).error).toBeNull();
  });

  test("an answer without a count of what was used counts as the most that it may have cost", async () => {
    openai.plays(answer({ text: "fine", usage: null }), ok);
    const { ask } = await start({ prices, maxUsdPerDay: 0.5 });
    expect(await ask({ prompt: "Think." })).toMatchObject({
      status: "completed",
      estimatedCostUsd: null,
      costNote: expect.any(String),
    });
    expect((await ask({ prompt: "Think." })).error).toMatchObject({ code: "budget_exceeded" });
  });

  test("a count below nothing gives no money back", async () => {
    openai.plays(answer({ usage: { ...USAGE, input_tokens: -5_000_000 } }), ok);
    const { ask } = await start({ prices, maxUsdPerDay: 0.5 });
    expect(await ask({ prompt: "Think." })).toMatchObject({ estimatedCostUsd: null, usage: null });
    expect((await ask({ prompt: "Think." })).error).toMatchObject({ code: "budget_exceeded" });
  });

  test("what may have been paid for counts, though nobody knows how much", async () => {
    openai.plays({ kind: "hangUp" }, ok);
    const { ask } = await start({ prices, maxUsdPerDay: 0.5 });
    expect(await ask({ prompt: "Think." })).toMatchObject({
      estimatedCostUsd: null,
      error: { code: "network" },
    });
    expect((await ask({ prompt: "Think." })).error).toMatchObject({ code: "budget_exceeded" });
  });

  test("a call that was broken off counts with what OpenAI says that it used", async () => {
    openai.plays(answer({ delayMs: 60_000 }), ok);
    const { ask, room, project } = await start({ prices, maxUsdPerDay: 0.5 });
    const cancelling = new AbortController();
    const asked = ask({ prompt: "Think." }, cancelling.signal);
    const purse = await room.purse();
    await expect.poll(() => purse.newest(project)?.responseId, { timeout: 15_000 }).toBeDefined();
    cancelling.abort("the user stopped it");
    openai.finish();
    expect((await asked).status).toBe("cancelled");
    expect((await ask({ prompt: "Think." })).error).toBeNull();
  });

  test("an answer that is collected where its price is no longer known gives back nothing", async () => {
    openai.hold();
    const { ask, collect, room } = await start({ prices: structuredClone(prices), maxUsdPerDay: 1 });
    const { responseId } = await ask({ prompt: "Think.", background: true, timeoutMs: 1_000 });
    openai.finish();
    for (const model of Object.keys(room.config.prices)) Reflect.deleteProperty(room.config.prices, model);
    expect(await collect(responseId ?? "")).toMatchObject({ status: "completed", estimatedCostUsd: null });
    expect((await room.purse()).byResponse(responseId ?? "")).toMatchObject({ isSettled: false });
  });

  test("a conversation whose length was never counted holds as much as one that nobody knows", async () => {
    openai.hold();
    const { ask, room } = await start({ prices, maxUsdPerDay: 100 });
    const heldBy = async (args: object): Promise<number> => {
      const { responseId } = await ask({ prompt: "Think.", background: true, timeoutMs: 1_000, ...args });
      return (await room.purse()).byResponse(responseId ?? "")?.heldUsd ?? Number.NaN;
    };
    const first = await ask({ prompt: "Think.", background: true, timeoutMs: 1_000 });
    const unknown = await heldBy({ previousResponseId: "resp_of_somebody_else" });
    expect(await heldBy({ previousResponseId: first.responseId })).toBe(unknown);
    expect(await heldBy({})).toBeLessThan(unknown);
  });

  test("an answer that is collected is counted once, with what it really cost", async () => {
    openai.hold();
    const { ask, collect, room } = await start({ prices, maxUsdPerDay: 100 });
    const { responseId, status } = await ask({ prompt: "Think.", background: true, timeoutMs: 1_000 });
    expect(status).toBe("in_progress");
    openai.finish();
    for (let n = 0; n < 3; n++) {
      expect(await collect(responseId ?? "")).toMatchObject({ status: "completed", estimatedCostUsd: cost });
    }
    expect((await room.purse()).byResponse(responseId ?? "")).toMatchObject({
      isSettled: true,
      inputTokens: USAGE.input_tokens,
      outputTokens: USAGE.output_tokens,
    });
    expect(openai.paid()).toBe(1);
  });
});

describe("collecting", () => {
  test("there is nothing to collect before anything was asked, nor by an unknown id", async () => {
    const { collect } = await start();
    expect((await collect()).error?.code).toBe("unknown_response");
    expect((await collect("resp_none")).error?.code).toBe("unknown_response");
  });

  test("the newest comes without an id", async () => {
    const { ask, collect } = await start();
    await ask({ prompt: "One." });
    const { responseId } = await ask({ prompt: "Two." });
    expect((await collect()).responseId).toBe(responseId);
  });

  test("what still runs is waited for, and then said to be running", async () => {
    openai.hold();
    const { ask, collect } = await start();
    await ask({ prompt: "Think.", background: true, timeoutMs: 1_000 });
    expect(await collect(undefined, 3_000)).toMatchObject({ status: "in_progress", error: null });
    const collecting = collect();
    openai.finish();
    expect((await collecting).status).toBe("completed");
  });

  test("the end of the process leaves a background response alone", async () => {
    openai.hold();
    const { ask, shutdown } = await start();
    const asked = ask({ prompt: "Think.", background: true });
    await openai.until(1, ({ method }) => method === "GET");
    shutdown();
    await asked;
    expect(openai.cancelled()).toEqual([]);
  });
});
