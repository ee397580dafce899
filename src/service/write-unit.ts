/** Puts a unit file in its place, whole or not at all, and takes it away again. */
import { randomBytes } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fail, ok, type Result } from "../lib/result.ts";

export async function writeUnit(path: string, text: string): Promise<Result<null, string>> {
  const fresh = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(fresh, text, { flag: "wx", mode: 0o600 });
    await rename(fresh, path);
    return ok(null);
  } catch (error) {
    await rm(fresh, { force: true }).catch(() => {});
    return fail(`${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export async function removeUnit(path: string): Promise<Result<null, string>> {
  try {
    await rm(path, { force: true });
    return ok(null);
  } catch (error) {
    return fail(`${path} cannot be removed: ${error instanceof Error ? error.message : String(error)}`);
  }
}
