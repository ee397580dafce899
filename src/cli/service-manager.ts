/** The service manager of this machine, or of the one that was asked for. */
import { userInfo } from "node:os";
import { isAbsolute, join } from "node:path";
import { findProgram } from "../lib/find-program.ts";
import { fail, ok } from "../lib/result.ts";
import { runProgram } from "../lib/run-program.ts";
import { createLaunchd } from "../service/launchd.ts";
import type { RunCommand, ServiceManager } from "../service/service-manager.ts";
import { createSystemd } from "../service/systemd.ts";
import type { Terminal } from "./terminal.ts";

type Environment = Terminal["environment"];

const TIMEOUT_MS = 60_000;
/** How the tools find the user's session. */
const PASSED = ["HOME", "USER", "LOGNAME", "LANG", "PATH", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];

/** null: there is none that we know. */
export function serviceManagerFor(platform: string, environment: Environment): ServiceManager | null {
  const home = homeOf(environment);
  const run = createRunCommand(environment);
  if (platform === "darwin") return createLaunchd({ home, userId: process.getuid?.() ?? 0, run });
  if (platform !== "linux") return null;
  const configHome = environment["XDG_CONFIG_HOME"];
  return createSystemd({
    configHome: configHome !== undefined && isAbsolute(configHome) ? configHome : join(home, ".config"),
    run,
  });
}

export function homeOf({ HOME: home }: Environment): string {
  return home !== undefined && isAbsolute(home) ? home : userInfo().homedir;
}

/** What the system's own tools get to see of the environment. */
export function toToolEnvironment(environment: Environment): Record<string, string> {
  const passed = PASSED.map((name) => [name, environment[name]] as const);
  return Object.fromEntries(passed.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function createRunCommand(environment: Environment): RunCommand {
  return async (command, args) => {
    const shown = [command, ...args.slice(0, 2)].join(" ");
    const path = await findProgram(command, environment["PATH"]);
    if (path === null) return fail({ exitCode: null, why: `${command} is not there` });
    const env = toToolEnvironment(environment);
    const end = await runProgram({ command: path, args, env, timeoutMs: TIMEOUT_MS });
    switch (end.kind) {
      case "missing":
        return fail({ exitCode: null, why: `${path} cannot be run` });
      case "timeout":
        return fail({ exitCode: null, why: `${shown} did not end within ${TIMEOUT_MS / 1000} s` });
      case "ended": {
        if (end.exitCode === 0) return ok(end.stdout);
        const said = (end.stderr.trim() || end.stdout.trim()).split("\n")[0];
        return fail({ exitCode: end.exitCode, why: `${shown}: ${said ?? `exit ${String(end.exitCode)}`}` });
      }
    }
  };
}
