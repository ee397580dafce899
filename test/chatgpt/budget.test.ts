import { describe, expect, test } from "vitest";
import { decideReservation, decideSpend, periodsOf, type Caps } from "../../src/chatgpt/budget.ts";
import { costOf, mostFor, priceOf } from "../../src/chatgpt/price.ts";
import { createSeededRandom } from "../support/seeded-random.ts";

const price = { input: 2, cachedInput: 0.5, output: 10 };
const noCaps: Caps = { perCall: null, perDay: null, perMonth: null };
const facts = {
  caps: noCaps,
  model: "m",
  price,
  inputTokens: 1_000,
  unseenTokens: 500,
  maxOutputTokens: null,
};

describe("prices", () => {
  const table = { "gpt-x": { input: 2, cached_input: 0.5, output: 10 }, "gpt-y": { input: 1, output: 4 } };
  test.each([
    ["gpt-x", price],
    ["gpt-x-2026-08-01", price],
    ["gpt-y", { input: 1, cachedInput: 1, output: 4 }],
    ["gpt-x-mini", null],
    ["gpt", null],
    ["toString", null],
    ["__proto__", null],
  ])("of %s", (model, expected) => {
    expect(priceOf(table, model)).toEqual(expected);
  });

  test("cached tokens cost what cached tokens cost, reasoning what output does", () => {
    const usage = {
      inputTokens: 1_000,
      cachedInputTokens: 400,
      outputTokens: 500,
      reasoningOutputTokens: 200,
    };
    expect(costOf(price, usage)).toBeCloseTo(0.0064, 10);
    expect(costOf(price, { ...usage, cachedInputTokens: 5_000 })).toBeCloseTo(0.0055, 10);
  });
});

describe("what a call holds", () => {
  test("without caps nothing is limited", () => {
    expect(decideReservation(facts)).toMatchObject({ ok: true, value: { maxOutputTokens: null } });
    expect(decideReservation({ ...facts, price: null })).toEqual({
      ok: true,
      value: { maxOutputTokens: null, heldUsd: 0 },
    });
  });

  test.each<keyof Caps>(["perCall", "perDay", "perMonth"])("%s needs a price", (cap) => {
    const refusal = decideReservation({ ...facts, caps: { ...noCaps, [cap]: 1 }, price: null });
    expect(refusal).toMatchObject({ ok: false, failure: { code: "budget_exceeded", why: "no_price" } });
  });

  test("whatever is asked, the cap for a call holds for all that is seen of it, and it holds what it may cost", () => {
    const random = createSeededRandom(7);
    for (let n = 0; n < 2_000; n++) {
      const perCall = random.below(2_000_000) / 1_000_000;
      const inputTokens = random.below(400_000);
      const maxOutputTokens = random.pick([null, 16 + random.below(200_000)]);
      const result = decideReservation({
        ...facts,
        caps: { ...noCaps, perCall },
        inputTokens,
        maxOutputTokens,
      });
      if (!result.ok) continue;
      const limit = result.value.maxOutputTokens ?? Number.POSITIVE_INFINITY;
      const most = mostFor(price, inputTokens, limit);
      expect(most).toBeLessThanOrEqual(perCall + 1e-9);
      expect(result.value.heldUsd).toBeGreaterThan(most);
      expect(limit).toBeLessThanOrEqual(maxOutputTokens ?? 65_536);
    }
  });
});

describe("the caps for a day and a month", () => {
  const now = Date.UTC(2026, 11, 31, 23, 59);
  const none = { usd: 0, heldUsd: 0 };
  const caps = { perCall: null, perDay: 1, perMonth: 10 };
  test.each([
    ["nothing spent", none, none, null],
    ["something left", { usd: 0.99, heldUsd: 0 }, { usd: 9.99, heldUsd: 0 }, null],
    [
      "the day used up",
      { usd: 1, heldUsd: 0 },
      none,
      { cap: "day", why: "spent", resetsAt: "2027-01-01T00:00:00.000Z" },
    ],
    ["the day held", { usd: 0.5, heldUsd: 0.5 }, none, { cap: "day", why: "held" }],
    [
      "the month used up",
      none,
      { usd: 12, heldUsd: 0 },
      { cap: "month", why: "spent", resetsAt: "2027-01-01T00:00:00.000Z" },
    ],
    ["both used up", { usd: 1, heldUsd: 0 }, { usd: 10, heldUsd: 0 }, { cap: "month" }],
  ])("%s", (_name, day, month, expected) => {
    const refusal = decideSpend(caps, { day, month }, now, "m");
    if (expected === null) expect(refusal).toBeNull();
    else expect(refusal).toMatchObject(expected);
    expect(decideSpend(noCaps, { day, month }, now, "m")).toBeNull();
  });

  test("days and months are UTC's, leap days and years' ends included", () => {
    const iso = (time: number): string => new Date(time).toISOString();
    const { dayStart, dayEnd, monthStart, monthEnd } = periodsOf(Date.UTC(2028, 1, 29, 12));
    expect([dayStart, dayEnd, monthStart, monthEnd].map(iso)).toEqual([
      "2028-02-29T00:00:00.000Z",
      "2028-03-01T00:00:00.000Z",
      "2028-02-01T00:00:00.000Z",
      "2028-03-01T00:00:00.000Z",
    ]);
  });
});
