import { expect, test } from "vitest";
import { nearest } from "../../src/cli/nearest.ts";
import { textWidth, wrap } from "../../src/cli/wrap.ts";
import { mayPaint } from "../../src/cli/paint.ts";

const known = ["serve", "service", "setup", "doctor", "demo", "jobs", "tunnel"];

test.each<[string, string | null]>([
  ["serv", "serve"],
  ["se", null],
  ["srve", "serve"],
  ["serivce", "service"],
  ["docter", "doctor"],
  ["jbos", "jobs"],
  ["doc", "doctor"],
  ["d", null],
  ["setpu", "setup"],
  ["", null],
  ["destroy", null],
  ["constructor", null],
])("%j is taken for %j", (typed, meant) => {
  expect(nearest(typed, known)).toBe(meant);
});

test("text is broken at spaces, and no word is lost or cut", () => {
  const text = "the quick brown fox /a/path/that/is/longer/than/the/line jumps";
  const lines = wrap(text, 16);
  expect(lines).toEqual(["the quick brown", "fox", "/a/path/that/is/longer/than/the/line", "jumps"]);
  expect(lines.join(" ")).toBe(text);
  expect(wrap("", 10)).toEqual([""]);
});

test.each([
  [{}, 79],
  [{ columns: 60 }, 59],
  [{ columns: 20 }, 40],
  [{ columns: 300 }, 99],
])("on %j text is %i wide", (output, width) => {
  expect(textWidth(output)).toBe(width);
});

test.each<[string, boolean, Record<string, string>, boolean]>([
  ["a terminal", true, {}, true],
  ["a pipe", false, {}, false],
  ["a terminal with NO_COLOR", true, { NO_COLOR: "1" }, false],
  ["a terminal with an empty NO_COLOR", true, { NO_COLOR: "" }, true],
  ["a dumb terminal", true, { TERM: "dumb" }, false],
])("%s: colour %s", (_name, isTTY, environment, colour) => {
  expect(mayPaint(environment, { isTTY, write() {} })).toBe(colour);
});
