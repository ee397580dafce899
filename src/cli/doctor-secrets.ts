/** Every value that the doctor must not show, whatever a check says. */
import { knownSecrets } from "../audit/known-secrets.ts";
import type { Config } from "../config/load.ts";
import { settingNames } from "../config/settings.ts";

const SECRET_SETTING = /token|secret|key|passcode|password/i;

/** Goes by the name, so that a setting that is added later is rather hidden than shown. */
export function isSecretSetting(name: string): boolean {
  return SECRET_SETTING.test(name) && name !== "secrets";
}

export function doctorSecrets(
  config: Config | null,
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  if (config === null) return knownSecrets([], environment);
  const own = settingNames.filter(isSecretSetting).map((name) => config[name]);
  return knownSecrets(
    own.map((value) => (typeof value === "string" ? value : undefined)),
    environment,
  );
}
