/** A message as the one line of JSON that Codex reads, and a line that it wrote. Pure. */

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

/** Each object and list takes memory many times its two characters: a line full of them would take gigabytes. */
const MAX_OPENINGS = 2_000_000;

/** undefined: no JSON, or more objects and lists than any message of Codex has. */
export function parseJsonLine(line: string): unknown {
  if (line.length > MAX_OPENINGS && countOpenings(line) > MAX_OPENINGS) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function countOpenings(line: string): number {
  let count = 0;
  for (const opening of ["{", "["]) {
    for (let at = line.indexOf(opening); at !== -1; at = line.indexOf(opening, at + 1)) count += 1;
  }
  return count;
}
