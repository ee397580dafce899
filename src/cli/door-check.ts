/** Puts together who may call this bridge: the owner's credentials, and whoever else can vouch for a bearer token. */
import { createAdmission } from "../auth/admission.ts";
import { createAuthenticate } from "../auth/bearer.ts";
import type { Config } from "../config/load.ts";
import type { Authenticate } from "../http/app.ts";
import type { Clock } from "../lib/clock.ts";

export function createDoorCheck(config: Config, clock: Clock): Authenticate {
  const { requestsPerMinute, failedAuthPerMinute } = config;
  const authenticate = createAuthenticate({
    token: config.token ?? null,
    noAuth: config.noAuth,
    headerSecret: config.headerSecret ?? null,
  });
  return createAdmission({
    authenticate,
    requestsPerMinute,
    failedAuthPerMinute,
    monotonic: () => clock.monotonic(),
  });
}

/** How callers prove who they are, in words. */
export function authName(config: Config): string {
  if (config.noAuth) return "none";
  if (config.token !== undefined)
    return config.headerSecret === undefined ? "token" : "token or header secret";
  return "header secret";
}
