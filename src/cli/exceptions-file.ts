/** Where the owner's exceptions from the secret scan are kept: beside the config file, wherever that is. */
import { dirname, join } from "node:path";
import { defaultDirectory, type Config } from "../config/load.ts";

export function exceptionsFileOf(
  config: Pick<Config, "configFile">,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const directory =
    config.configFile === null
      ? defaultDirectory({ environment }, "XDG_CONFIG_HOME", ".config")
      : dirname(config.configFile);
  return join(directory, "allow.json");
}
