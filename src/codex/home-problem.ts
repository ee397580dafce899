/**
 * What is wrong with a CODEX_HOME that the owner has set: Codex makes its own default directory, but ends at once where a
 * named one is not there. Only looks.
 */
import { stat } from "node:fs/promises";
import { isAbsolute } from "node:path";

export interface HomeProblem {
  readonly path: string;
  /** Goes on after "CODEX_HOME". */
  readonly problem: string;
}

/** `environment`: Codex's. Null where there is nothing wrong. */
export async function homeProblemOf(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<HomeProblem | null> {
  const { CODEX_HOME: path } = environment;
  if (path === undefined || path === "") return null;
  // Codex would look for it from where the bridge starts it.
  if (!isAbsolute(path)) return { path, problem: "is not an absolute path" };
  try {
    return (await stat(path)).isDirectory()
      ? null
      : { path, problem: "names something that is no directory" };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    const problem =
      code === "ENOENT"
        ? "names a directory that does not exist"
        : `names a directory that cannot be reached (${code})`;
    return { path, problem };
  }
}

export const HOME_REMEDY = "make that directory, or unset CODEX_HOME where the bridge is started";
