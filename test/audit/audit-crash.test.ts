import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fullFileName } from "../../src/audit/log-files.ts";
import { verifyLog } from "../../src/audit/verify-log.ts";
import { createSeededRandom } from "../support/seeded-random.ts";
import { call, filesOf, linesOf, makeDirectory, openLog } from "./audit-samples.ts";

let base = "";
let directory = "";

beforeEach(() => {
  base = makeDirectory();
  directory = join(base, "audit");
});

afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

/** Sets how large a file a process may write; part of util-linux. */
const PRLIMIT = "/usr/bin/prlimit";

/** Writes calls without pause; prints the number of each that it was told is on disk. */
const WRITER = `
  const { call, openLog } = await import(${JSON.stringify(new URL("./audit-samples.ts", import.meta.url).href)});
  const { writeSync } = await import("node:fs");
  const log = await openLog(process.env.AUDIT_DIRECTORY, { maxFileBytes: 200000 });
  const first = Number(process.env.AUDIT_FIRST);
  for (let n = first; ; n++) {
    for (let more = 0; more < 7; more++) log.record(call({ requestId: "filler-" + n + "-" + more }));
    log.record(call({ requestId: "call-" + n, prompt: "x".repeat(n % 5000) }));
    await log.flushed();
    const health = log.health();
    writeSync(1, health.ok ? n + "\\n" : "failing " + health.reason + "\\n");
    if (!health.ok) await new Promise((resolve) => setTimeout(resolve, 50));
  }
`;

function startWriter(first: number, maxFileKiB?: number): ChildProcess {
  const node = [process.execPath, "--input-type=module", "-e", WRITER];
  const [command = "", ...args] =
    maxFileKiB === undefined ? node : [PRLIMIT, `--fsize=${maxFileKiB * 1024}:unlimited`, ...node];
  return spawn(command, args, {
    env: { ...process.env, AUDIT_DIRECTORY: directory, AUDIT_FIRST: String(first) },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

it("loses no call that it said was on disk, and verifies, after kill -9 in the middle of writing", async () => {
  const random = createSeededRandom(7);
  const torn = `{"v":1,"seq":9999,"prevHash":"${"0".repeat(64)}","ts":"2026-01-01T00:00:00.000Z","type":"call"`;
  const acknowledged: number[] = [];
  for (let round = 0; round < 6; round++) {
    const writer = startWriter((acknowledged.at(-1) ?? -1) + 1);
    let printed = "";
    writer.stdout?.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
    });
    while (!printed.includes("\n")) await sleep(5);
    await sleep(20 + random.below(120));
    writer.kill("SIGKILL");
    await once(writer, "close");
    const numbers = printed.split("\n").slice(0, -1).map(Number);
    acknowledged.push(...numbers);
    expect(await verifyLog(directory)).toMatchObject({ ok: true });
    // What a write that was cut off leaves behind, at whatever place it was cut.
    appendFileSync(join(directory, "audit.log"), torn.slice(0, 1 + random.below(torn.length)));
    expect(await verifyLog(directory)).toMatchObject({ ok: true, unfinished: { file: "audit.log" } });
  }
  const log = await openLog(directory);
  log.record(call({ requestId: "the end" }));
  await log.close();
  const report = await verifyLog(directory);
  expect(report).toMatchObject({ ok: true, torn: 6, unfinished: null });
  const kept = new Set(linesOf(directory).map(({ requestId }) => requestId));
  expect(acknowledged.length).toBeGreaterThan(20);
  expect(acknowledged.filter((n) => !kept.has(`call-${n}`))).toEqual([]);
  expect(filesOf(directory).length).toBeGreaterThan(0);
}, 60_000);

it.each([
  ["after the full file was moved", () => {}],
  [
    "after the next file was made, before its first line",
    () => appendFileSync(join(directory, "audit.log"), ""),
  ],
])("goes on where a kill cut off the change of files %s", async (_step, next) => {
  const before = await openLog(directory);
  before.record(call({ requestId: "before" }));
  await before.close();
  renameSync(join(directory, "audit.log"), join(directory, fullFileName(linesOf(directory).length)));
  next();
  expect(await verifyLog(directory)).toMatchObject({ ok: true });
  const after = await openLog(directory);
  after.record(call({ requestId: "after" }));
  await after.close();
  expect(await verifyLog(directory)).toMatchObject({ ok: true, lost: 0 });
  expect(linesOf(directory).map(({ requestId }) => requestId)).toEqual(
    expect.arrayContaining(["before", "after"]),
  );
});

it.runIf(existsSync(PRLIMIT))(
  "goes on after a disk that was full in the middle of a line, with every line in its place",
  async () => {
    const writer = startWriter(0, 64);
    let printed = "";
    writer.stdout?.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
    });
    while (!printed.includes("failing")) await sleep(5);
    expect(printed).toContain("EFBIG");
    expect(await verifyLog(directory)).toMatchObject({ ok: true });
    // There is room again.
    const freed = spawn(PRLIMIT, ["--pid", String(writer.pid), "--fsize=unlimited:unlimited"], {
      stdio: "inherit",
    });
    await once(freed, "close");
    const failed = printed.length;
    while (!/\n\d+\n/.test(printed.slice(failed))) await sleep(5);
    writer.kill("SIGKILL");
    await once(writer, "close");
    expect(await verifyLog(directory)).toMatchObject({ ok: true, lost: 0 });
    const names = linesOf(directory).flatMap(({ requestId }) => (requestId === undefined ? [] : [requestId]));
    expect(names).toHaveLength(new Set(names).size);
    const kept = linesOf(directory).flatMap(({ requestId }) =>
      typeof requestId === "string" && requestId.startsWith("call-") ? [Number(requestId.slice(5))] : [],
    );
    expect(kept).toEqual(Array.from(kept, (_, n) => n)); // none missing, none twice
  },
  60_000,
);
