/**
 * Pins what others rely on. `UPDATE_GOLDEN=1 npm test && npm run format` writes the files anew; a change of one of
 * them is a change for users and belongs into the changelog.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";

/** What the golden file holds, as `inFull` writes it. */
export function golden(file: `${string}.json`, value: unknown): string {
  const path = new URL(file, import.meta.url);
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, `${inFull(value)}\n`);
  return inFull(existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : null);
}

/** Equal only where every byte on the wire is, the order of keys included; the file's white space is free. */
export function inFull(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
