/** The projects of the configuration as they are on disk, at start and again before each turn. */
import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { codexHome } from "../codex/codex-home.ts";
import type { Config, ConfigProblem } from "../config/load.ts";
import { toEnvironmentName } from "../config/names.ts";
import { compileCacheDirectory } from "../lib/compile-cache.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { isSameDirectory, type Project, type ScanVerdict } from "../policy/decide.ts";
import { decideDenied } from "../policy/deny.ts";
import type { Failure } from "../policy/failure.ts";
import { looksLikeGlob } from "../policy/glob.ts";
import type { DirectoryIdentity, Grant } from "../policy/grant.ts";
import { identifyDirectory, isInside } from "../workspace/directory.ts";
import { exceptionsFileOf } from "./exceptions-file.ts";

export async function identifyProjects(config: Config): Promise<Result<Project[], ConfigProblem[]>> {
  const problems: ConfigProblem[] = [];
  const projects: Project[] = [];
  for (const {
    name,
    path,
    write = null,
    secrets = config.secrets,
    model = null,
    effort = null,
  } of config.projects) {
    const root = await identifyDirectory(path);
    if (root === null)
      problems.push({ setting: `project ${name}`, problem: `${path} is no directory that can be read` });
    else if (looksLikeGlob(root.path))
      problems.push({
        setting: `project ${name}`,
        problem: `${root.path} holds one of * ? [ ] { } \\ or a control character, which Codex takes for a pattern; rename or move it`,
      });
    else projects.push({ name, root, write, secrets, model, effort });
  }
  return problems.length === 0 ? ok(projects) : fail(problems);
}

/** Started outside any sandbox. */
const PROGRAMS = ["codex", "tunnelClient", "cloudflared"] as const;

/**
 * What only the disk can tell of a configuration: a link may lead what steers the bridge or Codex, or a program that is
 * named by its path, into a project, where Codex could read or change it.
 */
export async function judgePlaces(
  config: Config,
  projects: readonly Project[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ConfigProblem[]> {
  const problems: ConfigProblem[] = [];
  const home = codexHome(environment);
  const compiled = compileCacheDirectory(environment);
  const places = [
    { setting: "the state directory", path: config.stateDir },
    config.configFile === null
      ? // Not there yet; what lies there at the next start counts.
        { setting: "the config directory", path: dirname(exceptionsFileOf(config, environment)) }
      : { setting: "the config file", path: config.configFile },
    ...(compiled === null ? [] : [{ setting: "the cache directory", path: compiled }]),
    ...(home === null ? [] : [{ setting: "the directory of Codex (CODEX_HOME)", path: home }]),
    ...PROGRAMS.filter((name) => config[name].includes(sep)).map((name) => ({
      setting: toEnvironmentName(name),
      path: resolve(config[name]),
    })),
  ];
  for (const { setting, path } of places) {
    const directory = await realpath(dirname(path)).catch(() => dirname(path));
    // A link that lies in a project and leads out of it could be led elsewhere.
    const whereabouts = [join(directory, basename(path)), await realpath(path).catch(() => path)];
    for (const { name, root } of projects) {
      if (whereabouts.some((place) => isInside(root.path, place))) {
        problems.push({
          setting,
          problem: `${path} lies inside project ${name}; Codex could read or change it`,
        });
      }
    }
  }
  return problems;
}

/** A job that waited longer than this in the queue has its project looked through again. */
const FRESH_MS = 500;

/**
 * Asked right before a turn: the root and the working directory are those that were judged, and no secret has come
 * that the Grant does not hide. null: yes.
 */
export async function recheckGrant(
  grant: Grant,
  waitedMs: number,
  scan: (root: DirectoryIdentity) => Promise<ScanVerdict>,
): Promise<Failure | null> {
  for (const granted of [grant.root, grant.cwd]) {
    const now = await identifyDirectory(granted.path);
    if (now === null || !isSameDirectory(now, granted)) return { code: "cwd_not_allowed" };
  }
  if (waitedMs < FRESH_MS) return null;
  const verdict = await scan(grant.root);
  if (verdict.kind === "clean") return null;
  if (verdict.kind === "incomplete") return { code: "scan_incomplete", reason: verdict.reason };
  const { root, cwd, sandbox, deniedPaths, deniedPatterns } = grant;
  const denied = decideDenied({ root: root.path, cwd: cwd.path, sandbox, secretPaths: verdict.paths });
  const allHidden =
    denied.ok &&
    denied.value.paths.every((path) => isHidden(path, deniedPaths)) &&
    denied.value.patterns.every((pattern) => deniedPatterns.includes(pattern));
  return allHidden && !verdict.more
    ? null
    : { code: "secrets_found", kinds: verdict.kinds, more: verdict.more };
}

function isHidden(path: string, deniedPaths: readonly string[]): boolean {
  return deniedPaths.some((denied) => isInside(denied, path));
}
