/** Reads the config file, and whose it is, of one and the same file: a swap in between changes nothing. Never writes. */
import { open } from "node:fs/promises";
import type { FoundFile } from "../config/load.ts";

/** null: it is not there. Throws where it cannot be read. */
export async function readConfigFile(path: string): Promise<FoundFile | null> {
  try {
    const file = await open(path);
    try {
      const { mode, uid } = await file.stat();
      return { text: await file.readFile("utf8"), mode, isForeign: isForeign(uid) };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** What root gives to everybody is fine; what another user could change is not. */
function isForeign(uid: number): boolean {
  return process.getuid !== undefined && uid !== 0 && uid !== process.getuid();
}
