/** Looks a program up on PATH: absolute directories only, so that nothing in the current directory is ever started. */
import { access, constants, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";

/** The path as PATH gives it, links not followed; or null. */
export async function findProgram(name: string, path: string | undefined): Promise<string | null> {
  for (const directory of (path ?? "").split(delimiter)) {
    if (!isAbsolute(directory)) continue;
    const candidate = join(directory, name);
    if (await isExecutable(candidate)) return candidate;
  }
  return null;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false; // not there or not ours to run: the next directory
  }
}
