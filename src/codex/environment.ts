/**
 * The environment that the Codex process gets: what it needs to run, to find its login and to reach its provider.
 * Nothing of the bridge's own. The model's commands get less still (confinement.ts, `shell_environment_policy`).
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Log } from "../lib/log.ts";
import { NETWORK_NAMES } from "../lib/network-names.ts";
import { codexHome } from "./codex-home.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const NEEDED = [
  "HOME",
  "PATH",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "TZ",
  "TMPDIR",
  "CODEX_HOME",
  "CODEX_CA_CERTIFICATE",
  ...NETWORK_NAMES,
];
const NEEDED_PREFIXES = ["LC_", "XDG_"];
const OWN_PREFIX = "CODEX_GPT_BRIDGE_";
/** Where `codex-chatgpt-mcp` finds its caps and what was spent; no secrets, and handed on only where they are named. */
const OWN_PLACES: ReadonlySet<string> = new Set([`${OWN_PREFIX}STATE_DIR`, `${OWN_PREFIX}CONFIG`]);

/**
 * Codex asks git about each project before a thread starts, outside its sandbox, and `git status` runs the filters that a
 * repository's own configuration names: a project's, or what a write turn put into one below it. So git finds nothing.
 */
const WITHOUT_GIT = { GIT_DIR: "/dev/null" };

/** `mcpServers`: the user's MCP servers that the owner lets start; the variables that they name go along. */
export async function toCodexEnvironment(
  environment: Environment,
  mcpServers: readonly string[],
  log: Log,
): Promise<Record<string, string>> {
  const home = codexHome(environment);
  const named = home === null ? [] : await variablesNamedIn(join(home, "config.toml"), mcpServers, log);
  const wanted = new Set([...NEEDED, ...named]);
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || (name.startsWith(OWN_PREFIX) && !OWN_PLACES.has(name))) continue;
    if (wanted.has(name) || NEEDED_PREFIXES.some((prefix) => name.startsWith(prefix))) result[name] = value;
  }
  return { ...result, ...WITHOUT_GIT };
}

const names = z.array(z.string()).catch([]);
const userConfig = z.looseObject({
  model_providers: z
    .record(
      z.string(),
      z.looseObject({
        env_key: z.string().optional().catch(undefined),
        env_http_headers: z.record(z.string(), z.string()).catch({}),
      }),
    )
    .catch({}),
  mcp_servers: z
    .record(
      z.string(),
      z.looseObject({ env_vars: names, bearer_token_env_var: z.string().optional().catch(undefined) }),
    )
    .catch({}),
});

async function variablesNamedIn(path: string, mcpServers: readonly string[], log: Log): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    return []; // no configuration: Codex's defaults name no variable
  }
  const variables: (string | undefined)[] = [];
  const { parse } = await import("smol-toml");
  try {
    const { model_providers: providers, mcp_servers: servers } = userConfig.parse(parse(text));
    for (const provider of Object.values(providers)) {
      variables.push(provider.env_key, ...Object.values(provider.env_http_headers));
    }
    for (const name of mcpServers) {
      variables.push(servers[name]?.bearer_token_env_var, ...(servers[name]?.env_vars ?? []));
    }
  } catch (error) {
    log.warn(
      { path, error: String(error) },
      "the Codex configuration cannot be read; codex will complain too",
    );
  }
  return variables.filter((name) => name !== undefined);
}
