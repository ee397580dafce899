import { fork, type ChildProcess } from "node:child_process";
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
  const holder = await other(
    `const locked = await lockStateDirectory(directory);
process.send?.(locked.ok);
setInterval(() => {}, 1_000);`,
  );
  try {
    expect(await isStateLocked(directory)).toBe(true);
  } finally {
    await end(holder);
  }
  expect(await isStateLocked(directory)).toBe(false);
});

test("somebody who keeps looking keeps no bridge from starting", async () => {
  const first = await lockStateDirectory(directory);
  if (first.ok) first.value.release();
  const looker = await other(`process.send?.(true);
for (;;) await isStateLocked(directory);`);
  try {
    for (let round = 0; round < 300; round += 1) {
      const locked = await lockStateDirectory(directory);
      expect(locked.ok).toBe(true);
      if (locked.ok) locked.value.release();
    }
  } finally {
    await end(looker);
  }
});

/** A process of its own that has said that it has begun. */
async function other(script: string): Promise<ChildProcess> {
  const file = join(directory, "other.ts");
  const module = join(import.meta.dirname, "..", "..", "src", "cli", "state-lock.ts");
  await writeFile(
    file,
    `import { isStateLocked, lockStateDirectory } from ${JSON.stringify(module)};
const directory = ${JSON.stringify(directory)};
${script}
`,
  );
  const child = fork(file);
  const [begun] = (await once(child, "message")) as [boolean];
  expect(begun).toBe(true);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}
