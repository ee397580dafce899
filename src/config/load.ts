/**
 * Flags, environment and config file in, one Config or every problem at once out. A flag beats the environment,
 * the environment beats the file, the file beats the default.
 */
import { userInfo } from "node:os";
import { basename, isAbsolute, join, resolve } from "node:path";
import { fail, ok, type Result } from "../lib/result.ts";
import { isInside } from "../workspace/directory.ts";
import { judgeConfig } from "./judge.ts";
import { toEnvironmentName, toFileKey, toFlag } from "./names.ts";
import { readAll } from "./setting.ts";
import { projectSettings, settingNames, settings, type ProjectSetting, type Settings } from "./settings.ts";

export interface ConfigProblem {
  /** The setting in the form in which it was given: `--port`, `CODEX_GPT_BRIDGE_PORT`, `port (config.toml)`. */
  readonly setting: string;
  readonly problem: string;
}

export interface Config extends Settings {
  readonly stateDir: string;
  /** Wanted projects; names are unique, paths absolute. Whether they exist is seen at start. */
  readonly projects: readonly (ProjectSetting & { readonly name: string })[];
  /** The file that was read, or null. */
  readonly configFile: string | null;
  /** The file's table `[chatgpt]` as it stands there; ask-load.ts parses it. */
  readonly chatgpt: unknown;
}

export interface ConfigSources {
  /** By flag without dashes. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** null when it is not there. Throws when it cannot be read. */
  readonly readFile: (path: string) => Promise<FoundFile | null>;
}

export interface FoundFile {
  readonly text: string;
  readonly mode: number;
  /** It belongs to a user who is neither this one nor root. */
  readonly isForeign?: boolean;
}

/** Why nothing in this file can be believed, or null. */
export function judgeConfigFile({ mode, isForeign = false }: FoundFile): string | null {
  if (isForeign) return "belongs to another user, who could change it; make one of your own";
  return (mode & 0o022) === 0 ? null : "can be written by others; run: chmod go-w";
}

export async function loadConfig(sources: ConfigSources): Promise<Result<Config, ConfigProblem[]>> {
  const problems: ConfigProblem[] = [];
  const file = await loadFile(sources, problems);
  const given = collect(sources, file.values);
  const values = parseSettings(given, problems);
  const wrong = new Set(problems.map(({ setting }) => setting));
  const config: Config = {
    ...values,
    secrets: values.disableSecretScan ? "off" : values.secrets,
    stateDir: values.stateDir ?? defaultDirectory(sources, "XDG_STATE_HOME", ".local/state"),
    projects: toProjects(values, file.projects, sources.cwd, problems),
    configFile: file.path,
    chatgpt: file.chatgpt,
  };
  const judged = judgeConfig(config, (name) => given.get(name)?.from ?? toEnvironmentName(name));
  problems.push(...judged.filter(({ setting }) => !wrong.has(setting)));
  const isNamed = [values.root, ...(values.roots ?? []), ...file.projects].some((root) => root !== undefined);
  if (judged.length > 0 && !isNamed && isInside(sources.cwd, config.stateDir)) problems.unshift(NO_PROJECT);
  return problems.length === 0 ? ok(config) : fail(problems);
}

/** For somebody who starts it in the home directory, before setup. */
const NO_PROJECT: ConfigProblem = {
  setting: "--root",
  problem: "is not given, and the current directory cannot be a project; run: codex-gpt-bridge setup",
};

function parseSettings(given: Given, problems: ConfigProblem[]): Settings {
  const values = Object.fromEntries([...given].map(([name, { value }]) => [name, value]));
  const read = readAll(settings, values);
  for (const { name, problem } of read.problems)
    problems.push({ setting: given.get(name)?.from ?? name, problem });
  return read.values;
}

type Given = ReadonlyMap<string, { value: unknown; from: string }>;

function collect(sources: ConfigSources, file: Readonly<Record<string, unknown>>): Given {
  const given = new Map<string, { value: unknown; from: string }>();
  for (const name of settingNames) {
    const flag = sources.flags[toFlag(name)];
    const variable = sources.environment[toEnvironmentName(name)];
    const inFile = file[toFileKey(name)];
    if (flag !== undefined) given.set(name, { value: flag, from: `--${toFlag(name)}` });
    else if (variable !== undefined && variable !== "") {
      given.set(name, { value: variable, from: toEnvironmentName(name) });
    } else if (inFile !== undefined)
      given.set(name, { value: inFile, from: `${toFileKey(name)} (config file)` });
  }
  return given;
}

interface LoadedFile {
  readonly path: string | null;
  readonly values: Readonly<Record<string, unknown>>;
  readonly projects: readonly ProjectSetting[];
  readonly chatgpt: unknown;
}

async function loadFile(sources: ConfigSources, problems: ConfigProblem[]): Promise<LoadedFile> {
  const asked = sources.flags["config"] ?? sources.environment[toEnvironmentName("config")];
  const path =
    typeof asked === "string" && asked !== ""
      ? resolve(sources.cwd, asked)
      : join(defaultDirectory(sources, "XDG_CONFIG_HOME", ".config"), "config.toml");
  const nothing: LoadedFile = { path: null, values: {}, projects: [], chatgpt: {} };
  const refuse = (problem: string): LoadedFile => {
    problems.push({ setting: path, problem });
    return nothing;
  };
  try {
    const found = await sources.readFile(path);
    if (found === null) return typeof asked === "string" && asked !== "" ? refuse("does not exist") : nothing;
    const problem = judgeConfigFile(found);
    if (problem !== null) return refuse(problem);
    const { parse } = await import("smol-toml");
    const { projects = [], chatgpt = {}, ...values } = parse(found.text) as Record<string, unknown>;
    const known = new Set(settingNames.map((name) => toFileKey(name)));
    for (const key of Object.keys(values)) {
      if (!known.has(key)) problems.push({ setting: `${key} (config file)`, problem: "is not a setting" });
    }
    return { path, values, projects: readProjects(projects, problems), chatgpt };
  } catch (error) {
    return refuse(
      error instanceof Error ? (error.message.split("\n")[0] ?? "cannot be read") : "cannot be read",
    );
  }
}

/** None where one is wrong: a key that is not known may be a limit that somebody relies on. */
function readProjects(tables: unknown, problems: ConfigProblem[]): ProjectSetting[] {
  const wrong: ConfigProblem[] = [];
  const refuse = (place: string | number, problem: string): void => {
    wrong.push({ setting: `projects.${place} (config file)`, problem });
  };
  if (!Array.isArray(tables)) refuse("", "has to be a list of tables");
  const projects = (Array.isArray(tables) ? tables : []).map((table: unknown, index) => {
    const given = typeof table === "object" && table !== null ? { ...table } : {};
    const read = readAll(projectSettings, given);
    for (const { name, problem } of read.problems) refuse(`${index}.${name}`, problem);
    for (const name of Object.keys(given)) {
      if (!Object.hasOwn(projectSettings, name)) refuse(`${index}.${name}`, "is not a setting");
    }
    return read.values;
  });
  problems.push(...wrong);
  return wrong.length === 0 ? projects : [];
}

/** The bridge's own directory below an XDG base directory, or below `fallback` in the home directory. */
export function defaultDirectory(
  sources: Pick<ConfigSources, "environment">,
  variable: string,
  fallback: string,
): string {
  const { HOME: named = "" } = sources.environment;
  // Below a HOME that is no absolute path it would be the current directory that decides.
  const home = isAbsolute(named) ? named : userInfo().homedir;
  const base = sources.environment[variable];
  return join(base !== undefined && isAbsolute(base) ? base : join(home, fallback), "codex-gpt-bridge");
}

function toProjects(
  config: Settings,
  fromFile: readonly ProjectSetting[],
  cwd: string,
  problems: ConfigProblem[],
): Config["projects"] {
  const roots = [...(config.root === undefined ? [] : [config.root]), ...(config.roots ?? [])];
  const named = roots.map(parseRoot);
  // What a table of the file describes already is not another project.
  const more = named.filter((root) => !fromFile.some((table) => isSameProject(root, table, cwd)));
  const wanted = [...more, ...fromFile];
  if (wanted.length === 0 && problems.length === 0) wanted.push({ path: cwd });
  const names = new Set<string>();
  const projects = [];
  for (const project of wanted) {
    if (!isAbsolute(project.path)) {
      problems.push({ setting: "roots", problem: `${project.path} is not an absolute path` });
    }
    const path = resolve(cwd, project.path);
    const name = project.name ?? basename(path);
    if (names.has(name)) problems.push({ setting: "roots", problem: `two projects are called ${name}` });
    if (!/^[\w][\w.-]{0,63}$/.test(name)) {
      problems.push({ setting: "roots", problem: `${name} is no project name; write name=${project.path}` });
    }
    names.add(name);
    projects.push({ ...project, path, name });
  }
  return projects;
}

function isSameProject(root: ProjectSetting, table: ProjectSetting, cwd: string): boolean {
  if (resolve(cwd, root.path) !== resolve(cwd, table.path)) return false;
  return root.name === undefined || root.name === (table.name ?? basename(table.path));
}

function parseRoot(entry: string): ProjectSetting {
  const match = /^([\w][\w.-]*)=(.+)$/s.exec(entry);
  const [, name, path] = match ?? [];
  return name === undefined || path === undefined ? { path: entry } : { name, path };
}
