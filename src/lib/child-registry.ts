/**
 * The processes of this bridge, on record in the state directory with pid and start, so that the next bridge can
 * end those that outlived a killed one. Ends only a process that is still that very one; never goes by a name.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "./log.ts";
import { processStart } from "./process-start.ts";

export interface ChildRegistry {
  /** Puts a child on record until it has exited. Never rejects. */
  note(pid: number, exited: Promise<unknown>): Promise<void>;
  /** Ends what an earlier bridge left; gives back how many there were. Never rejects. */
  endLeftovers(): Promise<number>;
}

const TERM_GRACE_MS = 1_500;
const KILL_GRACE_MS = 1_000;

/** One file for each child: what is written at once cannot be half there. */
export function createChildRegistry(directory: string, log: Log): ChildRegistry {
  const fileOf = (pid: number): string => join(directory, `${pid}.json`);

  async function endLeftover(name: string): Promise<boolean> {
    const file = join(directory, name);
    const child = parseChildRecord(await readFile(file, "utf8"));
    const wasThere = child !== null && (await isStill(child.pid, child.start));
    if (wasThere) {
      log.warn({ pid: child.pid }, "ending a process that an earlier bridge left behind");
      await endGroup(child.pid, child.start);
    }
    await rm(file, { force: true });
    return wasThere;
  }

  return {
    async note(pid, exited) {
      try {
        const start = await processStart(pid);
        if (start === null) return;
        await mkdir(directory, { recursive: true, mode: 0o700 });
        await writeFile(fileOf(pid), JSON.stringify({ version: 1, pid, start }), { mode: 0o600 });
      } catch (error) {
        log.warn({ pid, error: String(error) }, "a process could not be put on record");
      }
      void exited.then(async () => rm(fileOf(pid), { force: true })).catch(() => {});
    },

    async endLeftovers() {
      try {
        const names = await readdir(directory);
        const ended = await Promise.all(names.map(endLeftover));
        return ended.filter(Boolean).length;
      } catch (error) {
        const isNew = error instanceof Error && "code" in error && error.code === "ENOENT";
        if (!isNew) log.warn({ error: String(error) }, "leftover processes could not be looked for");
        return 0;
      }
    },
  };
}

export function parseChildRecord(text: string): { pid: number; start: string } | null {
  try {
    const { version, pid, start } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const isKnown = version === 1 && typeof pid === "number" && Number.isSafeInteger(pid) && pid > 0;
    return isKnown && typeof start === "string" ? { pid, start } : null;
  } catch {
    return null; // cut off by a full disk: there is nobody to end
  }
}

async function isStill(pid: number, start: string): Promise<boolean> {
  return (await processStart(pid)) === start;
}

/** The child leads a group of its own (child.ts): its commands end with it. */
async function endGroup(pid: number, start: string): Promise<void> {
  for (const [signal, graceMs] of [
    ["SIGTERM", TERM_GRACE_MS],
    ["SIGKILL", KILL_GRACE_MS],
  ] as const) {
    try {
      process.kill(-pid, signal);
    } catch {
      return; // it ended by itself
    }
    for (let waited = 0; waited < graceMs; waited += 50) {
      if (!(await isStill(pid, start))) return;
      await sleep(50);
    }
  }
}
