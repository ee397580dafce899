/**
 * The scan against `find` and against reading everything, on a generated tree of 100,000 files. Prints medians of
 * interleaved rounds, the median of their ratios, and the memory of a process that only scans, compiled as it ships. `node test/bench/scan.ts [--keep] [--rounds=9]`
 */
import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { forgetCleanFiles } from "../../src/workspace/content-scanner.ts";
import { scanProject } from "../../src/workspace/scan.ts";
import { buildDoor } from "./support/door.ts";
import { median, medianOfRatios } from "./support/statistics.ts";

const argument = (name: string): string | undefined =>
  process.argv.find((value) => value.startsWith(`--${name}`))?.split("=")[1];
const rounds = Number(argument("rounds") ?? 9);
const root = join(tmpdir(), "codex-gpt-bridge-bench-tree");
const DIRECTORIES = 4_600;

function buildTree(): void {
  let seed = 1;
  const random = (): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff) / 0x7fffffff;
  const words =
    "config import const return function export value handler request index module service user account order item list query task-runner https://example.com/path state props render test build compile async await new class interface type".split(
      " ",
    );
  const extensions = ["ts", "tsx", "js", "json", "md", "css", "py", "go", "yml", "svg", "html", "txt"];
  let text = "";
  while (text.length < 200_000)
    text += `${words[Math.floor(random() * words.length)]}${random() < 0.12 ? "\n" : " "}`;
  for (let directory = 0; directory < DIRECTORIES; directory++) {
    const modules = directory < 850;
    const path = modules
      ? join(root, "node_modules", `pkg${directory % 300}`, `lib${Math.floor(directory / 300)}`)
      : join(root, "src", `area${directory % 60}`, `part${Math.floor(directory / 60) % 10}`, `d${directory}`);
    mkdirSync(path, { recursive: true });
    for (let file = 0; file < (modules ? 27 : 27); file++) {
      const start = Math.floor(random() * 190_000);
      const body = text.slice(start, start + 200 + Math.floor(random() * random() * 6_000));
      const name = `file-${file}-${words[Math.floor(random() * 14)]}.${extensions[Math.floor(random() * 12)]}`;
      writeFileSync(join(path, name), body);
    }
  }
}

function readAll(directory: string, buffer: Buffer): number {
  let bytes = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) bytes += entry.name === "node_modules" ? 0 : readAll(path, buffer);
    else {
      const file = openSync(path, "r");
      bytes += readSync(file, buffer, 0, buffer.length, 0);
      closeSync(file);
    }
  }
  return bytes;
}

interface Sample {
  readonly ms: number;
  readonly stallMs: number;
}

/** Time of `run`, and the longest that the event loop was held meanwhile. */
async function measure(run: () => unknown): Promise<Sample> {
  let last = performance.now();
  let stallMs = 0;
  let going = true;
  const tick = (): void => {
    const now = performance.now();
    stallMs = Math.max(stallMs, now - last);
    last = now;
    if (going) setTimeout(tick, 1);
  };
  setTimeout(tick, 1);
  const started = performance.now();
  await run();
  const ms = performance.now() - started;
  await new Promise((resolve) => setTimeout(resolve, 5));
  going = false;
  return { ms, stallMs };
}

const samples = new Map<string, Sample[]>();
async function round(name: string, run: () => unknown): Promise<void> {
  const list = samples.get(name) ?? [];
  samples.set(name, list);
  list.push(await measure(run));
}

if (!existsSync(root)) buildTree();
const options = { deadlineMs: 60_000 };

for (let index = 0; index < rounds; index++) {
  await round("find", () => spawnSync("find", [root], { stdio: "ignore" }));
  await round("names", () => scanProject(root, options));
}
print("find");

const buffer = Buffer.alloc(4 * 1024 * 1024);
for (let index = 0; index < rounds; index++) {
  forgetCleanFiles();
  await round("names+content", () => scanProject(root, { ...options, content: true }));
  await round("the same again", () => scanProject(root, { ...options, content: true }));
  await round("read-all", () => readAll(root, buffer));
}
print("read-all");
const door = await buildDoor();
const memory = spawnSync(
  process.execPath,
  [join(import.meta.dirname, "scan-memory.ts"), dirname(door.path), root],
  { encoding: "utf8" },
);
await door.dispose();
console.log(`names+content: ${memory.stdout.trim()} MiB more memory at the peak`);
const report = await scanProject(root, options);
console.log(
  `files ${report.files}, directories ${report.directories}, complete ${report.complete}, findings ${report.findings.length}`,
);
if (!process.argv.includes("--keep")) rmSync(root, { recursive: true, force: true });

/** Medians and best times so far, and how often the base, or what came before, would fit into them; begins anew. */
function print(base: string): void {
  const timesOf = (name: string): number[] => (samples.get(name) ?? []).map(({ ms }) => ms);
  for (const [name, list] of samples) {
    const times = list.map((sample) => sample.ms);
    const stall = median(list.map((sample) => sample.stallMs));
    const reference = name === "the same again" ? "names+content" : base;
    const unit = timesOf(reference);
    const ratio = `${medianOfRatios(times, unit).toFixed(2)} (best ${(Math.min(...times) / Math.min(...unit)).toFixed(2)})`;
    console.log(
      `${name.padEnd(16)} ${median(times).toFixed(0).padStart(5)} ms, best ${Math.min(...times)
        .toFixed(0)
        .padStart(5)} ms = ${ratio} x ${reference}, stall ${stall.toFixed(1)} ms`,
    );
  }
  samples.clear();
}
