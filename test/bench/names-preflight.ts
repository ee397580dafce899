/** The look at names and content of 100,000 files, against `find` and reading: runs scan.ts and takes its numbers. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { atMost, type Row } from "./support/row.ts";

const runFile = promisify(execFile);

export async function run(): Promise<Row[]> {
  const { stdout } = await runFile(process.execPath, [join(import.meta.dirname, "scan.ts")]);
  const names = timesOf(stdout, "names ");
  const content = timesOf(stdout, "names+content ");
  const again = timesOf(stdout, "the same again");
  const memory = /([\d.]+) MiB more memory/.exec(stdout)?.[1];
  if (memory === undefined) throw new Error(`scan.ts printed something else:\n${stdout}`);
  const preflight = (what: string, { ratio, detail }: Times, limit: number): Row =>
    atMost(`preflight of 100,000 files, ${what}`, ratio, limit, "×", detail);
  return [
    preflight("names, in find", names, 0.6),
    preflight("names and content, in reading all", content, 1),
    preflight("unchanged, in the first look", again, 0.3),
    atMost("preflight, event-loop stall", Math.max(names.stallMs, content.stallMs, again.stallMs), 20, "ms"),
    atMost("preflight, more memory", Number(memory), 64, "MiB"),
  ];
}

interface Times {
  readonly ratio: number;
  readonly stallMs: number;
  readonly detail: string;
}

function timesOf(stdout: string, name: string): Times {
  const line = stdout.split("\n").find((text) => text.startsWith(name));
  const [, ms, ratio, bestRatio, stallMs] =
    /(\d+) ms, best .* = ([\d.]+) \(best ([\d.]+)\) x .*, stall ([\d.]+) ms/.exec(line ?? "") ?? [];
  if (ms === undefined) throw new Error(`scan.ts printed something else:\n${stdout}`);
  return { ratio: Number(ratio), stallMs: Number(stallMs), detail: `${ms} ms; best ${bestRatio} ×` };
}
