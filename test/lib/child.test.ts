import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { spawnChild, type Child } from "../../src/lib/child.ts";
import { isAlive } from "../support/scripted-codex.ts";

const program = fileURLToPath(new URL("../support/fixture-child.ts", import.meta.url));
const strays: number[] = [];
const children: Child[] = [];
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "child-"));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill();
  for (const pid of strays.splice(0)) if (await isAlive(pid)) process.kill(pid, "SIGKILL");
});
afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

async function start(mode: string, env: Record<string, string> = {}, argument = "") {
  const lines: string[] = [];
  const first = Promise.withResolvers<string>();
  const spawned = await spawnChild(
    { command: process.execPath, args: [program, mode, argument], env, cwd: scratch },
    (line) => {
      lines.push(line);
      first.resolve(line);
    },
  );
  if (!spawned.ok) throw new Error(spawned.failure.reason);
  const child = spawned.value;
  children.push(child);
  return { child, lines, ready: first.promise };
}

test("a child gets lines, answers in lines, and ends when its input ends", async () => {
  const { child, lines, ready } = await start("echo");
  await ready;
  child.send("one");
  child.send('{"two":"ü"}');
  await expect.poll(() => lines).toEqual(["ready", "echo one", 'echo {"two":"ü"}']);
  expect(await child.stop()).toMatchObject({ code: 0, signal: null });
  expect(await isAlive(child.pid)).toBe(false);
});

test("a child gets its environment and nothing else, its directory, and no shell", async () => {
  const argument = "$(touch here); `id` 'x' \"y\"";
  const { ready } = await start("surroundings", { ONLY: "this" }, argument);
  const seen = JSON.parse(await ready) as { env: Record<string, string>; cwd: string; argument: string };
  expect(seen.env).toEqual({ ONLY: "this" });
  expect(seen.cwd).toBe(scratch);
  expect(seen.argument).toBe(argument);
});

test("a child that hears nothing else ends on TERM", async () => {
  const { child, ready } = await start("term-only");
  await ready;
  expect(await child.stop()).toMatchObject({ code: 7, signal: null });
});

test("a child that is deaf to everything is killed", async () => {
  const { child, lines, ready } = await start("deaf");
  await ready;
  expect(await child.stop()).toMatchObject({ code: null, signal: "SIGKILL" });
  expect(lines).toContain("heard TERM");
});

test("stopping twice is one stop, and stopping after the end is fine", async () => {
  const { child, ready } = await start("echo");
  await ready;
  const [first, second] = await Promise.all([child.stop(), child.stop()]);
  expect(first).toBe(second);
  expect(await child.stop()).toBe(first);
  child.kill();
  child.send("into the void");
});

test("of a flood on stderr the last lines are kept, and the child is not held up", async () => {
  const { child, ready } = await start("flood-stderr");
  await ready;
  const { stderrTail } = await child.stop();
  expect(stderrTail.endsWith("the last words")).toBe(true);
  expect(stderrTail.length).toBeLessThanOrEqual(8 * 1024);
  const [, ...lines] = stderrTail.split("\n").toReversed();
  expect(new Set(lines.map(({ length }) => length))).toEqual(new Set([999])); // whole lines only
});

test("lines of stderr are heard by whoever wants them, beside the tail", async () => {
  const heard: string[] = [];
  const spawned = await spawnChild(
    { command: process.execPath, args: [program, "flood-stderr"], env: {}, cwd: scratch },
    () => {},
    (line) => heard.push(line),
  );
  if (!spawned.ok) throw new Error(spawned.failure.reason);
  children.push(spawned.value);
  await expect.poll(() => heard.length).toBe(2_000);
  expect(new Set(heard)).toEqual(new Set(["e".repeat(999)]));
  expect((await spawned.value.stop()).stderrTail.endsWith("the last words")).toBe(true);
});

test("a line that never ends kills the child", async () => {
  const { child, lines } = await start("flood-stdout");
  expect(await child.exited).toMatchObject({ signal: "SIGKILL" });
  expect(lines).toEqual(["ready"]);
});

test.each([
  { mode: "die", code: 3, signal: null, tail: "cannot go on" },
  { mode: "kill-itself", code: null, signal: "SIGKILL", tail: "" },
])("a child that dies at once ($mode) tells how", async ({ mode, code, signal, tail }) => {
  const { child } = await start(mode);
  child.send("too late");
  expect(await child.exited).toEqual({ code, signal, stderrTail: tail });
});

test("what a child left behind in its group dies with it", async () => {
  const { child, ready } = await start("leave-child");
  const left = Number((await ready).split(" ")[1]);
  strays.push(left);
  expect(await isAlive(left)).toBe(true);
  expect(await child.stop()).toMatchObject({ code: 0 });
  await expect.poll(async () => isAlive(left)).toBe(false);
});

test("killing ends the whole group", async () => {
  const { child, ready } = await start("leave-child");
  const left = Number((await ready).split(" ")[1]);
  strays.push(left);
  child.kill();
  await child.exited;
  await expect.poll(async () => isAlive(left)).toBe(false);
});

test("a pipe that somebody outside the group holds does not hold up the end", async () => {
  const { child, ready } = await start("leave-pipe");
  const holder = Number((await ready).split(" ")[1]);
  strays.push(holder);
  expect(await child.stop()).toMatchObject({ code: 0 });
  expect(await isAlive(holder)).toBe(true); // it was not waited for
});

test("a program that cannot be started is a refusal with the reason, not a throw", async () => {
  const plain = join(scratch, "plain");
  await writeFile(plain, "#!/bin/sh\n");
  await chmod(plain, 0o644);
  const tryOf = async (command: string, cwd = scratch) =>
    spawnChild({ command, args: [], env: {}, cwd }, () => {});
  expect(await tryOf(join(scratch, "missing"))).toEqual({ ok: false, failure: { reason: "ENOENT" } });
  expect(await tryOf(plain)).toEqual({ ok: false, failure: { reason: "EACCES" } });
  expect(await tryOf(scratch)).toEqual({ ok: false, failure: { reason: "EACCES" } });
  expect(await tryOf(process.execPath, join(scratch, "nowhere"))).toEqual({
    ok: false,
    failure: { reason: "ENOENT" },
  });
});
