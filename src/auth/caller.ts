/** Who is calling, once a credential has been checked, and the ways in which that check says no. Never how it is checked. */

/** `read`: ask and look. `write`: start and continue what may change files. */
export const scopeNames = ["read", "write"] as const;
export type Scope = (typeof scopeNames)[number];

/** What a credential of this scope may do. */
export function scopesFor(scope: Scope): readonly Scope[] {
  return scope === "write" ? scopeNames : ["read"];
}

export interface Caller {
  /**
   * Jobs and threads belong to it. Every credential of the owner has the same subject, so changing the credential loses
   * no job; a created token is somebody of its own (`token:<id>`).
   */
  readonly subject: string;
  readonly scopes: readonly Scope[];
  readonly via: "none" | "static-token" | "header-secret" | "created-token" | "oauth";
}

/** The subject of everyone who holds the owner's own credential (or calls a bridge that asks for none). */
export const ownerSubject = "owner";

export type AuthFailure =
  | { code: "no_credential" }
  | { code: "wrong_credential" }
  | { code: "too_many_requests"; retryAfterMs: number };
