/**
 * The addresses of the authorization server, and what of the library's they lead to. What is not named here does not
 * exist: the library never sees it.
 */
import { scopeNames } from "../caller.ts";

export type Route = "server" | "authorize" | "consent";

const ROUTES: readonly (readonly [RegExp, Route, readonly string[]])[] = [
  [/^\/\.well-known\/(?:oauth-authorization-server|openid-configuration)$/, "server", ["GET"]],
  [/^\/oauth\/authorize$/, "authorize", ["GET"]],
  [/^\/oauth\/authorize\/[\w-]{1,64}$/, "server", ["GET"]],
  [/^\/oauth\/jwks$/, "server", ["GET"]],
  [/^\/oauth\/(?:token|revoke)$/, "server", ["POST"]],
  [/^\/oauth\/register$/, "server", ["POST"]],
  [/^\/oauth\/consent\/[\w-]{1,64}$/, "consent", ["GET", "POST"]],
];

/** null where there is nothing; `allow` where there is, for other methods. */
export function findRoute(
  method: string,
  path: string,
  registration: boolean,
): Route | { allow: string } | null {
  for (const [pattern, route, methods] of ROUTES) {
    if (!pattern.test(path) || (path === "/oauth/register" && !registration)) continue;
    return methods.includes(method) ? route : { allow: methods.join(", ") };
  }
  return null;
}

/** A browser comes here from the client's own site. Everything behind it is a page of ours. */
export function isEntrance(method: string, path: string): boolean {
  return method === "GET" && /^\/oauth\/(?:authorize|consent)(?:\/|$)/.test(path);
}

const OPENID_SCOPES = new Set(["openid", "profile", "email", "address", "phone"]);
/** OpenID Connect's, which mean nothing without its scope; RFC 6749 3.1: what is not known is ignored. */
const OPENID_PARAMETERS = ["nonce", "max_age", "id_token_hint", "acr_values", "claims", "claims_locales"];

/** Nowhere else: a code in a fragment, or on a page that posts it, lies about where a script of the client can find it. */
export const RESPONSE_MODE = "query";

/** The request's own words, without what this server does not do, and with the scopes that are meant where none is named. */
export function toAuthorizeTarget(url: URL): string {
  const parameters = url.searchParams;
  for (const name of OPENID_PARAMETERS) parameters.delete(name);
  const modes = parameters.getAll("response_mode");
  // The library knows more of them, and says no to this one.
  if (modes.length === 1 && modes[0] !== RESPONSE_MODE) parameters.set("response_mode", "unsupported");
  const scopes = parameters.getAll("scope");
  if (scopes.length <= 1) {
    const asked = (scopes[0] ?? "").split(" ").filter((scope) => scope !== "" && !OPENID_SCOPES.has(scope));
    const isOpen = asked.every((scope) => scope === "offline_access");
    parameters.set("scope", (isOpen ? [...scopeNames, ...asked] : asked).join(" "));
  }
  return `${url.pathname}?${parameters.toString()}`;
}
