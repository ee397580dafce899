import { expect, test } from "vitest";
import { createLog } from "../../src/lib/log.ts";
import { prettyDestination } from "../../src/lib/pretty-log.ts";

function written(level: "debug" | "warn" | "silent"): { lines: string[]; log: ReturnType<typeof createLog> } {
  const lines: string[] = [];
  return { lines, log: createLog(level, { write: (line: string) => lines.push(line) }) };
}

test("a line is one JSON object with level, time, fields and message", () => {
  const { lines, log } = written("debug");
  log.info({ port: 1, text: 'new\nline "quoted"' }, "listening");
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^\{.*\}\n$/);
  const { time, ...rest } = JSON.parse(lines[0] ?? "") as Record<string, unknown>;
  expect(rest).toEqual({ level: "info", port: 1, text: 'new\nline "quoted"', msg: "listening" });
  expect(time).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
});

test("what is below the level is not written", () => {
  const { lines, log } = written("warn");
  log.debug({}, "no");
  log.info({}, "no");
  log.warn({}, "yes");
  log.error({}, "yes");
  expect(lines).toHaveLength(2);
  expect(written("silent").lines).toEqual([]);
});

test("an error is written with its message and cause", () => {
  const { lines, log } = written("warn");
  log.error({ err: new Error("outer", { cause: new Error("inner") }) }, "failed");
  expect(lines[0]).toContain("outer");
  expect(lines[0]).toContain("inner");
});

test("on a terminal a line is time, level, message and the rest", () => {
  const shown: string[] = [];
  const pretty = prettyDestination((text) => shown.push(text), false);
  pretty.write(
    '{"level":"warn","time":"2026-01-01T10:11:12.000Z","port":8765,"what":"two words","msg":"hello"}',
  );
  expect(shown).toEqual(['10:11:12 warn  hello port=8765 what="two words"\n']);
});

test("on a terminal no field can end its line or colour the rest", () => {
  const shown: string[] = [];
  const pretty = prettyDestination((text) => shown.push(text), false);
  pretty.write(JSON.stringify({ level: "info", time: "", what: "a\n\u001B[31mb", msg: "m" }));
  expect(shown.join("").split("\n")).toHaveLength(2);
  expect(shown.join("")).not.toContain("\u001B");
});

test("colours mark what is wrong on a terminal, and only where they are wanted", () => {
  const line = JSON.stringify({ level: "error", time: "", msg: "no" });
  const shown = [true, false].map((colours) => {
    let text = "";
    prettyDestination((piece) => (text += piece), colours).write(line);
    return text;
  });
  expect(shown[0]?.startsWith("\u001B[31m")).toBe(true);
  expect(shown[0]?.endsWith("no\u001B[0m\n")).toBe(true);
  expect(shown[1]).not.toContain("\u001B");
});
