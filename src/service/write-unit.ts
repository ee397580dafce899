/** Puts a unit file in its place, whole or not at all, and takes it away again. */
import { rm } from "node:fs/promises";
import { replaceFile } from "../lib/replace-file.ts";
import { fail, ok, type Result } from "../lib/result.ts";

export async function writeUnit(path: string, text: string): Promise<Result<null, string>> {
  try {
    await replaceFile(path, text, 0o600);
    return ok(null);
  } catch (error) {
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
