/** Which project this process works in. Looks at directories alone. */
import { realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, resolve } from "node:path";
import type { DirectoryIdentity } from "../policy/grant.ts";
import { identifyDirectory, isInside } from "../workspace/directory.ts";

/**
 * The project that `cwd` belongs to: the nearest directory above it with a `.git`, else `cwd` itself. null where that
 * would be the home directory or something above it.
 */
export async function findProject(cwd: string, home = homedir()): Promise<DirectoryIdentity | null> {
  const start = await realpath(cwd).catch(() => null);
  const realHome = await realpath(home).catch(() => home);
  if (start === null || isInside(start, realHome)) return null;
  let root = start;
  for (let above = start; !isInside(above, realHome) && above !== dirname(above); above = dirname(above)) {
    if ((await stat(resolve(above, ".git")).catch(() => null)) !== null) {
      root = above;
      break;
    }
  }
  return identifyDirectory(root);
}
