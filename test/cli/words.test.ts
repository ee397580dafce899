import { expect, test } from "vitest";
import { createReportText, toReportLines, toSummary } from "../../src/cli/doctor-text.ts";
import { nearest } from "../../src/cli/nearest.ts";
import { textWidth, wrap } from "../../src/cli/wrap.ts";
import { createPaint, mayPaint } from "../../src/cli/paint.ts";
import { createWaitingLine } from "../../src/cli/waiting-line.ts";
import type { CheckReport } from "../../src/doctor/run-checks.ts";

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

test.each([true, false])(
  "what is waited for is shown and taken away again; on a terminal only (%s)",
  (isTTY) => {
    let written = "";
    const line = createWaitingLine({ isTTY, write: (text) => (written += text) });
    line.show("confinement");
    const shown = written;
    line.clear();
    line.clear();
    expect(shown.includes("confinement")).toBe(isTTY);
    expect(written.slice(shown.length)).toBe(isTTY ? "\r\u001B[K" : "");
  },
);

test("a finding has its mark, its reason and the thing to do, and steers no terminal", () => {
  const report: CheckReport = {
    name: "port",
    title: "port",
    status: "failed",
    reason: "another program answers on http://127.0.0.1:8765 and calls itself \u001B[2Jnice",
    next: "choose another port with --port, for the bridge and for its tunnel",
    elapsedMs: 1,
  };
  const plain = createPaint({ environment: {} }, { write() {} });
  expect(toReportLines(report, { width: 60, paint: plain })).toBe(
    `✗ port               another program answers on
                     http://127.0.0.1:8765 and calls itself
                     \uFFFD[2Jnice
                     → choose another port with --port, for
                       the bridge and for its tunnel
`,
  );
  const paint = createPaint({ environment: {} }, { isTTY: true, write() {} });
  expect(toReportLines(report, { width: 60, paint })).toContain("\u001B[31m✗\u001B[0m");
  expect(toSummary([report, { ...report, status: "ok" }], { width: 60, paint: plain })).toBe(
    "\n1 fine, 1 failed.\n",
  );
});

test("links that are not looked at for the same reason are one line, and the order is kept", () => {
  const paint = createPaint({ environment: {} }, { write() {} });
  const text = createReportText({ width: 79, paint });
  const told = (title: string, status: CheckReport["status"], reason: string): string =>
    text.add({ name: title, title, status, reason, next: null, elapsedMs: 1 });
  const before = "the configuration has to be right first";
  expect(told("configuration", "ok", "fine")).toBe("✓ configuration      fine\n");
  expect(told("backend", "skipped", "no Codex")).toBe("");
  expect(told("Codex login", "skipped", "no Codex")).toBe("");
  expect(told("service", "skipped", "not installed")).toBe(
    "- 2 more             no Codex (backend, Codex login)\n",
  );
  expect(told("port", "ok", "free")).toBe("- service            not installed\n✓ port               free\n");
  for (let index = 1; index <= 16; index += 1) expect(told(`link ${index}`, "skipped", before)).toBe("");
  expect(text.rest()).toBe(`- 16 more            ${before}\n`);
  expect(text.rest()).toBe("");
});
