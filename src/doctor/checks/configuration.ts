/** Is the configuration right, and is its file kept from others? */
import { stat } from "node:fs/promises";
import type { Config } from "../../config/load.ts";
import { broken, doubtful, fine, type Check } from "../check.ts";

export const configuration: Check = {
  name: "config",
  title: "configuration",

  async run({ config }) {
    if (!config.ok) {
      const problems = config.failure.map(({ setting, problem }) => `${setting}: ${problem}`);
      return broken(problems.join("; "), "correct these settings; docs/config.md lists all of them");
    }
    const { configFile } = config.value;
    if (configFile === null) return fine("no config file; environment, flags and defaults");
    if (holdsSecret(config.value) && (await isReadableByOthers(configFile))) {
      return doubtful(`${configFile} may hold a secret, and others can read it`, `chmod 600 ${configFile}`);
    }
    return fine(configFile);
  },
};

function holdsSecret({ token, headerSecret, oauthPasscode, oauthClientSecret }: Config): boolean {
  return [token, headerSecret, oauthPasscode, oauthClientSecret].some((secret) => secret !== undefined);
}

async function isReadableByOthers(path: string): Promise<boolean> {
  return ((await stat(path)).mode & 0o044) !== 0;
}
