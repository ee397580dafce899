/** Makes the Codex of this bridge: finds the command, and loads the driver that fits it when it is first needed. */
import type { BackendParts } from "../codex/backend.ts";
import type { ChildRegistry } from "../lib/child-registry.ts";
import { createCodex, type Codex } from "../codex/codex.ts";
import { findCodex, type CodexInstall } from "../codex/install.ts";
import type { Config } from "../config/load.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { packageRoot, version } from "../lib/version.ts";

interface CodexDriverParts {
  /** PATH of the owner's shell: where Codex is looked up. */
  readonly path: string;
  /** What Codex itself gets to see. */
  readonly env: BackendParts["env"];
  readonly children: Pick<ChildRegistry, "note">;
  readonly clock: Clock;
  readonly log: Log;
}

export function createCodexDriver(config: Config, parts: CodexDriverParts): Codex {
  const { path, env, children, clock, log } = parts;
  const partsOf = (install: CodexInstall): BackendParts => ({
    install,
    env,
    cwd: config.stateDir,
    clock,
    log,
    silenceMs: config.modelSilenceMs,
    onChild: async (pid, exited) => children.note(pid, exited),
  });
  return createCodex({
    choice: config.backend === "exec" ? "auto" : config.backend,
    find: async (signal) => findCodex({ codex: config.codex, path, env, skipUnder: packageRoot }, signal),
    drivers: {
      "app-server": async (install) => {
        const { createAppServerBackend } = await import("../codex/app-server/backend.ts");
        return createAppServerBackend(partsOf(install), version);
      },
      "mcp-server": async (install) => {
        const { createAppServerBackend } = await import("../codex/app-server/backend.ts");
        const { createMcpServerBackend } = await import("../codex/mcp-server/backend.ts");
        const made = partsOf(install);
        return createMcpServerBackend(made, createAppServerBackend(made, version), version);
      },
    },
    clock,
    log,
  });
}
