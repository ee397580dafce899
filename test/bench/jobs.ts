/**
 * What 2,000 jobs leave behind: in the Codex process (resident memory), and in the bridge (live heap after garbage
 * collection; jobs and answers are on the disk).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { codexBinaries, type CodexVersion } from "../support/scripted-codex.ts";
import { say } from "../../src/demo/scripted-model/steps.ts";
import { createMcpCaller, mustBeCompleted, type McpCaller } from "./support/mcp-caller.ts";
import { token, type Door } from "./support/door.ts";
import { connectHeapProbe, residentBytes } from "./support/memory.ts";
import { option } from "./support/options.ts";
import { atMost, information, type Row } from "./support/row.ts";
import { withStage } from "./support/stage.ts";

const PROMPT = "bench: one of many";
const ANSWER = "The answer of a job says something. ".repeat(200);
const AT_ONCE = 8;
/** Longer than Codex and the bridge take to let go of the last threads. */
const SETTLE_MS = 13_000;
const JOBS = option("jobs", 2_000);
const JOBS_BEYOND = JOBS / 2;

export async function run(): Promise<Row[]> {
  return [...(await measure("0.169.0")), ...(await measure("0.153.4"))];
}

async function measure(version: CodexVersion): Promise<Row[]> {
  return withStage(async (stage) => {
    stage.model.script(PROMPT, [say(ANSWER)]);
    const door = await stage.bridge(codexBinaries[version], {
      flags: [`--max-concurrent=${AT_ONCE}`],
      nodeFlags: ["--inspect=127.0.0.1:0"],
    });
    const caller = createMcpCaller(door.port, token);
    const probe = await connectHeapProbe(door.log());

    const weigh = async (): Promise<Weight> => {
      await sleep(SETTLE_MS);
      await runJobs(caller, 1); // a process that was replaced starts with the next job
      const heap = await probe.heapBytes();
      return { heap, door: await residentBytes(door.pid), codex: await codexBytes(door) };
    };
    await runJobs(caller, 40);
    const before = await weigh();
    let peak = before.codex;
    const watch = setInterval(() => {
      void codexBytes(door).then((bytes) => {
        peak = Math.max(peak, bytes);
      });
    }, 2_000);
    const began = performance.now();
    await runJobs(caller, JOBS);
    const seconds = (performance.now() - began) / 1_000;
    clearInterval(watch);
    const after = await weigh();
    const rows = [
      atMost(
        `Codex ${version} after ${JOBS} jobs`,
        perJob(before.codex, after.codex, JOBS) / 1_024,
        50,
        "KB each",
        `${mega(before.codex)} → ${mega(after.codex)} MB, at most ${mega(peak)}; ${(JOBS / seconds).toFixed(1)} jobs/s`,
      ),
      atMost(
        `bridge's heap after ${JOBS} jobs (${version})`,
        perJob(before.heap, after.heap, JOBS) / 1_024,
        2,
        "KiB each",
        `${mega(before.heap)} → ${mega(after.heap)} MB; an answer has ${ANSWER.length} bytes`,
      ),
      information(`bridge's RSS (${version})`, `${mega(before.door)} → ${mega(after.door)} MB`),
    ];
    if (version === "0.169.0") {
      await runJobs(caller, JOBS_BEYOND);
      const beyond = await weigh();
      const growth = `${mega(after.heap)} → ${mega(beyond.heap)} MB`;
      rows.push(information(`bridge's heap, ${JOBS_BEYOND} jobs more`, growth));
    }
    probe.close();
    caller.close();
    return rows;
  });
}

async function runJobs(caller: McpCaller, count: number): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      mustBeCompleted(await caller.call("codex_read", { prompt: `${PROMPT}, number ${next}` }));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

interface Weight {
  readonly codex: number;
  readonly door: number;
  readonly heap: number;
}

/** Of all Codex processes of the bridge: while one is replaced, there are two. */
async function codexBytes(door: Door): Promise<number> {
  const sizes = await Promise.all((await door.codexPids()).map(residentBytes));
  return sizes.reduce((sum, bytes) => sum + bytes, 0);
}

function perJob(before: number, after: number, jobs: number): number {
  return Math.max(0, after - before) / jobs;
}

function mega(bytes: number): string {
  return (bytes / 1_048_576).toFixed(1);
}
