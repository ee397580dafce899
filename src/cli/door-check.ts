/** Puts together who may call this bridge: the owner's credentials, and whoever else can vouch for a bearer token. */
import { createAuthenticate } from "../auth/bearer.ts";
import type { Config } from "../config/load.ts";
import type { Authenticate } from "../http/app.ts";

export function createDoorCheck(config: Config): Authenticate {
  return createAuthenticate({
    token: config.token ?? null,
    noAuth: config.noAuth,
    headerSecret: config.headerSecret ?? null,
  });
}

/** How callers prove who they are, in words. */
export function authName(config: Config): string {
  if (config.noAuth) return "none";
  if (config.token !== undefined)
    return config.headerSecret === undefined ? "token" : "token or header secret";
  return "header secret";
}
