/**
 * Configuration with what the owner keeps in the system's keychain. With `keychain` on, a secret that neither a flag nor
 * the environment nor the config file gives is read from there and stands where its variable would: from then on it is
 * treated like one from the environment. The process's own environment stays as it is, and nothing is written anywhere.
 */
import { dirname, join } from "node:path";
import { defaultDirectory, type Config, type ConfigProblem } from "../config/load.ts";
import { secretItems, type SecretItemName } from "../keychain/secret-items.ts";
import type { Stores } from "../keychain/open-stores.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { isInside } from "../workspace/directory.ts";
import { loadConfigFor, type Flags } from "./flags.ts";
import type { Terminal } from "./terminal.ts";
import { trustPath } from "./trusted-path.ts";

/** The keychain may ask its owner to unlock it, or for permission. */
const KEYCHAIN_WAIT_MS = 60_000;

type Environment = Terminal["environment"];

export interface ConfigWithSecrets {
  readonly config: Config;
  /** The environment that the subcommand was given, with the secrets in it, and with a PATH that leads into no project. */
  readonly environment: Environment;
  /** Parts of PATH that are not used. */
  readonly leftOut: readonly string[];
  /** Why a store could not be read, in words. */
  readonly notes: readonly string[];
}

export async function loadConfigWithSecrets(
  terminal: Pick<Terminal, "environment" | "cwd">,
  flags: Flags,
  keychainMs?: number,
): Promise<Result<ConfigWithSecrets, ConfigProblem[]>> {
  const first = await loadConfigFor(terminal, flags);
  if (!first.ok) return first;
  const roots = first.value.projects.map(({ path }) => path);
  const { environment, leftOut } = await trustPath(terminal.environment, roots);
  if (!first.value.keychain) return ok({ config: first.value, environment, leftOut, notes: [] });
  const file = secretsFileOf(first.value.configFile, environment);
  const around = first.value.projects.find(({ path }) => isInside(path, file));
  if (around !== undefined) {
    const problem = `lies inside the project ${around.path}; Codex could read or change it`;
    return fail([{ setting: file, problem }]);
  }
  const [{ readSecrets }, stores] = await Promise.all([
    import("../keychain/read-secrets.ts"),
    openOwnStores(first.value, environment, keychainMs),
  ]);
  const { values, problems: notes } = await readSecrets(stores, missingItems(first.value, environment));
  const filled: Record<string, string | undefined> = { ...environment };
  for (const [name, value] of values) filled[secretItems[name].variable] = value;
  const config = await loadConfigFor({ ...terminal, environment: filled }, flags);
  return config.ok ? ok({ config: config.value, environment: filled, leftOut, notes }) : config;
}

/** The stores that belong to this configuration: the file lies beside the config file. */
export async function openOwnStores(
  config: Pick<Config, "configFile">,
  environment: Environment,
  waitMs: number = KEYCHAIN_WAIT_MS,
): Promise<Stores> {
  const { openStores } = await import("../keychain/open-stores.ts");
  return openStores({
    platform: process.platform,
    environment,
    waitMs,
    filePath: secretsFileOf(config.configFile, environment),
  });
}

export function secretsFileOf(configFile: string | null, environment: Environment): string {
  const directory =
    configFile === null
      ? defaultDirectory({ environment }, "XDG_CONFIG_HOME", ".config")
      : dirname(configFile);
  return join(directory, "secrets.json");
}

/** What nobody gave. Without authentication none of the bridge's own credentials is wanted. */
function missingItems(config: Config, environment: Environment): SecretItemName[] {
  const given = new Map<string, unknown>(Object.entries(config));
  const isMissing = (name: string): boolean => given.get(name) === undefined;
  const missing: SecretItemName[] = [];
  if (!config.noAuth && isMissing("token")) missing.push("token");
  if (!config.noAuth && isMissing("headerSecret")) missing.push("headerSecret");
  const asksForPasscode = !isMissing("publicUrl") && isMissing("authIssuer");
  if (asksForPasscode && isMissing("oauthPasscode")) missing.push("oauthPasscode");
  const foreign = [
    "controlPlaneApiKey",
    "controlPlaneTunnelId",
    "ngrokAuthtoken",
    "cloudflareTunnelToken",
    "openaiApiKey",
  ] as const;
  return [...missing, ...foreign.filter((name) => (environment[secretItems[name].variable] ?? "") === "")];
}
