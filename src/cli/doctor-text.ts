/** Findings as a person reads them: one for each link, the thing to do below it. Pure. */
import type { CheckStatus } from "../doctor/check.ts";
import type { CheckReport } from "../doctor/run-checks.ts";
import { toShown } from "./command-flags.ts";
import type { Paint } from "./paint.ts";
import { wrap } from "./wrap.ts";

interface Show {
  readonly width: number;
  readonly paint: Paint;
}

const MARKS = {
  ok: ["✓", "green"],
  warning: ["!", "yellow"],
  failed: ["✗", "red"],
  skipped: ["-", "dim"],
} as const;
const TITLE_WIDTH = 19;
const INDENT = 2 + TITLE_WIDTH;

/**
 * Takes the findings one by one and gives the text that is due: those that are skipped one after another, for the same
 * reason, are one line. After the last one, `rest` gives what was held back.
 */
export function createReportText(show: Show): { add(report: CheckReport): string; rest(): string } {
  let held: CheckReport[] = [];
  function rest(): string {
    const [first] = held;
    const text = first === undefined ? "" : toReportLines(asOne(first, held, show.width), show);
    held = [];
    return text;
  }
  return {
    rest,
    add(report) {
      const belongs = report.status === "skipped" && report.reason === held[0]?.reason;
      const before = belongs ? "" : rest();
      if (report.status !== "skipped") return before + toReportLines(report, show);
      held.push(report);
      return before;
    },
  };
}

/** With their names where these fit on the line. */
function asOne(first: CheckReport, all: readonly CheckReport[], width: number): CheckReport {
  if (all.length === 1) return first;
  const named = `${first.reason} (${all.map(({ title }) => title).join(", ")})`;
  const reason = named.length <= width - INDENT ? named : first.reason;
  return { ...first, title: `${all.length} more`, reason };
}

export function toReportLines({ status, title, reason, next }: CheckReport, { width, paint }: Show): string {
  const [mark, colour] = MARKS[status];
  const [first = "", ...rest] = wrap(toShown(reason), width - INDENT);
  const lines = [
    `${paint(colour, mark)} ${title.padEnd(TITLE_WIDTH)}${status === "skipped" ? paint("dim", first) : first}`,
  ];
  lines.push(...rest.map((line) => " ".repeat(INDENT) + line));
  if (next !== null) {
    for (const [index, line] of wrap(toShown(next), width - INDENT - 2).entries()) {
      lines.push(" ".repeat(INDENT) + paint("bold", `${index === 0 ? "→" : " "} ${line}`));
    }
  }
  return `${lines.join("\n")}\n`;
}

export function toSummary(reports: readonly CheckReport[], { paint }: Show): string {
  const count = (wanted: CheckStatus): number => reports.filter(({ status }) => status === wanted).length;
  const failed = count("failed");
  const warnings = count("warning");
  const parts = [`${count("ok")} fine`];
  if (warnings > 0) parts.push(`${warnings} ${warnings === 1 ? "warning" : "warnings"}`);
  if (failed > 0) parts.push(`${failed} failed`);
  if (count("skipped") > 0) parts.push(`${count("skipped")} not looked at`);
  const colour = failed > 0 ? "red" : warnings > 0 ? "yellow" : "green";
  return `\n${paint(colour, `${parts.join(", ")}.`)}\n`;
}
