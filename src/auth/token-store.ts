/**
 * Created tokens, in a small database of their own in the state directory that the owner's command line and a running
 * bridge share. Keeps hashes; what it has stored lets nobody in.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { fail, ok, type Result } from "../lib/result.ts";
import { openSqliteFile } from "../lib/sqlite-file.ts";
import { scopeNames } from "./caller.ts";

const storedToken = z.object({
  tokenId: z.string(),
  name: z.string(),
  scope: z.enum(scopeNames),
  /** SHA-256 of the whole token, in hex. */
  hash: z.string().length(64),
  /** Times are ms since the epoch. */
  createdAt: z.number(),
  expiresAt: z.number(),
  /** To the minute. */
  lastUsedAt: z.number().nullable(),
  revokedAt: z.number().nullable(),
});
export type StoredToken = z.output<typeof storedToken>;

const checkedToken = storedToken.pick({ hash: true, scope: true, expiresAt: true, revokedAt: true });
export type CheckedToken = z.output<typeof checkedToken>;

/** Everything throws where the file cannot be used. */
export interface TokenStore {
  /** A name is free again when its token was revoked or has expired. */
  add(token: StoredToken): Result<null, "name_taken">;
  /** As much of a token as its check needs: this is asked for every request. */
  find(tokenId: string): CheckedToken | null;
  /** Newest first; revoked and expired ones too. */
  list(): StoredToken[];
  /** By name or id. Null: there is none that still holds. */
  revoke(nameOrId: string, now: number): StoredToken | null;
  noteUse(tokenId: string, at: number): void;
  close(): void;
}

const TOKEN_FILE = "tokens.sqlite";
const LOOK_AGAIN_MS = 1_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS tokens (
    tokenId TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    hash TEXT NOT NULL,
    createdAt INTEGER NOT NULL,
    expiresAt INTEGER NOT NULL,
    lastUsedAt INTEGER,
    revokedAt INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX IF NOT EXISTS tokens_by_name ON tokens (name) WHERE revokedAt IS NULL;
`;

/** Makes the file where there is none. */
export function openTokenStore(directory: string): TokenStore {
  const sql = openSqliteFile(join(directory, TOKEN_FILE), (opened) => {
    // What was created or revoked has to survive a loss of power too: FULL, not NORMAL.
    opened.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${SCHEMA}`);
  });
  return toStore(sql);
}

export interface TokenReader {
  store(): TokenStore | null;
  close(): void;
}

/** Gives the store while its file is there, and within a second the new one when another file has taken its place. */
export function createTokenReader(
  directory: string,
  monotonic: () => number = () => performance.now(),
): TokenReader {
  let lookedAt = -Infinity;
  let open: { readonly store: TokenStore; readonly inode: number } | null = null;
  const close = (): void => {
    open?.store.close();
    open = null;
  };
  return {
    store() {
      const now = monotonic();
      if (open !== null && now - lookedAt < LOOK_AGAIN_MS) return open.store;
      lookedAt = now;
      const inode = statSync(join(directory, TOKEN_FILE), { throwIfNoEntry: false })?.ino;
      if (open !== null && open.inode === inode) return open.store;
      close();
      if (inode === undefined) return null;
      open = { store: openTokenStore(directory), inode };
      return open.store;
    },
    close,
  };
}

function toStore(sql: DatabaseSync): TokenStore {
  const find = sql.prepare("SELECT hash, scope, expiresAt, revokedAt FROM tokens WHERE tokenId = ?");
  const noteUse = sql.prepare("UPDATE tokens SET lastUsedAt = ? WHERE tokenId = ?");

  return {
    add(token) {
      const { name, createdAt } = token;
      sql
        .prepare(
          "UPDATE tokens SET revokedAt = expiresAt WHERE name = ? AND revokedAt IS NULL AND expiresAt <= ?",
        )
        .run(name, createdAt);
      const added = sql
        .prepare(
          `INSERT OR IGNORE INTO tokens VALUES
          (:tokenId, :name, :scope, :hash, :createdAt, :expiresAt, :lastUsedAt, :revokedAt)`,
        )
        .run({ ...token });
      return added.changes === 0 ? fail("name_taken") : ok(null);
    },

    find(tokenId) {
      const row = find.get(tokenId);
      return row === undefined ? null : checkedToken.parse(row);
    },

    list() {
      const rows = sql.prepare("SELECT * FROM tokens ORDER BY createdAt DESC, tokenId").all();
      return rows.map((row) => storedToken.parse(row));
    },

    revoke(nameOrId, now) {
      const row = sql
        .prepare(
          "UPDATE tokens SET revokedAt = :now WHERE revokedAt IS NULL AND :given IN (name, tokenId) RETURNING *",
        )
        .get({ now, given: nameOrId });
      return row === undefined ? null : storedToken.parse(row);
    },

    noteUse(tokenId, at) {
      noteUse.run(at, tokenId);
    },

    close() {
      sql.close();
    },
  };
}
