/** The projects of the configuration as they are on disk, at start and again before each turn. */
import type { Config, ConfigProblem } from "../config/load.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { isSameDirectory, type Project } from "../policy/decide.ts";
import type { Failure } from "../policy/failure.ts";
import type { Grant } from "../policy/grant.ts";
import { identifyDirectory } from "../workspace/directory.ts";

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
    else projects.push({ name, root, write, secrets, model, effort });
  }
  return problems.length === 0 ? ok(projects) : fail(problems);
}

/** A root or a working directory that was swapped since it was judged is not worked in. */
export async function recheckDirectories(grant: Grant): Promise<Failure | null> {
  for (const granted of [grant.root, grant.cwd]) {
    const now = await identifyDirectory(granted.path);
    if (now === null || !isSameDirectory(now, granted)) return { code: "cwd_not_allowed" };
  }
  return null;
}
