/**
 * Vouches for the access tokens that this bridge's own authorization server gave out: signature, issuer, audience,
 * times, and that the sign-in behind it still stands. Keeps no token, only a hash of those it has seen.
 */
import { createLocalJWKSet, errors, jwtVerify, type JWK } from "jose";
import { z } from "zod";
import { fail, ok } from "../../lib/result.ts";
import type { VerifyToken } from "../bearer.ts";
import { ownerSubject, type Caller } from "../caller.ts";
import { digest } from "./digest.ts";
import { parseScopes } from "./scopes.ts";

export interface AccessTokenParts {
  readonly issuer: string;
  readonly resource: string;
  /** Public half. */
  readonly key: JWK;
  readonly algorithm: string;
  /** Whether the sign-in that a token came from still stands. */
  readonly stands: (grantDigest: string) => boolean;
  /** Wall time, ms. */
  readonly now: () => number;
}

const claims = z.object({
  aud: z.string(),
  sub: z.literal(ownerSubject),
  exp: z.number(),
  iat: z.number(),
  jti: z.string().min(1),
  client_id: z.string().min(1),
  scope: z.string(),
  grant: z.string().min(1),
});

interface Known {
  readonly caller: Caller;
  readonly expiresAt: number;
  readonly grantDigest: string;
}

const MAX_REMEMBERED = 256;
const isJwt = /^[\w-]+\.[\w-]+\.[\w-]*$/;

export function createAccessTokenVerifier(parts: AccessTokenParts): VerifyToken {
  const { issuer, resource, key, algorithm, stands, now } = parts;
  const keys = createLocalJWKSet({ keys: [key] });
  // A signature costs more than everything else at the door, and a client sends the same token for an hour.
  const seen = new Map<string, Known>();

  return async (token) => {
    if (!isJwt.test(token)) return null;
    const name = digest(token);
    const known = seen.get(name) ?? (await judge(token));
    if (known === null || known.expiresAt <= now() || !stands(known.grantDigest)) {
      seen.delete(name);
      return fail({ code: "wrong_credential" });
    }
    if (!seen.has(name)) remember(name, known);
    return ok(known.caller);
  };

  function remember(name: string, known: Known): void {
    const [oldest] = seen.keys();
    if (oldest !== undefined && seen.size >= MAX_REMEMBERED) seen.delete(oldest);
    seen.set(name, known);
  }

  async function judge(token: string): Promise<Known | null> {
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience: resource,
        algorithms: [algorithm],
        typ: "at+jwt",
        currentDate: new Date(now()),
      });
      const { data } = claims.safeParse(payload);
      // Issued in the future: not by this clock.
      if (data === undefined || data.iat * 1000 > now() + 60_000) return null;
      const caller: Caller = Object.freeze({
        subject: ownerSubject,
        scopes: parseScopes(data.scope),
        via: "oauth",
      });
      return caller.scopes.length === 0
        ? null
        : { caller, expiresAt: data.exp * 1000, grantDigest: digest(data.grant) };
    } catch (error) {
      if (error instanceof errors.JOSEError) return null;
      throw error;
    }
  }
}
