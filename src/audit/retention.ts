/** Which full files of the audit log may go, oldest first, and their going. Never touches the file in use. */
import { lstat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { LogEntry } from "./audit-entry.ts";
import { GENESIS } from "./chain.ts";
import { lastLinkOf } from "./log-end.ts";
import { listFullFiles } from "./log-files.ts";

export interface Retention {
  /** A full file goes this long after its last line. */
  readonly keepMs: number;
  /** Of all full files together. */
  readonly keepBytes: number;
}

/** `anchor` has to have the entry on disk when it resolves; where it rejects, the file stays. */
export async function pruneFullFiles(
  directory: string,
  retention: Retention,
  now: number,
  anchor: (entry: LogEntry) => Promise<void>,
): Promise<void> {
  const files = [];
  for (const name of await listFullFiles(directory)) {
    const { mtimeMs, size } = await lstat(join(directory, name));
    files.push({ name, mtimeMs, size });
  }
  let total = files.reduce((sum, { size }) => sum + size, 0);
  for (const { name, mtimeMs, size } of files) {
    if (total <= retention.keepBytes && now - mtimeMs <= retention.keepMs) return;
    const last = (await lastLinkOf(directory, name).catch(() => null)) ?? GENESIS;
    await anchor({ type: "pruned", file: name, upToSeq: last.seq, upToHash: last.hash });
    try {
      await unlink(join(directory, name));
    } catch {
      return; // it stays, and is tried again when the next file is full
    }
    total -= size;
  }
}
