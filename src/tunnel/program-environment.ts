/** The environment of a tunnel program: what it needs to run and to reach its service, and what it is given by name. */
import { NETWORK_NAMES } from "../lib/network-names.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const NEEDED: ReadonlySet<string> = new Set([
  "HOME",
  "PATH",
  "USER",
  "LOGNAME",
  "LANG",
  "TZ",
  "TMPDIR",
  ...NETWORK_NAMES,
]);

/** `also`: names, and prefixes that end in `_`. */
export function toProgramEnvironment(
  environment: Environment,
  also: readonly string[],
): Record<string, string> {
  const prefixes = ["LC_", ...also.filter((name) => name.endsWith("_"))];
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || value === "") continue;
    const isWanted =
      NEEDED.has(name) || also.includes(name) || prefixes.some((prefix) => name.startsWith(prefix));
    if (isWanted) result[name] = value;
  }
  return result;
}
