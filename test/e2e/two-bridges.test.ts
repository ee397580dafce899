/** Two bridges that start at the same instant on one state directory: one serves, the other says why it does not. */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startDoor, token, type RunningDoor } from "../support/running-bridge.ts";
import { createProject, type ScratchProject } from "../support/scripted-codex.ts";

const ROUNDS = 20;

let scratch: string;
let project: ScratchProject;
beforeEach(async () => {
  scratch = await realpath(await mkdtemp(join(tmpdir(), "two-bridges-")));
  project = await createProject({ "readme.txt": "hello\n" });
});
afterEach(async () => {
  await project.dispose();
  await rm(scratch, { recursive: true, force: true });
});

const says = (door: RunningDoor, text: string): boolean =>
  door.logLines.some(({ msg }) => msg.includes(text));
const serves = (door: RunningDoor): boolean => says(door, "listening");
const yields = (door: RunningDoor): boolean => says(door, "another bridge works on this state directory");

test("twenty times, and nothing is left of one that is killed", { timeout: 300_000 }, async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    // Now a new directory, now the one in which the last bridge was killed.
    const stateDir = join(scratch, `state-${Math.floor(round / 2)}`);
    const argv = ["serve", "--port=0", "--token", token, "--state-dir", stateDir, "--roots", project.path];
    const doors = await Promise.all([startDoor({ argv }), startDoor({ argv })]);
    try {
      await vi.waitFor(
        () => {
          expect(doors.every((door) => serves(door) || yields(door))).toBe(true);
        },
        { timeout: 60_000, interval: 50 },
      );
      expect(doors.filter(serves)).toHaveLength(1);
      expect(doors.filter(yields)).toHaveLength(1);
      expect(doors.flatMap(({ strayLines }) => strayLines)).toEqual([]);
    } finally {
      for (const door of doors) if (serves(door)) process.kill(door.pid, "SIGKILL");
      await Promise.allSettled(doors.map(async (door) => door.stop()));
    }
  }
});
