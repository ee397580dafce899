/**
 * PATH as the bridge looks up the programs that it starts outside any sandbox (Codex, a tunnel's client, a keychain's
 * tool), and as these look up theirs: without the directories inside a project, where Codex or a stranger's repository
 * could have put a program of that name, and without what is no absolute path. None at all rather than an empty one:
 * that means the current directory. Says what it left out.
 */
import { realpath } from "node:fs/promises";
import { delimiter, isAbsolute } from "node:path";
import type { IsInProject } from "../lib/find-program.ts";
import { isInside } from "../workspace/directory.ts";
import type { Terminal } from "./terminal.ts";

type Environment = Terminal["environment"];

export interface TrustedPath {
  readonly environment: Environment;
  /** Parts of PATH, as they stand there. */
  readonly leftOut: readonly string[];
}

/** `roots`: absolute; they need not exist. */
export async function trustPath(environment: Environment, roots: readonly string[]): Promise<TrustedPath> {
  const { PATH: path = "", ...others } = environment;
  const places = (await Promise.all(roots.map(placesOf))).flat();
  const kept: string[] = [];
  const leftOut: string[] = [];
  for (const directory of path.split(delimiter)) {
    // oxlint-disable-next-line no-await-in-loop -- a handful, and their order counts
    const seen = isAbsolute(directory) ? await placesOf(directory) : null;
    const isOutside = seen?.every((place) => !places.some((root) => isInside(root, place))) === true;
    (isOutside ? kept : leftOut).push(directory);
  }
  if (leftOut.length === 0) return { environment, leftOut };
  if (kept.length === 0) return { environment: others, leftOut: path === "" ? [] : leftOut };
  return { environment: { ...others, PATH: kept.join(delimiter) }, leftOut };
}

/** For programs that are found in a directory that may be used, and are links themselves. */
export async function projectPlaces(projects: readonly { readonly path: string }[]): Promise<IsInProject> {
  const places = (await Promise.all(projects.map(async ({ path }) => placesOf(path)))).flat();
  return (path) => places.some((root) => isInside(root, path));
}

/** As it is written, and where it leads. */
async function placesOf(path: string): Promise<string[]> {
  return [path, await realpath(path).catch(() => path)];
}
