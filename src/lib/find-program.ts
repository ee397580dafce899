/** Where a program is that the owner named by a path, or by a name on PATH. Runs nothing. */
import { access, constants, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join, resolve, sep } from "node:path";

/** An absolute path, or null where there is no such program. */
export async function findProgram(command: string, path: string | undefined): Promise<string | null> {
  if (command.includes(sep)) return isProgram(resolve(command));
  for (const directory of (path ?? "").split(delimiter)) {
    if (!isAbsolute(directory)) continue;
    const found = await isProgram(join(directory, command));
    if (found !== null) return found;
  }
  return null;
}

async function isProgram(path: string): Promise<string | null> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile() ? path : null;
  } catch {
    return null; // not there or not ours to run: the next directory on PATH
  }
}
