/** Threads in SQLite, behind the ThreadStore port. The one unused for longest goes first. */
import type { ThreadStore } from "../store.ts";
import { parseThreadRecord } from "../stored.ts";
import type { JobDatabase } from "./database.ts";
import { inTransaction } from "../../lib/sqlite-file.ts";

export function createSqliteThreadStore(database: JobDatabase, maxThreads: number): ThreadStore {
  const { sql } = database;
  // A row that is replaced gets the newest number: their order is that of the last use.
  const replace = sql.prepare("INSERT OR REPLACE INTO threads (thread_id, record) VALUES (?, ?)");
  const trim = sql.prepare(
    "DELETE FROM threads WHERE seq IN (SELECT seq FROM threads ORDER BY seq DESC LIMIT -1 OFFSET ?)",
  );
  const get = sql.prepare("SELECT record FROM threads WHERE thread_id = ?");
  const exists = sql.prepare("SELECT 1 FROM threads WHERE thread_id = ?");
  let total = Number(sql.prepare("SELECT count(*) AS n FROM threads").get()?.["n"]);

  return {
    async save(thread) {
      const added = exists.get(thread.threadId) === undefined ? 1 : 0;
      const removed = inTransaction(sql, () => {
        replace.run(thread.threadId, JSON.stringify(thread));
        return total + added > maxThreads ? Number(trim.run(maxThreads).changes) : 0;
      });
      database.wrote();
      total += added - removed;
    },

    async get(threadId) {
      const row = get.get(threadId);
      return row === undefined ? null : parseThreadRecord(String(row["record"]));
    },

    async count() {
      return total;
    },
  };
}
