/** Makes the Codex of this bridge: finds the command, and loads the driver that fits it when it is first needed. */
import type { BackendParts } from "../codex/backend.ts";
import type { ChildRegistry } from "../lib/child-registry.ts";
import { createCodex, type Codex } from "../codex/codex.ts";
import type { CodexInstall } from "../codex/install.ts";
import type { Config } from "../config/load.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { once } from "../lib/once.ts";
import { fail } from "../lib/result.ts";
import { packageRoot, version } from "../lib/version.ts";
import { projectPlaces } from "./trusted-path.ts";

interface CodexDriverParts {
  /** Of the owner's shell: where Codex is looked up, and of which it gets to see a part. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly children: Pick<ChildRegistry, "note">;
  readonly clock: Clock;
  readonly log: Log;
}

export function createCodexDriver(config: Config, parts: CodexDriverParts): Codex {
  const { environment, children, clock, log } = parts;
  const path = environment["PATH"] ?? "";
  const env = once(async () => {
    const { toCodexEnvironment } = await import("../codex/environment.ts");
    return toCodexEnvironment(environment, config.mcpServers, log);
  });
  const inProject = once(async () => projectPlaces(config.projects));
  const partsOf = async (install: CodexInstall): Promise<BackendParts> => ({
    install,
    env: await env(),
    cwd: config.stateDir,
    clock,
    log,
    silenceMs: config.modelSilenceMs,
    onChild: async (pid, exited) => children.note(pid, exited),
  });
  return createCodex({
    choice: config.backend === "exec" ? "auto" : config.backend,
    find: async (signal) => {
      const [{ findCodex }, { homeProblemOf, HOME_REMEDY }] = await Promise.all([
        import("../codex/install.ts"),
        import("../codex/home-problem.ts"),
      ]);
      const found = await findCodex(
        {
          codex: config.codex,
          path,
          env: await env(),
          skipUnder: packageRoot,
          isInProject: await inProject(),
        },
        signal,
      );
      const wrong = found.ok ? await homeProblemOf(await env()) : null;
      if (wrong === null) return found;
      // The path is for the owner alone.
      log.warn({ codexHome: wrong.path }, `CODEX_HOME ${wrong.problem}; ${HOME_REMEDY}`);
      return fail({ code: "codex_unsupported", reason: `CODEX_HOME ${wrong.problem}` });
    },
    drivers: {
      "app-server": async (install) => {
        const { createAppServerBackend } = await import("../codex/app-server/backend.ts");
        return createAppServerBackend(await partsOf(install), version);
      },
      "mcp-server": async (install) => {
        const { createAppServerBackend } = await import("../codex/app-server/backend.ts");
        const { createMcpServerBackend } = await import("../codex/mcp-server/backend.ts");
        const made = await partsOf(install);
        return createMcpServerBackend(made, createAppServerBackend(made, version), version);
      },
    },
    clock,
    log,
  });
}
