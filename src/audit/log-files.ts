/**
 * The files of the audit log: `audit.log`, and those that were full before it, named by the number of their last
 * line. Opens them for the owner alone and refuses links; never reads or writes a line.
 */
import { constants } from "node:fs";
import { chmod, lstat, mkdir, open, readdir, type FileHandle } from "node:fs/promises";
import { join } from "node:path";

export const LIVE_FILE = "audit.log";
const FULL_FILE = /^audit-(\d{12,16})\.log$/;

/** Sorts by name as it does by age. */
export function fullFileName(lastSeq: number): string {
  return `audit-${String(lastSeq).padStart(12, "0")}.log`;
}

/** Something lies where the log belongs that the bridge must not write to. */
export class AuditRefused extends Error {
  override readonly name = "AuditRefused";
}

/** Throws AuditRefused for what is no directory of this user's own; makes it 0700. */
export async function prepareDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    if (codeOf(error) !== "EEXIST") throw error;
  });
  const found = await lstat(directory);
  if (!found.isDirectory()) throw new AuditRefused(`${directory} is no directory of its own`);
  if (isForeign(found.uid)) throw new AuditRefused(`${directory} belongs to another user`);
  if ((found.mode & 0o777) !== 0o700) await chmod(directory, 0o700);
}

/** For appending and reading; made 0600 when it is not there. Throws AuditRefused for links and special files. */
export async function openLiveFile(directory: string): Promise<FileHandle> {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const path = join(directory, LIVE_FILE);
  const file = await open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600).catch(
    (error: unknown) => {
      if (codeOf(error) === "ELOOP") throw new AuditRefused(`${path} is a link`);
      throw error;
    },
  );
  try {
    const found = await file.stat();
    if (!found.isFile() || found.nlink > 1) throw new AuditRefused(`${path} is no file of its own`);
    if (isForeign(found.uid)) throw new AuditRefused(`${path} belongs to another user`);
    if ((found.mode & 0o777) !== 0o600) await file.chmod(0o600);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

export async function openToRead(directory: string, name: string): Promise<FileHandle> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  return open(join(directory, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

/** Names of the full files, oldest first; [] where there is no directory. */
export async function listFullFiles(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  });
  return names
    .filter((name) => FULL_FILE.test(name))
    .toSorted((a, b) => Number(FULL_FILE.exec(a)?.[1]) - Number(FULL_FILE.exec(b)?.[1]));
}

export function codeOf(error: unknown): string | null {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
}

function isForeign(uid: number): boolean {
  return process.getuid !== undefined && uid !== process.getuid();
}
