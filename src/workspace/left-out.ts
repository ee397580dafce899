/**
 * Directories in which nobody looks for changes: what version control keeps for itself, installed packages, caches.
 * By name alone, so that nothing that a turn writes can hide a place. docs/tools.md has the list. Pure.
 */
export const LEFT_OUT = [
  ".git",
  ".hg",
  ".svn",
  ".jj",
  "node_modules",
  ".pnpm-store",
  ".venv",
  "venv",
  "site-packages",
  "dist-packages",
  "Pods",
  "__pycache__",
  ".pytest_cache",
  ".mypy_cache",
  ".ruff_cache",
  ".tox",
  ".gradle",
  ".turbo",
  ".parcel-cache",
  ".yarn/cache",
  "vendor/bundle",
  ".next/cache",
] as const;

const NAMES = new Set<string>(LEFT_OUT.filter((place) => !place.includes("/")));
const PLACES = new Set<string>(LEFT_OUT.filter((place) => place.includes("/")));

/** `parent`: relative to the root, empty for the root itself. */
export function isLeftOut(parent: string, name: string): boolean {
  if (NAMES.has(name)) return true;
  return PLACES.has(`${parent.slice(parent.lastIndexOf("/") + 1)}/${name}`);
}
