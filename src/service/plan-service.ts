/**
 * Decides what the service runs: which Node, which file, which PATH, which variables of the owner's shell go along. A
 * service is started outside any shell, so whatever it needs stands in its unit file; a secret never does.
 */
import { realpath } from "node:fs/promises";
import { delimiter, dirname, isAbsolute, join, sep } from "node:path";
import { NETWORK_NAMES } from "../lib/network-names.ts";
import type { ServicePlan } from "./service-plan.ts";

export interface ServiceSearch {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  /** The Node that runs now. */
  readonly node: string;
  readonly packageRoot: string;
  /** Given to `serve`. */
  readonly flags: readonly string[];
}

/** Where the bridge, its Codex and the tunnel's client find what is theirs. */
const PASSED = [
  "CODEX_HOME",
  "XDG_CONFIG_HOME",
  "XDG_STATE_HOME",
  "XDG_DATA_HOME",
  "XDG_CACHE_HOME",
  "LANG",
  "CODEX_CA_CERTIFICATE",
  "NODE_EXTRA_CA_CERTS",
  "OPENAI_BASE_URL",
  ...NETWORK_NAMES,
];
const SYSTEM_DIRECTORIES = ["/opt/homebrew/bin", "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];

export async function planService(search: ServiceSearch): Promise<ServicePlan> {
  const { environment, home, packageRoot, flags } = search;
  const node = await lastingPathOf(search.node, environment["PATH"]);
  const passed = PASSED.map((name) => [name, environment[name]] as const).filter(isFit);
  return {
    command: [node, join(packageRoot, "dist", "bridge.js"), "serve", ...flags],
    environment: { PATH: servicePath(environment["PATH"], node, packageRoot), ...Object.fromEntries(passed) },
    home,
  };
}

/** A proxy's URL may hold a password; a line break could end the line in the unit file. */
function isFit(entry: readonly [string, string | undefined]): entry is readonly [string, string] {
  const value = entry[1] ?? "";
  return value !== "" && !/\p{Cc}/u.test(value) && !/:\/\/[^/]*@/.test(value);
}

/** Homebrew and others keep each version in a directory of its own; the link on PATH outlives an update. */
async function lastingPathOf(node: string, path: string | undefined): Promise<string> {
  const real = await realpath(node);
  for (const directory of (path ?? "").split(delimiter)) {
    if (!isAbsolute(directory) || isUnderModules(directory)) continue;
    const candidate = join(directory, "node");
    if ((await realpath(candidate).catch(() => null)) === real) return candidate;
  }
  return node;
}

/** The owner's PATH, so that Codex and the tools that its commands use are found as in the owner's shell. */
function servicePath(path: string | undefined, node: string, packageRoot: string): string {
  const own = join(packageRoot, "node_modules") + sep;
  const directories = (path ?? "")
    .split(delimiter)
    .filter(
      (directory) =>
        isAbsolute(directory) && !/\p{Cc}/u.test(directory) && !`${directory}${sep}`.startsWith(own),
    );
  return [...new Set([...directories, dirname(node), ...SYSTEM_DIRECTORIES])].join(delimiter);
}

function isUnderModules(directory: string): boolean {
  return directory.split(sep).includes("node_modules");
}
