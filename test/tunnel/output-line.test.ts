import { expect, test } from "vitest";
import { parseOutputLine } from "../../src/tunnel/output-line.ts";

test.each([
  [
    "a JSON line with an error",
    '{"time":"2026-11-21T00:00:00Z","level":"ERROR","msg":"poll failed","error":"status 401"}',
    { level: "error", text: "poll failed: status 401" },
  ],
  ["a JSON line without a level", '{"msg":"hello"}', { level: "info", text: "hello" }],
  [
    "a JSON line with a level of its own",
    '{"level":"NOTICE","msg":"hello"}',
    { level: "info", text: "hello" },
  ],
  ["JSON that is cut off", '{"level":"ERR', { level: "info", text: '{"level":"ERR' }],
  [
    "a line of cloudflared",
    "2026-11-21T00:00:00Z INF Registered tunnel connection connIndex=0",
    { level: "info", text: "Registered tunnel connection connIndex=0" },
  ],
  [
    "a coloured one",
    "\u001B[90m2026-11-21T00:00:00Z\u001B[0m \u001B[31mERR\u001B[0m no",
    { level: "error", text: "no" },
  ],
  ["a word that is no level", "THE end", { level: "info", text: "THE end" }],
  ["an empty line", "", { level: "info", text: "" }],
])("%s", (_name, line, parsed) => {
  expect(parseOutputLine(line)).toEqual(parsed);
});

test("a long line is cut", () => {
  expect(parseOutputLine("x".repeat(10_000)).text).toHaveLength(501);
});
