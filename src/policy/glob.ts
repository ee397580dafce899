/**
 * Paths that Codex does not take as they are: with one of `*?[]{}` it reads a pattern, and would deny another file; a
 * backslash takes its meaning from the sign behind it; a path with a line break or a tab is not denied at all by 0.169.
 * Pure.
 */

// oxlint-disable-next-line no-control-regex -- these are what it is about
const SIGNS = /[*?[\]{}\\\0-\x1f\x7f]/g;

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

/** Names that are no UTF-8 arrive with this in their place: what lies there cannot be told to Codex. */
export function isNameless(path: string): boolean {
  return path.includes("\ufffd");
}
