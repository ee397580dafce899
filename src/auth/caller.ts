/** Who is calling, once a credential has been checked, and the ways in which that check says no. Never how it is checked. */

type Scope = "read" | "write";

export interface Caller {
  /** Jobs and threads belong to it. Every credential of the owner has the same subject, so changing the credential loses no job. */
  readonly subject: string;
  readonly scopes: readonly Scope[];
  readonly via: "none" | "static-token" | "header-secret";
}

/** The subject of everyone who holds the owner's own credential (or calls a bridge that asks for none). */
export const ownerSubject = "owner";

export type AuthFailure =
  | { code: "no_credential" }
  | { code: "wrong_credential" }
  | { code: "too_many_requests"; retryAfterMs: number };
