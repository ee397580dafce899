/** What a directory is on disk right now. Follows links on purpose: a realpath is what gets judged. */
import { lstat, realpath, stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { STEERING_DIRECTORIES, type DirectoryIdentity } from "../policy/grant.ts";

/** null for anything that is no directory we can see: missing, unreadable, a file, a name with NUL. */
export async function identifyDirectory(path: string): Promise<DirectoryIdentity | null> {
  try {
    const real = await realpath(path);
    const { dev, ino, isDirectory } = await statOf(real);
    return isDirectory ? { path: real, device: dev, inode: ino } : null;
  } catch {
    return null; // the caller learns the same for every reason: it must not become an oracle
  }
}

/** What cannot be looked at is none: the turn's own look says what is wrong with it. */
export async function findSteeringLinks(root: string): Promise<string[]> {
  const isLink = async (name: string): Promise<boolean> =>
    lstat(join(root, name)).then(
      (found) => found.isSymbolicLink(),
      () => false,
    );
  const links = await Promise.all(STEERING_DIRECTORIES.map(isLink));
  return STEERING_DIRECTORIES.filter((_name, place) => links[place]);
}

/**
 * The working directory that a caller asked for, absolute or relative to the root. null when it is not the root or
 * a directory inside, judged after all links are followed and by device and inode up to the root.
 */
export async function identifyCwd(
  root: DirectoryIdentity,
  wanted: string | null,
): Promise<DirectoryIdentity | null> {
  if (wanted === null) return identifyDirectory(root.path);
  if (wanted.includes("\0")) return null;
  const found = await identifyDirectory(isAbsolute(wanted) ? wanted : resolve(root.path, wanted));
  if (found === null || !isInside(root.path, found.path)) return null;
  return (await leadsUpTo(root, found.path)) ? found : null;
}

/** Pure: `path` is `root` or lies below it. Both without links and without dots. */
export function isInside(root: string, path: string): boolean {
  if (path === root) return true;
  return path.startsWith(root.endsWith(sep) ? root : root + sep);
}

/** "" for the root itself. */
export function relativeToRoot(root: string, path: string): string {
  return relative(root, path).split(sep).join("/");
}

/** On a disk that ignores case, or behind a bind mount, names alone do not tell; the parent chain does. */
async function leadsUpTo(root: DirectoryIdentity, path: string): Promise<boolean> {
  const depth = relative(root.path, path).split(sep).filter(Boolean).length;
  try {
    const top = await statOf(join(path, ...Array.from({ length: depth }, () => "..")));
    return top.dev === root.device && top.ino === root.inode;
  } catch {
    return false;
  }
}

async function statOf(path: string): Promise<{ dev: string; ino: string; isDirectory: boolean }> {
  const found = await stat(path, { bigint: true });
  return { dev: String(found.dev), ino: String(found.ino), isDirectory: found.isDirectory() };
}
