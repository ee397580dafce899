/** The directory of the user's Codex. Looks at the environment only, never at the disk. */
import { join } from "node:path";

/** Where the user's Codex keeps its login and threads; null without a home directory. */
export function codexHome(environment: Readonly<Record<string, string | undefined>>): string | null {
  const { CODEX_HOME: own, HOME: home } = environment;
  if (own !== undefined && own !== "") return own;
  return home === undefined || home === "" ? null : join(home, ".codex");
}
