/** The sign-ins that stand: whether one still counts, and the owner's list of them. Knows no secret of any. */
import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";

/** One client that the owner let in. */
export interface SignIn {
  /** Short enough to type; means nothing to anybody else. */
  readonly signInId: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** ISO 8601. */
  readonly since: string;
}

const grantPayload = z.looseObject({
  clientId: z.string(),
  iat: z.number(),
  resources: z.record(z.string(), z.string()).default({}),
  rejected: z.looseObject({ resources: z.record(z.string(), z.string()).default({}) }).optional(),
});

/** Whether the grant of an access token still stands. */
export function createGrantCheck(sql: DatabaseSync, now: () => number): (grantDigest: string) => boolean {
  const find = sql.prepare("SELECT 1 FROM records WHERE kind = 'Grant' AND id = ? AND expires_at > ?");
  return (grantDigest) => find.get(grantDigest, now()) !== undefined;
}

export function listSignIns(sql: DatabaseSync, now: number): SignIn[] {
  const rows = sql
    .prepare("SELECT id, payload FROM records WHERE kind = 'Grant' AND expires_at > ? ORDER BY seq")
    .all(now);
  return rows.map(({ id, payload }) => {
    const { clientId, iat, resources, rejected } = grantPayload.parse(JSON.parse(String(payload)));
    const refused = new Set(Object.values(rejected?.resources ?? {}).flatMap((scope) => scope.split(" ")));
    const granted = Object.values(resources).flatMap((scope) => scope.split(" "));
    return {
      signInId: toSignInId(String(id)),
      clientId,
      scopes: granted.filter((scope) => !refused.has(scope)),
      since: new Date(iat * 1000).toISOString(),
    };
  });
}

/** In hex: a digest in base64 may begin with a dash, and would be read as a flag where it is typed. */
function toSignInId(grantDigest: string): string {
  return Buffer.from(grantDigest, "base64url").toString("hex").slice(0, 12);
}

/** Ends the sign-ins of that id, or all. Returns how many those were. */
export function endSignIns(sql: DatabaseSync, signInId: string | null): number {
  const rows = sql.prepare("SELECT id FROM records WHERE kind = 'Grant'").all();
  const ended = rows
    .map(({ id }) => String(id))
    .filter((id) => signInId === null || toSignInId(id) === signInId);
  for (const id of ended) endGrant(sql, id);
  return ended.length;
}

/** Ends one sign-in: its refresh tokens and codes are no more, and its access tokens no longer count. */
export function endGrant(sql: DatabaseSync, grantDigest: string): void {
  sql.prepare("DELETE FROM records WHERE grant_id = ?1 OR (kind = 'Grant' AND id = ?1)").run(grantDigest);
}
