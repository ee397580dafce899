/** The tunnel as the doctor sees it: planned from the settings, looked at on this machine, and never opened. */
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../config/load.ts";
import type { TunnelSight } from "../doctor/context.ts";
import { createChildRegistry } from "../lib/child-registry.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import { isStateLocked } from "./state-lock.ts";
import { planTunnel } from "./tunnel-plan.ts";
import type { Terminal } from "./terminal.ts";

const ASK_MS = 3_000;

export async function lookAtTunnel(
  config: Config,
  environment: Terminal["environment"],
  signal: AbortSignal,
): Promise<TunnelSight> {
  const directory = join(config.stateDir, "tunnel");
  if (await isStateLocked(directory)) return { kind: "open", ready: await readinessOf(directory, signal) };
  if (config.tunnel === "none") return { kind: "none" };
  const planned = planTunnel(config.tunnel, config, environment, "own");
  if (!planned.ok) {
    return {
      kind: "impossible",
      problems: planned.failure.map(({ setting, problem }) => `${setting} ${problem}`),
    };
  }
  const provider = await planned.value.create({
    // Its program is asked for its version there, and writes nothing.
    directory: tmpdir(),
    children: createChildRegistry(join(directory, "children"), silentLog),
    clock: systemClock,
    log: silentLog,
  });
  const checked = await provider.check(signal);
  return checked.ok ? { kind: "closed" } : { kind: "impossible", problems: [checked.failure] };
}

/** Where OpenAI's client says how it is; null where nobody says. */
async function readinessOf(directory: string, signal: AbortSignal): Promise<boolean | null> {
  try {
    const url = new URL((await readFile(join(directory, "health-url"), "utf8")).trim());
    if (url.hostname !== "127.0.0.1") return null;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(ASK_MS)]);
    const response = await fetch(new URL("/readyz", url), { signal: limit, redirect: "error" });
    return response.ok;
  } catch {
    return null; // another tunnel than OpenAI's, or one that has just ended
  }
}
