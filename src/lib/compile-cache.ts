/**
 * Where Node keeps this package's modules compiled, so that a start is short. A directory of the user's own: Node runs
 * what lies there, and its default is below /tmp, where another user may have been first.
 */
import { isAbsolute, join } from "node:path";

/** null without a home directory: nothing is kept then. */
export function compileCacheDirectory(
  environment: Readonly<Record<string, string | undefined>>,
): string | null {
  const { XDG_CACHE_HOME: cache = "", HOME: home = "" } = environment;
  if (isAbsolute(cache)) return join(cache, "codex-gpt-bridge", "compiled");
  return isAbsolute(home) ? join(home, ".cache", "codex-gpt-bridge", "compiled") : null;
}
