import type { DatabaseSync } from "node:sqlite";

/** All or nothing; throws what `work` threw, or what the commit did. */
export function inTransaction<T>(sql: DatabaseSync, work: () => T): T {
  sql.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    sql.exec("COMMIT");
    return result;
  } catch (error) {
    if (sql.isTransaction) sql.exec("ROLLBACK"); // SQLite itself rolls back where the disk is full
    throw error;
  }
}
