/** The headers with which a caller of this configuration proves who it is. Never logged, never part of a finding. */
import { secretHeader } from "../auth/bearer.ts";
import type { Config } from "../config/load.ts";

export interface Credential {
  readonly headers: Readonly<Record<string, string>>;
}

/** null: the configuration holds none that could be sent. */
export function credentialOf(config: Pick<Config, "noAuth" | "token" | "headerSecret">): Credential | null {
  if (config.token !== undefined) return { headers: { authorization: `Bearer ${config.token}` } };
  if (config.headerSecret !== undefined) return { headers: { [secretHeader]: config.headerSecret } };
  return config.noAuth ? { headers: {} } : null;
}
