/**
 * Which clients there can be, and to where each may be sent back: those that the owner named, those that publish a
 * metadata document on a host that the owner allows, and, where the owner allows that too, those that register.
 */
import type { ClientMetadata } from "oidc-provider";
import { z } from "zod";
import { isLoopback } from "../../lib/loopback.ts";

/** From `id=redirect address` entries, which are known to be well-formed. The same id again adds an address. */
export function parseClients(entries: readonly string[], clientSecret: string | null): ClientMetadata[] {
  const redirects = new Map<string, string[]>();
  for (const entry of entries) {
    const cut = entry.indexOf("=");
    const clientId = entry.slice(0, cut);
    redirects.set(clientId, [...(redirects.get(clientId) ?? []), entry.slice(cut + 1)]);
  }
  const authentication =
    clientSecret === null
      ? ({ token_endpoint_auth_method: "none" } as const)
      : ({ token_endpoint_auth_method: "client_secret_post", client_secret: clientSecret } as const);
  return Array.from(redirects, ([clientId, uris]) =>
    Object.assign(
      {
        client_id: clientId,
        client_name: clientId,
        redirect_uris: uris,
        application_type: uris.some((uri) => isLoopbackAddress(uri)) ? ("native" as const) : ("web" as const),
      },
      authentication,
    ),
  );
}

/** https on an allowed host, or http on this machine (RFC 8252): nothing else gets an authorization code. */
export function isRedirectAllowed(uri: string, hosts: readonly string[]): boolean {
  const url = URL.parse(uri);
  if (url === null || url.username !== "" || url.password !== "" || uri.includes("#")) return false;
  if (isLoopbackAddress(uri)) return true;
  return url.protocol === "https:" && url.port === "" && hosts.includes(url.hostname);
}

function isLoopbackAddress(uri: string): boolean {
  const url = URL.parse(uri);
  return url !== null && url.protocol === "http:" && isLoopback(url.hostname);
}

const document = z.object({
  client_id: z.string(),
  client_name: z.string().max(200).optional(),
  client_uri: z.string().optional(),
  redirect_uris: z.array(z.string()).min(1).max(20),
  grant_types: z.array(z.string()).optional(),
  token_endpoint_auth_method: z.string().default("none"),
  token_endpoint_auth_signing_alg: z.string().optional(),
  jwks_uri: z.string().optional(),
  jwks: z.unknown().optional(),
  client_secret: z.unknown().optional(),
});

const GRANT_TYPES = ["authorization_code", "refresh_token"];

/**
 * A client's metadata document (draft-ietf-oauth-client-id-metadata-document) without everything that is of no use
 * here: an address that is not in it is not fetched and not shown. Throws where it is no such document.
 */
export function toKnownMetadata(found: unknown, hosts: readonly string[]): Record<string, unknown> {
  const { grant_types: grantTypes, client_uri: clientUri, ...known } = document.parse(found);
  const wrong = known.redirect_uris.find((uri) => !isRedirectAllowed(uri, hosts));
  if (wrong !== undefined)
    throw new Error("the document names a redirect address on a host that is not allowed");
  return {
    ...known,
    ...(clientUri?.startsWith("https://") === true ? { client_uri: clientUri } : {}),
    grant_types: GRANT_TYPES.filter((type) => grantTypes?.includes(type) ?? true),
    response_types: ["code"],
    application_type: known.redirect_uris.some((uri) => isLoopbackAddress(uri)) ? "native" : "web",
  };
}
