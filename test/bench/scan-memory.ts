/**
 * A process of its own that only scans: prints how many MiB more than before it holds at its peak, after a first look
 * and several more at the same files. `node test/bench/scan-memory.ts <compiled src> <root>`
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { scanProject } from "../../src/workspace/scan.ts";

const [compiled = "", root = ""] = process.argv.slice(2);
const module = (await import(pathToFileURL(join(compiled, "workspace", "scan.js")).href)) as {
  readonly scanProject: typeof scanProject;
};

await sleep(300);
const idle = mebibytes("VmRSS");
for (let index = 0; index < 5; index++) await module.scanProject(root, { deadlineMs: 60_000, content: true });
console.log((mebibytes("VmHWM") - idle).toFixed(1));
process.exit();

function mebibytes(field: string): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
}
