import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isStateLocked, lockStateDirectory } from "../../src/cli/state-lock.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "lock-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

test("a directory is locked while somebody works on it, and whoever looks does not hold it", async () => {
  expect(await isStateLocked(directory)).toBe(false);
  const first = await lockStateDirectory(directory);
  expect(first.ok).toBe(true);
  expect(await isStateLocked(directory)).toBe(true);
  expect((await lockStateDirectory(directory)).ok).toBe(false);
  if (first.ok) first.value.release();
  expect(await isStateLocked(directory)).toBe(false);
  const again = await lockStateDirectory(directory);
  expect(again.ok).toBe(true);
  if (again.ok) again.value.release();
});

test("the locks of another process are seen, and go with it", async () => {
  const script = join(directory, "holder.ts");
  const module = join(import.meta.dirname, "..", "..", "src", "cli", "state-lock.ts");
  await writeFile(
    script,
    `import { lockStateDirectory } from ${JSON.stringify(module)};
const locked = await lockStateDirectory(${JSON.stringify(directory)});
process.send?.(locked.ok);
setInterval(() => {}, 1_000);
`,
  );
  const holder = fork(script);
  try {
    const [isHeld] = (await once(holder, "message")) as [boolean];
    expect(isHeld).toBe(true);
    expect(await isStateLocked(directory)).toBe(true);
  } finally {
    holder.kill("SIGKILL");
    await once(holder, "exit");
  }
  expect(await isStateLocked(directory)).toBe(false);
});

test("somebody who keeps looking keeps no bridge from starting", async () => {
  const first = await lockStateDirectory(directory);
  if (first.ok) first.value.release();
  const looking = new AbortController();
  const look = async (): Promise<void> => {
    while (!looking.signal.aborted) {
      await isStateLocked(directory);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const looks = Promise.all([look(), look()]);
  for (let round = 0; round < 50; round += 1) {
    const locked = await lockStateDirectory(directory);
    expect(locked.ok).toBe(true);
    if (locked.ok) locked.value.release();
  }
  looking.abort();
  await looks;
});
