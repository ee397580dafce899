/** Where a program is that the owner named by a path, or by a name on PATH. Runs nothing. */
import { access, constants, realpath, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join, resolve, sep } from "node:path";
import { fail, ok, type Result } from "./result.ts";

/** An absolute path, or null where there is no such program. */
export async function findProgram(command: string, path: string | undefined): Promise<string | null> {
  const found = await findTrustedProgram(command, path, () => false);
  return found.ok ? found.value : null;
}

/** Is this place, without links, in a project? Whoever works there could change the program. */
export type IsInProject = (realPath: string) => boolean;

/** One on PATH that leads into a project by a link is passed over; `in_project`: there is no other. */
export async function findTrustedProgram(
  command: string,
  path: string | undefined,
  isInProject: IsInProject,
): Promise<Result<string, "missing" | "in_project">> {
  const candidates = command.includes(sep)
    ? [resolve(command)]
    : (path ?? "")
        .split(delimiter)
        .filter(isAbsolute)
        .map((directory) => join(directory, command));
  let failure: "missing" | "in_project" = "missing";
  for (const candidate of candidates) {
    // oxlint-disable-next-line no-await-in-loop -- the first one wins
    const found = await isProgram(candidate);
    if (found === null) continue;
    // oxlint-disable-next-line no-await-in-loop
    if (!isInProject(await realpath(found))) return ok(found);
    failure = "in_project";
  }
  return fail(failure);
}

async function isProgram(path: string): Promise<string | null> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile() ? path : null;
  } catch {
    return null; // not there or not ours to run: the next directory on PATH
  }
}
