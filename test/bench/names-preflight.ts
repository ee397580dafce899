/** The look at the names of 100,000 files against `find`: runs scan.ts and takes its numbers. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { atMost, type Row } from "./support/row.ts";

const runFile = promisify(execFile);

export async function run(): Promise<Row[]> {
  const { stdout } = await runFile(process.execPath, [join(import.meta.dirname, "scan.ts")]);
  const line = stdout.split("\n").find((text) => text.startsWith("names "));
  const [, ms, ratio, bestRatio, stallMs] =
    /(\d+) ms, best .* = ([\d.]+) \(best ([\d.]+)\) x find, stall ([\d.]+) ms/.exec(line ?? "") ?? [];
  if (ms === undefined) throw new Error(`scan.ts printed something else:\n${stdout}`);
  return [
    atMost(
      "names preflight, 100,000 files, in find",
      Number(ratio),
      0.6,
      "×",
      `${ms} ms; best ${bestRatio} ×`,
    ),
    atMost("names preflight, event-loop stall", Number(stallMs), 20, "ms"),
  ];
}
