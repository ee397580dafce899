/**
 * What the guard costs those who belong here: `bridge_status` with and without guard and token check, and how long a
 * good client waits while 200 hostile ones knock at the real door.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { codexBinaries } from "../support/scripted-codex.ts";
import { token } from "./support/door.ts";
import { startHostileCrowd } from "./support/hostile-crowd.ts";
import { createMcpCaller } from "./support/mcp-caller.ts";
import { option } from "./support/options.ts";
import { atLeast, atMost, information, type Row } from "./support/row.ts";
import { withStage } from "./support/stage.ts";
import { median, medianOfRatios, percentile, timed } from "./support/statistics.ts";
import { startStatusServer, type StatusServerKind } from "./support/status-server.ts";

const CALLS = 500;
const HOSTILE = 200;

export async function run(): Promise<Row[]> {
  return [...(await compareThroughput()), ...(await askAmongHostiles())];
}

const KINDS = ["bare", "static-token", "created-token"] as const;

async function compareThroughput(): Promise<Row[]> {
  // The servers are simply ended: what they leave lies in here.
  const scratch = await mkdtemp(join(tmpdir(), "bench-guard-"));
  const servers = new Map<StatusServerKind, Fork<ServerReady>>();
  const rows: Row[] = [];
  try {
    for (const kind of KINDS) servers.set(kind, await startFork<ServerReady>(["--serve", kind], scratch));
    // A server grows faster over its first ten thousands of calls: none of them counts, and all get as many.
    await measureInTurns(servers, 30, 8);
    for (const connections of [1, 16]) {
      const spent = await measureInTurns(servers, option("rounds", 15), connections);
      const bare = spent.get("bare") ?? [];
      for (const kind of KINDS.slice(1)) {
        const ours = spent.get(kind) ?? [];
        const detail = `${perSecond(ours)} against ${perSecond(bare)} calls for a second of CPU`;
        const name = `bridge_status behind guard and ${kind}, ${connections} connection(s), against none`;
        rows.push(atLeast(name, medianOfRatios(bare, ours), 0.85, "×", detail));
      }
    }
  } finally {
    for (const { child } of servers.values()) {
      child.kill();
      await once(child, "exit");
    }
    await rm(scratch, { recursive: true, force: true });
  }
  return rows;
}

/** All of them in each round, another one first in each. */
async function measureInTurns(
  servers: ReadonlyMap<StatusServerKind, Fork<ServerReady>>,
  rounds: number,
  connections: number,
): Promise<Map<StatusServerKind, number[]>> {
  const spent = new Map<StatusServerKind, number[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < KINDS.length; turn += 1) {
      const kind = KINDS[(round + turn) % KINDS.length] ?? "bare";
      const server = servers.get(kind);
      if (server === undefined) continue;
      const times = spent.get(kind) ?? [];
      times.push(await cpuOfCalls(server, connections));
      spent.set(kind, times);
    }
  }
  return spent;
}

/**
 * CPU time that the server takes for `CALLS` calls, in µs for each: what its throughput is made of, and not touched by
 * whatever else the machine does.
 */
async function cpuOfCalls({ child, told }: Fork<ServerReady>, connections: number): Promise<number> {
  const caller = createMcpCaller(told.port, told.credential, connections);
  const cpu = async (): Promise<number> => {
    const answered = once(child, "message");
    child.send("cpu");
    return Number((await answered)[0]);
  };
  const before = await cpu();
  let left = CALLS;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await caller.send("bridge_status");
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  caller.close();
  return ((await cpu()) - before) / CALLS;
}

function perSecond(cpuOfOne: readonly number[]): string {
  return (1_000_000 / median(cpuOfOne)).toFixed(0);
}

/** Idle and attacked in turns, at the same door; both with the product's own limits. */
async function askAmongHostiles(): Promise<Row[]> {
  return withStage(async (stage) => {
    const door = await stage.bridge(codexBinaries["0.169.0"]);
    const asker = fork(import.meta.filename, ["--ask", String(door.port)]);
    await once(asker, "message");
    const hear = async (): Promise<Heard> => {
      const answered = once(asker, "message");
      asker.send(option("calls", 1_000));
      return ((await answered) as [Heard])[0];
    };
    const idle: number[] = [];
    const attacked: number[] = [];
    const ratios: number[] = [];
    let refusals = 0;
    await hear();
    for (let round = 0; round < option("attacks", 5); round += 1) {
      const quiet = percentile((await hear()).latencies, 0.99);
      const crowd = await startFork<string>(["--attack", String(door.port)]);
      await sleep(1_000);
      const busy = percentile((await hear()).latencies, 0.99);
      const ended = once(crowd.child, "message");
      crowd.child.send("enough");
      refusals += Number((await ended)[0]);
      crowd.child.kill();
      idle.push(quiet);
      attacked.push(busy);
      ratios.push(busy / quiet);
    }
    asker.kill();
    const detail = `${median(attacked).toFixed(1)} against ${median(idle).toFixed(1)} ms`;
    return [
      atMost(
        `bridge_status p99 among ${HOSTILE} hostile clients, against idle`,
        median(ratios),
        5,
        "×",
        detail,
      ),
      information("answers that the hostile clients got", String(refusals)),
    ];
  });
}

interface Heard {
  readonly latencies: number[];
}

/** A good client in a process of its own: one call after another, with a breath between. */
async function ask(port: number): Promise<void> {
  const caller = createMcpCaller(port, token, 1);
  process.on("message", (calls) => {
    void (async () => {
      const latencies: number[] = [];
      for (let index = 0; index < Number(calls); index += 1) {
        latencies.push(await timed(() => caller.send("bridge_status")));
        await sleep(2);
      }
      process.send?.({ latencies } satisfies Heard);
    })();
  });
  process.send?.("asking");
}

function attack(port: number): void {
  const crowd = startHostileCrowd(port, HOSTILE);
  process.once("message", () => {
    process.send?.(crowd.stop());
  });
  process.send?.("attacking");
}

interface ServerReady {
  readonly port: number;
  readonly credential: string;
}

interface Fork<T> {
  readonly child: ChildProcess;
  readonly told: T;
}

async function startFork<T>(argv: readonly string[], scratch = tmpdir()): Promise<Fork<T>> {
  const child = fork(import.meta.filename, argv, { env: { ...process.env, TMPDIR: scratch } });
  const [told] = (await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => {
      throw new Error(`${argv.join(" ")} ended`);
    }),
  ])) as [T];
  return { child, told };
}

const [, , role, what = ""] = process.argv;
if (role === "--serve") {
  const directory = await mkdtemp(join(tmpdir(), "state-"));
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.(user + system);
  });
  process.send?.(await startStatusServer(what as StatusServerKind, directory));
} else if (role === "--ask") await ask(Number(what));
else if (role === "--attack") attack(Number(what));
