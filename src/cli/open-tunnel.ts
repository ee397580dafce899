/**
 * The tunnel of this process: its directory taken (one tunnel for one state directory), leftovers of a killed one
 * ended, its program looked at, and then kept open by the supervisor until it is told to stop.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "../config/load.ts";
import { createChildRegistry } from "../lib/child-registry.ts";
import { systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { superviseTunnel, type SupervisedTunnel } from "../tunnel/supervisor.ts";
import { lockStateDirectory } from "./state-lock.ts";
import type { TunnelPlan } from "./tunnel-plan.ts";

export interface TunnelRoom {
  /** `url`: where the bridge listens. Call it once. */
  open(url: string, onHost: (host: string) => void): SupervisedTunnel;
  /** Ends the tunnel, where one is open, and lets go of the directory. Safe to call twice. */
  close(): Promise<void>;
}

/** The failure is one plain line for the owner. */
export async function prepareTunnel(
  plan: TunnelPlan,
  { stateDir }: Config,
  log: Log,
  signal: AbortSignal,
): Promise<Result<TunnelRoom, string>> {
  const directory = join(stateDir, "tunnel");
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    return fail(
      `the state directory cannot be used: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const lock = await lockStateDirectory(directory);
  if (!lock.ok)
    return fail("another tunnel of this state directory is open; end it, or choose another --state-dir");
  const children = createChildRegistry(join(directory, "children"), log);
  await children.endLeftovers();
  const provider = await plan.create({ directory, children, clock: systemClock, log });
  const checked = await provider.check(signal);
  if (!checked.ok) {
    lock.value.release();
    return checked;
  }
  let supervised: SupervisedTunnel | null = null;
  let closing: Promise<void> | null = null;
  return ok({
    open(url, onHost) {
      supervised = superviseTunnel({ provider, url: toReachable(url), clock: systemClock, log, onHost });
      return supervised;
    },
    async close() {
      closing ??= (async () => {
        await supervised?.close();
        lock.value.release();
      })();
      await closing;
    },
  });
}

/** An address of all interfaces is none that a program could call. */
export function toReachable(url: string): string {
  return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
}
