import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createChildRegistry } from "../../src/lib/child-registry.ts";
import { processStart } from "../../src/lib/process-start.ts";
import { silentLog } from "../../src/lib/log.ts";

let directory: string;
const started: ChildProcess[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "children-"));
});
afterEach(async () => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
  await rm(directory, { recursive: true });
});

async function sleeper(script = "setInterval(() => {}, 1000); console.log('up')"): Promise<{
  child: ChildProcess;
  pid: number;
  exited: Promise<unknown>;
}> {
  const child = spawn(process.execPath, ["-e", script], {
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
  });
  started.push(child);
  const exited = once(child, "exit");
  if (child.stdout !== null) await once(child.stdout, "data");
  return { child, pid: child.pid ?? 0, exited };
}

const never = new Promise<never>(() => {});

test("a child is on record while it lives, and gone from it afterwards", async () => {
  const { child, pid, exited } = await sleeper();
  const registry = createChildRegistry(directory, silentLog);
  await registry.note(pid, exited);
  expect(JSON.parse(await readFile(join(directory, `${pid}.json`), "utf8"))).toEqual({
    version: 1,
    pid,
    start: await processStart(pid),
  });
  child.kill("SIGKILL");
  await expect.poll(async () => readdir(directory)).toEqual([]);
});

test("what an earlier bridge left is ended, also where it does not hear SIGTERM", async () => {
  const stubborn = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('up')";
  const left = [await sleeper(), await sleeper(stubborn)];
  const dead = createChildRegistry(directory, silentLog);
  for (const { pid } of left) await dead.note(pid, never);
  expect(await createChildRegistry(directory, silentLog).endLeftovers()).toBe(2);
  for (const { pid, exited } of left) {
    await exited;
    expect(await processStart(pid)).toBeNull();
  }
  expect(await readdir(directory)).toEqual([]);
});

test("a process that has the pid of a child that is gone is left alone", async () => {
  const { pid, child } = await sleeper();
  const stranger = JSON.stringify({ version: 1, pid, start: "an earlier boot 1" });
  await writeFile(join(directory, `${pid}.json`), stranger);
  expect(await createChildRegistry(directory, silentLog).endLeftovers()).toBe(0);
  expect(child.exitCode ?? child.signalCode).toBeNull();
  expect(await processStart(pid)).not.toBeNull();
  expect(await readdir(directory)).toEqual([]);
});

test("a record that was cut off, and no directory at all, end nobody", async () => {
  await writeFile(join(directory, "1.json"), '{"version":1,"pid":');
  expect(await createChildRegistry(directory, silentLog).endLeftovers()).toBe(0);
  expect(await createChildRegistry(join(directory, "none"), silentLog).endLeftovers()).toBe(0);
});

test("where nothing can be written, a child is started all the same", async () => {
  await writeFile(join(directory, "file"), "");
  const registry = createChildRegistry(join(directory, "file"), silentLog);
  await registry.note(process.pid, never);
  expect(await registry.endLeftovers()).toBe(0);
});
