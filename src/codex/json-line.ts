/** A message as the one line of JSON that Codex reads. Pure. */

/**
 * JavaScript's JSON writes half a surrogate pair as an escape, which Codex's does not read: it skips the whole line, and
 * nobody ever gets an answer. It becomes what a browser makes of it, U+FFFD, in names as in values.
 */
export function toJsonLine(message: object): string {
  const line = JSON.stringify(message);
  if (!line.includes(String.raw`\ud`)) return line;
  // The other escapes are matched too, so that a backslash of the text itself is not taken for the beginning of one.
  return line.replaceAll(/\\(?:ud[89a-f][0-9a-f]{2}|.)/g, (escape) =>
    escape.startsWith(String.raw`\ud`) ? "\uFFFD" : escape,
  );
}
