import { expect, test } from "vitest";
import { toJsonLine } from "../../src/codex/json-line.ts";

test.each([
  ["half a pair", "say \ud800 hello", "say \uFFFD hello"],
  ["the other half", "\udfff", "\uFFFD"],
  ["both halves in the wrong order", "\udc00\ud800", "\uFFFD\uFFFD"],
  ["a whole pair", "\u{1f600}", "\u{1f600}"],
  ["an escape that the text itself spells", String.raw`\ud800`, String.raw`\ud800`],
  ["such a one before half a pair", `${String.raw`\\ud800`}\ud800`, `${String.raw`\\ud800`}\uFFFD`],
  ["other escapes", '\n\t"\u0000\ud7ff\ue000', '\n\t"\u0000\ud7ff\ue000'],
])("%s arrives as Codex can read it, in a value and in a name", (_name, text, expected) => {
  const line = toJsonLine({ [text]: [text] });
  expect(line).not.toMatch(/\n/);
  expect(JSON.parse(line)).toEqual({ [expected]: [expected] });
});
