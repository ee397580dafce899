/**
 * Compares the credential of a request with the owner's: the bearer token, or the secret that a tunnel client adds.
 * Never reads the body or the query string, never keeps or logs a credential, and holds its own only as a digest.
 */
import { hash, timingSafeEqual } from "node:crypto";
import { fail, ok, type Result } from "../lib/result.ts";
import { ownerSubject, type AuthFailure, type Caller } from "./caller.ts";

export const secretHeader = "x-codex-gpt-bridge-secret";

export interface OwnerCredentials {
  readonly token: string | null;
  /** Lets everyone in; counts only where neither a token nor a header secret is set. */
  readonly noAuth: boolean;
  readonly headerSecret: string | null;
}

/** Vouches for a bearer token that is not the owner's static one: null where the token is not of its kind. */
export type VerifyToken = (token: string) => Promise<Result<Caller, AuthFailure> | null>;

/**
 * The check for `/mcp` and `/metrics`. One right credential is enough, whatever else was sent; with nothing configured
 * nobody is let in. The verifiers are asked in their order until one knows the token.
 */
export function createAuthenticate(
  credentials: OwnerCredentials,
  verifiers: readonly VerifyToken[] = [],
): (request: Request) => Promise<Result<Caller, AuthFailure>> {
  const token = digestOf(credentials.token);
  const headerSecret = digestOf(credentials.headerSecret);
  const openToAll = credentials.noAuth && token === null && headerSecret === null;

  return async (request) => {
    if (openToAll) return ok(callerVia.none);
    const authorization = request.headers.get("authorization");
    const sentSecret = request.headers.get(secretHeader);
    const sentToken = bearerOf(authorization);
    if (matches(token, sentToken)) return ok(callerVia["static-token"]);
    if (matches(headerSecret, sentSecret)) return ok(callerVia["header-secret"]);
    if (sentToken !== null) {
      for (const verify of verifiers) {
        // oxlint-disable-next-line no-await-in-loop -- the first that knows the token decides
        const verdict = await verify(sentToken);
        if (verdict !== null) return verdict;
      }
    }
    return fail({
      code: authorization === null && sentSecret === null ? "no_credential" : "wrong_credential",
    });
  };
}

const callerVia = {
  none: owner("none"),
  "static-token": owner("static-token"),
  "header-secret": owner("header-secret"),
} as const;

function owner(via: Caller["via"]): Caller {
  return Object.freeze({ subject: ownerSubject, scopes: Object.freeze(["read", "write"] as const), via });
}

// RFC 6750 2.1: `Bearer` (any case), one or more spaces, token68. Two Authorization headers arrive joined by a comma, which it has not.
const bearerSyntax = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i;

function bearerOf(header: string | null): string | null {
  return header === null ? null : (bearerSyntax.exec(header)?.[1] ?? null);
}

function digestOf(secret: string | null): Buffer | null {
  return secret === null || secret === "" ? null : hash("sha256", secret, "buffer");
}

function matches(expected: Buffer | null, sent: string | null): boolean {
  return expected !== null && sent !== null && timingSafeEqual(expected, hash("sha256", sent, "buffer"));
}
