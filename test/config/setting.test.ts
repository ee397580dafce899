import { describe, expect, test } from "vitest";
import { choice, flag, integer, list, secret, text, truth, usd } from "../../src/config/setting-kinds.ts";
import { readAll } from "../../src/config/setting.ts";

describe("a kind of setting", () => {
  test.each([
    ["text", text(), " a ", "a"],
    ["secret", secret(3), " a ", " a "],
    ["whole number", integer(0, 9), " 9 ", 9],
    ["whole number", integer(0, 9), 9, 9],
    ["amount", usd(), "2.50", 2.5],
    ["switch", flag(), "ON", true],
    ["switch", flag(), "", false],
    ["switch", flag(), false, false],
    ["truth", truth(), true, true],
    ["list", list(), " a ,, b", ["a", "b"]],
    ["list", list(), [" a "], [" a "]],
    ["choice", choice(["on", "off"]), "off", "off"],
  ])("%s reads what the environment or the file gives", (_kind, { read }, given, value) => {
    expect(read(given)).toEqual({ ok: true, value });
  });

  test.each([
    ["text", text(), ["a"], ["has to be a text"]],
    ["text", text(), " ", ["must not be empty"]],
    ["secret", secret(3), "ab", ["has to have at least 3 characters"]],
    ["secret", secret(3), ["a", "b", "c"], ["has to be a text"]],
    ["whole number", integer(0, 9), "1.5", ["has to be a whole number"]],
    ["whole number", integer(0, 9), "0x1", ["has to be a whole number"]],
    ["whole number", integer(0, 9), 1e300, ["has to be a whole number"]],
    ["whole number", integer(0, 9), -1, ["has to be at least 0"]],
    ["whole number", integer(0, 9), "10", ["may be at most 9"]],
    ["amount", usd(), "1e3", ["has to be an amount in US dollars, such as 2.50"]],
    ["amount", usd(), Number.POSITIVE_INFINITY, ["has to be an amount in US dollars, such as 2.50"]],
    ["amount", usd(), "0", ["has to be more than 0"]],
    ["switch", flag(), "perhaps", ["has to be 1 or 0"]],
    ["switch", flag(), 1, ["has to be 1 or 0"]],
    ["truth", truth(), "true", ["has to be true or false"]],
    ["list", list(), 1, ["has to be a list, separated by commas"]],
    ["list", list(), ["a", 1], ["has to be a list of texts"]],
    ["choice", choice(["on", "off"]), "On", ["has to be one of: on, off"]],
  ])("%s refuses what it is not", (_kind, { read }, given, problems) => {
    expect(read(given)).toEqual({ ok: false, failure: problems });
  });
});

describe("settings together", () => {
  const shape = {
    port: integer(0, 9).default(8).describe("Port."),
    root: text().optional(),
    word: text()
      .check("has no a", (value) => value.includes("a"))
      .check("has no b", (value) => value.includes("b"))
      .transform((value) => value.toUpperCase())
      .optional(),
  };

  test("one that nobody gave is its default, or not there", () => {
    expect(readAll(shape, {})).toEqual({ values: { port: 8 }, problems: [] });
    expect(shape.port.description).toBe("Port.");
  });

  test("everything that is wrong is told, and what is wrong counts as not given", () => {
    expect(readAll(shape, { port: "x", root: "/r", word: "c" })).toEqual({
      values: { port: 8, root: "/r" },
      problems: [
        { name: "port", problem: "has to be a whole number" },
        { name: "word", problem: "has no a" },
        { name: "word", problem: "has no b" },
      ],
    });
  });

  test("only what is right is converted", () => {
    expect(readAll(shape, { word: " ab " }).values).toEqual({ port: 8, word: "AB" });
  });

  test("what an object inherits was not given", () => {
    expect(readAll({ constructor: text().optional() }, {})).toEqual({ values: {}, problems: [] });
  });
});
