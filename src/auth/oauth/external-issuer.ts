/**
 * Vouches for the tokens of an authorization server of the owner's own choice: asks it once for its keys, and checks
 * signature, issuer, audience and times of each token. Never asks it about a token, and follows nothing in one.
 */
import { createRemoteJWKSet, customFetch, errors, jwtVerify, type JWTVerifyGetKey } from "jose";
import { z } from "zod";
import type { Log } from "../../lib/log.ts";
import { fail, ok } from "../../lib/result.ts";
import type { VerifyToken } from "../bearer.ts";
import type { Caller } from "../caller.ts";
import { parseScopes } from "./scopes.ts";

export interface ExternalIssuerParts {
  readonly issuer: string;
  readonly audience: string;
  /** Empty: all. */
  readonly clients: readonly string[];
  readonly subjects: readonly string[];
  readonly fetch: typeof globalThis.fetch;
  /** Wall time, ms. */
  readonly now: () => number;
  readonly log: Log;
}

// No `none`, and nothing symmetric: a public key is nobody's shared secret.
const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
const TYPES = new Set(["at+jwt", "application/at+jwt", "jwt"]);
const TIMEOUT_MS = 5_000;
const MAX_METADATA_CHARACTERS = 256 * 1024;
const ASK_AGAIN_AFTER_MS = 10_000;
const CLOCK_TOLERANCE_S = 30;

const metadata = z.looseObject({ issuer: z.string(), jwks_uri: z.string() });
const claims = z.looseObject({
  sub: z.string().min(1),
  exp: z.number(),
  scope: z.string().optional(),
  // What two widespread servers say in place of it.
  scp: z.union([z.string(), z.array(z.string())]).optional(),
  client_id: z.string().optional(),
  azp: z.string().optional(),
});

const isJwt = /^[\w-]+\.[\w-]+\.[\w-]*$/;

export function createExternalVerifier(parts: ExternalIssuerParts): VerifyToken {
  const { issuer, audience, clients, subjects, now, log } = parts;
  let keys: Promise<JWTVerifyGetKey | null> | null = null;
  let askedAt = -Infinity;

  return async (token) => {
    if (!isJwt.test(token)) return null;
    const getKey = await keysOf();
    const caller = getKey === null ? null : await judge(token, getKey);
    return caller === null ? fail({ code: "wrong_credential" }) : ok(caller);
  };

  async function keysOf(): Promise<JWTVerifyGetKey | null> {
    if (keys === null) {
      // Also where the clock was set back meanwhile.
      if (Math.abs(now() - askedAt) < ASK_AGAIN_AFTER_MS) return null;
      askedAt = now();
      keys = discover();
    }
    const found = await keys;
    if (found === null) keys = null;
    return found;
  }

  async function judge(token: string, getKey: JWTVerifyGetKey): Promise<Caller | null> {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, getKey, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        requiredClaims: ["exp", "sub"],
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: new Date(now()),
      });
      if (protectedHeader.typ !== undefined && !TYPES.has(protectedHeader.typ.toLowerCase())) return null;
      const { sub, scope, scp, client_id: clientId, azp } = claims.parse(payload);
      if (subjects.length > 0 && !subjects.includes(sub)) return null;
      if (clients.length > 0 && !clients.includes(clientId ?? azp ?? "")) return null;
      const scopes = parseScopes(scope ?? (Array.isArray(scp) ? scp.join(" ") : (scp ?? "")));
      if (scopes.length > 0) return { subject: `${issuer} ${sub}`, scopes, via: "oauth" };
      log.warn({}, "a token of the authorization server has neither the scope read nor write");
      return null;
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof z.ZodError) {
        if (!(error instanceof errors.JWTExpired))
          log.debug({ why: String(error) }, "a token was not accepted");
        return null;
      }
      log.warn({ why: String(error) }, "the keys of the authorization server cannot be had");
      return null;
    }
  }

  /** RFC 8414 3.1 puts the well-known part before the issuer's path, OpenID Connect behind it. */
  async function discover(): Promise<JWTVerifyGetKey | null> {
    const { origin, pathname } = new URL(issuer);
    const path = pathname === "/" ? "" : pathname.replace(/\/$/, "");
    const places = [
      `${origin}/.well-known/oauth-authorization-server${path}`,
      `${origin}${path}/.well-known/openid-configuration`,
      `${origin}/.well-known/openid-configuration${path}`,
    ];
    for (const place of new Set(places)) {
      const found = await read(place);
      if (found === null) continue;
      if (found.issuer !== issuer) {
        log.error(
          { issuer, found: found.issuer },
          "the authorization server calls itself by another name; see auth_issuer",
        );
        return null;
      }
      const jwks = URL.parse(found.jwks_uri);
      if (jwks === null || jwks.protocol !== new URL(issuer).protocol) break;
      return createRemoteJWKSet(jwks, { timeoutDuration: TIMEOUT_MS, [customFetch]: parts.fetch });
    }
    log.error(
      { issuer },
      "the authorization server does not say how it is reached; nobody can sign in with it",
    );
    return null;
  }

  async function read(place: string): Promise<z.infer<typeof metadata> | null> {
    try {
      const answer = await parts.fetch(place, {
        redirect: "error",
        headers: { accept: "application/json" },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (!answer.ok) return null;
      const text = await answer.text();
      return text.length > MAX_METADATA_CHARACTERS
        ? null
        : (metadata.safeParse(JSON.parse(text)).data ?? null);
    } catch (error) {
      log.debug({ place, why: String(error) }, "no metadata there");
      return null;
    }
  }
}
