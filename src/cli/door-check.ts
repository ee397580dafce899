/** Puts together who may call this bridge: the owner's credentials, and whoever else can vouch for a bearer token. */
import { createAdmission } from "../auth/admission.ts";
import { createAuthenticate, type VerifyToken } from "../auth/bearer.ts";
import { createTokenVerifier, isLive } from "../auth/created-token.ts";
import type { Config } from "../config/load.ts";
import type { Authenticate } from "../http/app.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";

export interface DoorCheck {
  readonly authenticate: Authenticate;
  close(): void;
}

/** `signIn` vouches for the tokens of those who signed in; null where nobody can. */
export function createDoorCheck(
  config: Config,
  signIn: VerifyToken | null,
  clock: Clock,
  log: Log,
): DoorCheck {
  const { requestsPerMinute, failedAuthPerMinute } = config;
  const created = createTokenVerifier(config.stateDir, clock, log);
  const credentials = {
    token: config.token ?? null,
    noAuth: config.noAuth,
    headerSecret: config.headerSecret ?? null,
  };
  return {
    authenticate: createAdmission({
      authenticate: createAuthenticate(credentials, [created.verify, ...(signIn === null ? [] : [signIn])]),
      requestsPerMinute,
      failedAuthPerMinute,
      monotonic: () => clock.monotonic(),
    }),
    close() {
      created.close();
    },
  };
}

/** Whether anybody could ever be let in. */
export async function hasAuth(config: Config, now: number): Promise<boolean> {
  const ways = [config.token, config.headerSecret, config.publicUrl];
  if (config.noAuth || ways.some((way) => way !== undefined)) return true;
  const { createTokenReader } = await import("../auth/token-store.ts");
  const reader = createTokenReader(config.stateDir);
  const tokens = reader.store()?.list() ?? [];
  reader.close();
  return tokens.some((token) => isLive(token, now));
}

/** How callers prove who they are, in words. */
export function authName(config: Config): string {
  if (config.noAuth) return "none";
  const ways = [
    config.token === undefined ? [] : ["token"],
    config.headerSecret === undefined ? [] : ["header secret"],
    config.publicUrl === undefined ? [] : ["OAuth"],
  ].flat();
  return ways.length === 0 ? "created token" : ways.join(" or ");
}
