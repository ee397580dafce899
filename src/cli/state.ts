/** Takes the state directory for this bridge: made, in a fit place, locked, its database open, leftovers ended. */
import { join } from "node:path";
import { createChildRegistry, type ChildRegistry } from "../lib/child-registry.ts";
import type { Config, ConfigProblem } from "../config/load.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import type { Project } from "../policy/decide.ts";
import { judgePlaces } from "./projects.ts";
import { lockStateDirectory, makeStateDirectory } from "./state-lock.ts";
import { openStorage, type Storage } from "./storage.ts";

export interface State {
  readonly storage: Storage;
  readonly children: ChildRegistry;
  close(): Promise<void>;
}

/** The configuration is wrong; or the machine is not ready for it, in one plain line. */
export type StartFailure = ConfigProblem[] | string;

export async function takeState(
  config: Config,
  projects: readonly Project[],
  environment: Readonly<Record<string, string | undefined>>,
  clock: Clock,
  log: Log,
): Promise<Result<State, StartFailure>> {
  const made = await makeStateDirectory(config.stateDir);
  if (!made.ok) return made;
  const misplaced = await judgePlaces(config, projects, environment);
  if (misplaced.length > 0) return fail(misplaced);
  const lock = await lockStateDirectory(config.stateDir);
  if (!lock.ok) return lock;
  const storage = await openStorage(config, clock, log);
  if (!storage.ok) {
    lock.value.release();
    return storage;
  }
  const children = createChildRegistry(join(config.stateDir, "children"), log);
  await children.endLeftovers();
  return ok({
    storage: storage.value,
    children,
    async close() {
      await storage.value.close();
      lock.value.release();
    },
  });
}
