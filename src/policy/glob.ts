/** Codex reads a path with one of these signs as a pattern, and such a path as it is would deny another file. Pure. */

const SIGNS = /[*?[\]{}]/g;

export function looksLikeGlob(path: string): boolean {
  return path.search(SIGNS) !== -1;
}

/**
 * Patterns that match this very path and all below it: each sign becomes "any one character". The `**` in front is
 * what makes Codex 0.153 look at the pattern at all (measured on 0.153.4 and 0.169.0); `root` has no sign itself.
 */
export function toPatterns(root: string, path: string): string[] {
  const pattern = `${root === "/" ? "" : root}/**/${path.replaceAll(SIGNS, "?")}`;
  return [pattern, `${pattern}/**`];
}
