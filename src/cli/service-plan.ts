/** What the service will run, and whether it would: the configuration as it is read without the owner's shell. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { findCodex } from "../codex/install.ts";
import type { Config } from "../config/load.ts";
import { toEnvironmentName, toFlag } from "../config/names.ts";
import { settingNames, settings } from "../config/settings.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { planService } from "../service/plan-service.ts";
import type { ServicePlan } from "../service/service-plan.ts";
import { isSecretSetting } from "./doctor-secrets.ts";
import type { Flags } from "./flags.ts";
import { hasAuth } from "./door-check.ts";
import { ownCommand } from "./own-command.ts";
import { identifyProjects, judgePlaces } from "./projects.ts";
import { homeOf } from "./service-manager.ts";
import type { Terminal } from "./terminal.ts";
import { projectPlaces } from "./trusted-path.ts";
import { loadConfigWithSecrets } from "./with-secrets.ts";

export interface PreparedService {
  readonly plan: ServicePlan;
  readonly config: Config;
  /** What the owner should know. */
  readonly notes: readonly string[];
}

/** Where no project is: `serve` takes the current directory for one, and a service has none. */
const NOWHERE = "/dev/null";
/** A path, which means something else where the service runs. */
const PATHS: ReadonlySet<string> = new Set(["config", "root", "stateDir"]);

/** It would end its line, or go on into the next one. */
const UNFIT = /\p{Cc}|[\\\s]$/u;

/** The plan alone; the failure is one line. */
export async function planFor(
  { environment, cwd }: Terminal,
  flags: Flags,
  packageRoot: string,
): Promise<Result<ServicePlan, string>> {
  const words: string[] = [];
  for (const name of settingNames) {
    const value = flags[toFlag(name)];
    if (value === undefined) continue;
    // A switch is no secret, whatever it is called.
    if (isSecretSetting(name) && value !== true) {
      return fail(`--${toFlag(name)} would stand in the unit file; keep it with: ${ownCommand()} setup`);
    }
    const text = PATHS.has(name) ? resolve(cwd, String(value)) : String(value);
    if (/\p{Cc}/u.test(text)) return fail(`--${toFlag(name)} holds a control character`);
    words.push(`--${toFlag(name)}`, ...(value === true ? [] : [text]));
  }
  const home = homeOf(environment);
  for (const path of [home, packageRoot, process.execPath]) {
    if (UNFIT.test(path))
      return fail(`${JSON.stringify(path)} cannot stand in a unit file; move or rename it`);
  }
  return ok(await planService({ environment, home, node: process.execPath, packageRoot, flags: words }));
}

/** The plan, and that it would work; the failure has a line for each reason why not. */
export async function prepareService(
  terminal: Terminal,
  flags: Flags,
  packageRoot: string,
): Promise<Result<PreparedService, readonly string[]>> {
  const planned = await planFor(terminal, flags, packageRoot);
  if (!planned.ok) return fail([planned.failure]);
  const plan = planned.value;
  const [, built = ""] = plan.command;
  if ((await stat(built).catch(() => null)) === null)
    return fail([`${built} is not there; run: npm run build`]);
  const { environment } = terminal;
  const { DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR, USER } = environment;
  const session = { DBUS_SESSION_BUS_ADDRESS, XDG_RUNTIME_DIR, USER, HOME: plan.home };
  const seen = { ...plan.environment, ...session };
  const own = Object.fromEntries(
    settingNames.map((name) => [toFlag(name), absolute(name, flags, terminal.cwd)]),
  );
  const loaded = await loadConfigWithSecrets({ environment: seen, cwd: NOWHERE }, own);
  const unseen = unseenVariables(environment);
  if (!loaded.ok) return fail(loaded.failure.map(({ setting, problem }) => `${setting}: ${problem}`));
  const { config, notes } = loaded.value;
  const problems = await problemsOf(config, seen);
  if (problems.length > 0) return fail([...problems, ...notes, ...unseen]);
  const { PATH = "" } = plan.environment;
  const codex = await findCodex({
    codex: config.codex,
    path: PATH,
    env: { PATH, HOME: plan.home },
    skipUnder: packageRoot,
    isInProject: await projectPlaces(config.projects),
  });
  const missing = codex.ok
    ? []
    : ["Codex was not found where the service will look; install it, then: codex login"];
  return ok({ plan, config, notes: [...notes, ...missing, ...unseen] });
}

function absolute(name: string, flags: Flags, cwd: string): string | boolean | undefined {
  const value = flags[toFlag(name)];
  return typeof value === "string" && PATHS.has(name) ? resolve(cwd, value) : value;
}

async function problemsOf(config: Config, environment: Terminal["environment"]): Promise<string[]> {
  const problems: string[] = [];
  const setup = `run: ${ownCommand()} setup`;
  // The OpenAI tunnel makes a secret of its own at each start.
  if (config.tunnel !== "openai" && !(await hasAuth(config, Date.now()))) {
    problems.push(`no token or other credential is kept for it; ${setup}`);
  }
  if (config.projects.some(({ path }) => path === NOWHERE)) {
    problems.push(`no project is configured; ${setup}`);
    return problems;
  }
  const projects = await identifyProjects(config);
  const wrong = projects.ok ? await judgePlaces(config, projects.value, environment) : projects.failure;
  return [...problems, ...wrong.map(({ setting, problem }) => `${setting}: ${problem}`)];
}

/** Settings that work in the owner's shell alone. */
function unseenVariables(environment: Terminal["environment"]): string[] {
  return settingNames
    .filter((name) => name !== "config" && (environment[toEnvironmentName(name)] ?? "") !== "")
    .filter((name) => Object.hasOwn(settings, name))
    .map((name) => `${toEnvironmentName(name)} is set in this shell alone; the service will not see it`);
}
