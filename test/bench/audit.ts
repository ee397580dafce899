/** The audit log: how fast lines are taken, and how long that keeps the event loop from everything else. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { call, openLog } from "../audit/audit-samples.ts";
import { option } from "./support/options.ts";
import { atLeast, atMost, type Row } from "./support/row.ts";
import { median } from "./support/statistics.ts";

const LINES = 5_000;
const AT_ONCE = 25;

export async function run(): Promise<Row[]> {
  const rates: number[] = [];
  const holds: number[] = [];
  for (let round = 0; round < option("rounds", 9); round += 1) {
    const directory = await mkdtemp(join(tmpdir(), "bench-audit-"));
    const log = await openLog(join(directory, "audit"));
    const began = performance.now();
    let last = began;
    let longest = 0;
    for (let n = 0; n < LINES; n += 1) {
      log.record(call({ prompt: "Explain the module that reads the configuration.", requestId: `r${n}` }));
      if (n % AT_ONCE < AT_ONCE - 1) continue;
      await turn();
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }
    await log.flushed();
    rates.push((LINES / (performance.now() - began)) * 1_000);
    holds.push(longest);
    await log.close();
    await rm(directory, { recursive: true });
  }
  return [
    atLeast("audit log", median(rates), 5_000, "lines/s"),
    atMost("audit log, event-loop stall", median(holds), 20, "ms"),
  ];
}
