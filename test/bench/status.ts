/**
 * `bridge_status` of the real door against a bare Hono + SDK server with one trivial tool, at 1, 16 and 64
 * connections; and how long it takes at worst while 100 jobs run.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { codexBinaries } from "../support/scripted-codex.ts";
import { say } from "../../src/demo/scripted-model/steps.ts";
import { createMcpCaller, mustBeCompleted } from "./support/mcp-caller.ts";
import { token } from "./support/door.ts";
import { option } from "./support/options.ts";
import { atLeast, atMost, information, type Row } from "./support/row.ts";
import { withStage, type Stage } from "./support/stage.ts";
import { inTurns, median, medianOfRatios, percentile, timed } from "./support/statistics.ts";

const SECONDS = 0.5;
const JOBS = 100;
const PROMPT = "bench: a job of two seconds";
const LONG = "bench: a job of forty seconds, number";
const ASK_MS = 12_000;
/** Running to the bridge, a turn is still being opened in Codex for a while. */
const SETTLE_MS = 8_000;

export async function run(): Promise<Row[]> {
  return withStage(async (stage) => [
    ...(await compareThroughput(stage)),
    ...(await askWhileBusy(stage)),
    ...(await askWhileWaiting(stage)),
  ]);
}

async function compareThroughput(stage: Stage): Promise<Row[]> {
  const door = await stage.bridge(codexBinaries["0.169.0"]);
  const bare = await startBare();
  const rows: Row[] = [];
  try {
    for (const connections of [1, 16, 64]) {
      const ours = () => rate(door.port, "bridge_status", connections, SECONDS);
      const reference = () => rate(bare.port, "status", connections, SECONDS);
      await inTurns(2, ours, reference);
      const rates = await inTurns(option("rounds", 15), ours, reference);
      const detail = `${median(rates.ours).toFixed(0)} against ${median(rates.reference).toFixed(0)}/s`;
      const ratio = medianOfRatios(rates.ours, rates.reference);
      rows.push(atLeast(`bridge_status, ${connections} connections`, ratio, 0.7, "×", detail));
    }
  } finally {
    bare.stop();
    await door.stop();
  }
  return rows;
}

/** Answers per second over kept-alive sockets, each sending its next call when the last is answered. */
async function rate(port: number, tool: string, connections: number, seconds: number): Promise<number> {
  const caller = createMcpCaller(port, token, connections);
  const began = performance.now();
  const end = began + seconds * 1_000;
  let answered = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      await caller.send(tool);
      answered += 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  caller.close();
  return answered / ((performance.now() - began) / 1_000);
}

async function askWhileBusy(stage: Stage): Promise<Row[]> {
  stage.model.script(PROMPT, [say("Done.", { delayMs: 2_000 })]);
  const codex = codexBinaries["0.169.0"];
  const door = await stage.bridge(codex, { flags: [`--max-concurrent=${JOBS}`, `--queue=${JOBS}`] });
  const direct = await stage.direct(codex);
  const caller = createMcpCaller(door.port, token);
  const prompts = Array.from({ length: JOBS }, (_, index) => `${PROMPT}, number ${index}`);
  const ours = (): Promise<number> =>
    timed(() =>
      Promise.all(prompts.map(async (prompt) => mustBeCompleted(await finish(caller, { prompt })))),
    );
  const reference = (): Promise<number> =>
    timed(() => Promise.all(prompts.map(async (prompt) => direct.runTurn(prompt))));
  const latencies: number[] = [];
  const delays: number[] = [];
  const watched = async (): Promise<number> => {
    const asker = fork(import.meta.filename, ["--ask", String(door.port)]);
    await once(asker, "message");
    const ms = await ours();
    const answered = once(asker, "message");
    asker.send("enough");
    const [heard] = (await answered) as [Heard];
    latencies.push(...heard.latencies);
    delays.push(...heard.delays);
    return ms;
  };
  const times = await inTurns(option("busy-rounds", 4), watched, reference);
  caller.close();
  const worst = Math.max(...latencies).toFixed(0);
  const detail = `worst ${worst} ms of ${latencies.length} calls; p99 of the asker's own delay ${percentile(delays, 0.99).toFixed(0)} ms`;
  return [
    atMost(`bridge_status p99 while ${JOBS} jobs run`, percentile(latencies, 0.99), 100, "ms", detail),
    information(
      `${JOBS} jobs of 2 s at once, against direct`,
      `${medianOfRatios(times.ours, times.reference).toFixed(2)} × (${median(times.ours).toFixed(0)} against ${median(times.reference).toFixed(0)} ms)`,
    ),
  ];
}

/**
 * All jobs run, a caller waits for each of them, nothing starts and nothing ends: what does `bridge_status` cost now?
 * A bare server, which has nothing to do with all that, is asked in turn: what the machine itself makes of it.
 */
async function askWhileWaiting(stage: Stage): Promise<Row[]> {
  stage.model.script(LONG, [say("word ".repeat(80), { chunks: 80, chunkMs: 500 })]);
  const flags = [`--max-concurrent=${JOBS}`, `--queue=${JOBS}`, "--fast-return-ms=25000"];
  const door = await stage.bridge(codexBinaries["0.169.0"], { flags });
  const bare = await startBare();
  const caller = createMcpCaller(door.port, token);
  const idle = nothingHeard();
  const busy = nothingHeard();
  for (let round = 0; round < option("waiting-rounds", 2); round += 1) {
    add(idle, await askFor(door.port, bare.port, ASK_MS));
    const jobs = Array.from({ length: JOBS }, (_, n) => finish(caller, { prompt: `${LONG} ${round}-${n}` }));
    while ((await caller.call("bridge_status"))["jobsRunning"] !== JOBS) await sleep(100);
    await sleep(SETTLE_MS);
    add(busy, await askFor(door.port, bare.port, ASK_MS));
    for (const answer of await Promise.all(jobs)) mustBeCompleted(answer);
  }
  caller.close();
  bare.stop();
  await door.stop();
  const p99 = (of: (heard: Heard) => number[]) =>
    [percentile(of(busy), 0.99), percentile(of(idle), 0.99)] as const;
  const [loaded, quiet] = p99(({ latencies }) => latencies);
  const [bareLoaded, bareQuiet] = p99(({ bare: latencies }) => latencies);
  const detail = `${loaded.toFixed(1)} against ${quiet.toFixed(1)} ms, of ${busy.latencies.length} and ${idle.latencies.length} calls; p99 of the asker's own delay ${percentile(busy.delays, 0.99).toFixed(1)} ms`;
  return [
    atMost(
      `bridge_status p99, ${JOBS} jobs and waiting callers against idle`,
      loaded / quiet,
      3,
      "×",
      detail,
    ),
    information(
      "a bare server meanwhile",
      `${(bareLoaded / bareQuiet).toFixed(2)} × (${bareLoaded.toFixed(1)} against ${bareQuiet.toFixed(1)} ms)`,
    ),
  ];
}

function nothingHeard(): Heard {
  return { latencies: [], bare: [], delays: [] };
}

function add(all: Heard, more: Heard): void {
  all.latencies.push(...more.latencies);
  all.bare.push(...more.bare);
  all.delays.push(...more.delays);
}

async function startBare(): Promise<{ readonly port: number; stop: () => void }> {
  const child = fork(join(import.meta.dirname, "http.ts"), ["--serve", "bare"]);
  const [port] = (await once(child, "message")) as [number];
  return { port, stop: () => void child.kill() };
}

async function askFor(port: number, barePort: number, ms: number): Promise<Heard> {
  const asker = fork(import.meta.filename, ["--ask", String(port), String(barePort)]);
  await once(asker, "message");
  await sleep(ms);
  const answered = once(asker, "message");
  asker.send("enough");
  const [heard] = (await answered) as [Heard];
  return heard;
}

async function finish(
  caller: ReturnType<typeof createMcpCaller>,
  args: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  let answer = await caller.call("codex_read", args);
  while (answer["status"] === "running" || answer["status"] === "queued") {
    answer = await caller.call("codex_job_status", { jobId: answer["jobId"] });
  }
  return answer;
}

interface Heard {
  readonly latencies: number[];
  /** Of a bare server, asked in turn with the bridge where there is one. */
  readonly bare: number[];
  /** How late a timer of the asker itself was: what no bridge could better. */
  readonly delays: number[];
}

/** A process of its own, so that the work of the model and of the other callers is not measured. */
async function ask(port: number, barePort: number | null): Promise<void> {
  const caller = createMcpCaller(port, token, 1);
  const bareCaller = barePort === null ? null : createMcpCaller(barePort, token, 1);
  const heard = nothingHeard();
  const stop = new AbortController();
  process.once("message", () => {
    stop.abort();
  });
  process.send?.("asking");
  while (!stop.signal.aborted) {
    heard.latencies.push(await timed(() => caller.send("bridge_status")));
    heard.delays.push((await timed(() => sleep(10))) - 10);
    if (bareCaller === null) continue;
    heard.bare.push(await timed(() => bareCaller.send("status")));
    heard.delays.push((await timed(() => sleep(10))) - 10);
  }
  caller.close();
  bareCaller?.close();
  process.send?.(heard);
}

const askIndex = process.argv.indexOf("--ask");
if (askIndex !== -1) {
  const [port, barePort] = process.argv.slice(askIndex + 1).map(Number);
  await ask(port ?? 0, barePort ?? null);
}
