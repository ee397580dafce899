/**
 * Puts a text in a file's place, whole or not at all: whoever reads meanwhile sees the old one or the new one. Takes away
 * what a process that was killed in the middle of that left beside the file. Follows no link: it would be replaced.
 */
import { randomBytes } from "node:crypto";
import { lstat, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Younger ones may be another process's, which is still writing. */
const LEFT_OVER_MS = 60_000;
const NEW_FILE_MODE = 0o600;
const NAME_BYTES = 6;

/** `kept`: the mode of the file that is there, or for the owner alone. Throws where it cannot be written. */
export async function replaceFile(path: string, text: string, mode: number | "kept"): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await removeLeftOver(path);
  const wanted = mode === "kept" ? await modeOf(path) : mode;
  const fresh = `${path}.${randomBytes(NAME_BYTES).toString("hex")}.tmp`;
  const file = await open(fresh, "wx", NEW_FILE_MODE);
  try {
    await file.chmod(wanted);
    await file.writeFile(text);
    await file.sync();
    await file.close();
    await rename(fresh, path);
  } catch (error) {
    await file.close();
    await rm(fresh, { force: true });
    throw error;
  }
}

/** What lies beside the file from such a replacement that never came to its end: it may hold what the file holds. */
export async function removeLeftOver(path: string): Promise<void> {
  const directory = dirname(path);
  const prefix = `${basename(path)}.`;
  const isOurs = (name: string): boolean =>
    name.startsWith(prefix) && /^[0-9a-f]{12}\.tmp$/.test(name.slice(prefix.length));
  const names = await readdir(directory).catch(() => []); // what cannot be listed shows when the file itself is used
  await Promise.all(names.filter(isOurs).map(async (name) => removeOld(join(directory, name))));
}

async function removeOld(path: string): Promise<void> {
  try {
    const found = await lstat(path);
    const isOwn = process.getuid === undefined || found.uid === process.getuid();
    if (found.isFile() && isOwn && Date.now() - found.mtimeMs > LEFT_OVER_MS) await rm(path, { force: true });
  } catch {
    // gone meanwhile, or not ours to remove: no reason to keep the owner from the file itself
  }
}

async function modeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).mode & 0o777;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return NEW_FILE_MODE;
    throw error;
  }
}
