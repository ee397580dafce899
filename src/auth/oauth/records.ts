/**
 * What the authorization server remembers, in SQLite. What a client can present (codes, refresh tokens) is kept as a
 * hash: whoever reads the file cannot use it. Never decides who may sign in.
 */
import type { DatabaseSync } from "node:sqlite";
import { errors, type Adapter, type AdapterPayload } from "oidc-provider";
import { inTransaction } from "../../lib/sqlite-file.ts";
import { digest } from "./digest.ts";
import { endGrant } from "./grants.ts";

export interface RecordsOptions {
  readonly sql: DatabaseSync;
  /** Wall time, ms. */
  readonly now: () => number;
  /** How long after its first use a refresh token may be used again; 0: not at all. */
  readonly refreshGraceMs: number;
  /** Throws where a client that registered itself may not be kept. */
  readonly judgeClient: (client: AdapterPayload) => void;
}

/** Anybody may begin to sign in, and few will end it. */
const MOST_OF = new Map([
  ["Interaction", 1_000],
  ["Session", 1_000],
  ["Client", 50],
]);

/** The library's port, for one kind of record each. */
export function createRecords(options: RecordsOptions): (kind: string) => Adapter {
  const { sql, now, refreshGraceMs, judgeClient } = options;
  const upsert = sql.prepare(`
    INSERT INTO records (kind, id, uid, grant_id, consumed_at, expires_at, payload) VALUES (?, ?, ?, ?, NULL, ?, ?)
    ON CONFLICT (kind, id) DO UPDATE SET uid = excluded.uid, grant_id = excluded.grant_id,
      expires_at = excluded.expires_at, payload = excluded.payload`);
  const sweep = sql.prepare("DELETE FROM records WHERE expires_at <= ?");
  // A client that the owner let in is not pushed out by strangers: it is named in a grant.
  const trim = sql.prepare(`
    DELETE FROM records WHERE kind = ?1 AND seq <= (SELECT seq FROM records WHERE kind = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)
      AND NOT (kind = 'Client' AND EXISTS (SELECT 1 FROM records AS g WHERE g.kind = 'Grant'
        AND json_extract(g.payload, '$.clientId') = json_extract(records.payload, '$.client_id')))`);
  const byId = sql.prepare("SELECT payload, consumed_at, expires_at FROM records WHERE kind = ? AND id = ?");
  const byUid = sql.prepare(
    "SELECT payload, consumed_at, expires_at FROM records WHERE kind = ? AND uid = ?",
  );
  const consume = sql.prepare(
    "UPDATE records SET consumed_at = coalesce(consumed_at, ?3) WHERE kind = ?1 AND id = ?2 AND (consumed_at IS NULL OR abs(?3 - consumed_at) < ?4)",
  );
  const grantOf = sql.prepare("SELECT grant_id FROM records WHERE kind = ? AND id = ?");
  const remove = sql.prepare("DELETE FROM records WHERE kind = ? AND id = ?");
  const removeKindOfGrant = sql.prepare("DELETE FROM records WHERE kind = ? AND grant_id = ?");

  return (kind) => {
    const graceMs = kind === "RefreshToken" ? refreshGraceMs : 0;
    const toPayload = (row: ReturnType<typeof byId.get>): AdapterPayload | undefined => {
      if (row === undefined) return undefined;
      const { payload, consumed_at: consumedAt, expires_at: expiresAt } = row;
      if (typeof payload !== "string" || (typeof expiresAt === "number" && expiresAt <= now()))
        return undefined;
      const record: AdapterPayload = JSON.parse(payload);
      // The clock may have been set back since: that makes nothing new.
      const isConsumed = typeof consumedAt === "number" && Math.abs(now() - consumedAt) >= graceMs;
      return isConsumed ? { ...record, consumed: Math.floor(consumedAt / 1000) } : record;
    };

    return {
      async upsert(id, payload, expiresIn) {
        if (kind === "Client") judgeClient(payload);
        const expiresAt = expiresIn === undefined ? null : now() + expiresIn * 1000;
        const grantId = payload.grantId === undefined ? null : digest(payload.grantId);
        // Anybody may make the bridge write these; none of them is worth waiting for the disk.
        sql.exec(MOST_OF.has(kind) ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL");
        inTransaction(sql, () => {
          sweep.run(now());
          upsert.run(
            kind,
            digest(id),
            payload.uid ?? null,
            grantId,
            expiresAt,
            JSON.stringify(toKept(payload)),
          );
          const most = MOST_OF.get(kind);
          if (most !== undefined) trim.run(kind, most);
        });
      },
      async find(id) {
        const payload = toPayload(byId.get(kind, digest(id)));
        return payload === undefined || kind === "Client" ? payload : { ...payload, jti: id };
      },
      async findByUid(uid) {
        return toPayload(byUid.get(kind, uid));
      },
      async findByUserCode() {
        return undefined;
      },
      async consume(id) {
        // In one step: of two uses at the same moment, one is the second.
        sql.exec("PRAGMA synchronous = FULL");
        if (consume.run(kind, digest(id), now(), graceMs).changes > 0) return;
        const grantId = grantOf.get(kind, digest(id))?.["grant_id"];
        if (typeof grantId === "string") endGrant(sql, grantId);
        throw new errors.InvalidGrant("used already");
      },
      async destroy(id) {
        remove.run(kind, digest(id));
      },
      async revokeByGrantId(grantId) {
        removeKindOfGrant.run(kind, digest(grantId));
      },
    };
  };
}

/** Without what would let its reader in. */
function toKept({ jti: _secret, session, ...payload }: AdapterPayload): AdapterPayload {
  if (session === undefined) return payload;
  const { cookie: _cookie, ...rest } = session;
  return { ...payload, session: rest };
}
