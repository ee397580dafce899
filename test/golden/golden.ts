/**
 * Pins what others rely on. `UPDATE_GOLDEN=1 npm test && npm run format` writes the files anew; a change of one of
 * them is a change for users and belongs into the changelog.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "vitest";

/** Equal down to the order of keys; only the file's white space is free. */
export function expectGolden(file: `${string}.json`, value: unknown): void {
  const path = new URL(file, import.meta.url);
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
  const golden: unknown = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : null;
  expect(value).toEqual(golden);
  expect(JSON.stringify(value)).toBe(JSON.stringify(golden));
}
