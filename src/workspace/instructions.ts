/**
 * The project's own AGENTS.md files, from the root down to the working directory. Codex does not load them from a
 * project that is not trusted, and the bridge trusts none, so their text is handed over. Never follows a link out, nor
 * to what the turn may not read.
 */
import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { join } from "node:path";
import { looksLikeGlob } from "../policy/glob.ts";
import type { GrantTerms } from "../policy/grant.ts";
import { isInside } from "./directory.ts";

/** As Codex limits it (`project_doc_max_bytes`). */
const MAX_BYTES = 32 * 1024;
const NAMES = ["AGENTS.override.md", "AGENTS.md"];

/** What is hidden from the turn: the bridge itself could read it. */
type Hidden = Pick<GrantTerms, "deniedPaths" | "deniedPatterns">;

/** null when there are none. `cwd` is relative to the root, "" for the root. */
export async function readProjectInstructions(
  root: string,
  cwd: string,
  hidden: Hidden,
): Promise<string | null> {
  const parts = cwd === "" ? [] : cwd.split("/");
  const texts: string[] = [];
  let left = MAX_BYTES;
  for (let depth = 0; depth <= parts.length && left > 0; depth += 1) {
    const directory = join(root, ...parts.slice(0, depth));
    const text = await firstOf(root, directory, hidden, left);
    if (text === null) continue;
    texts.push(text);
    left -= Buffer.byteLength(text);
  }
  if (texts.length === 0) return null;
  return `# Instructions of this project (AGENTS.md)\n\n${texts.join("\n\n")}`;
}

async function firstOf(
  root: string,
  directory: string,
  hidden: Hidden,
  maxBytes: number,
): Promise<string | null> {
  for (const name of NAMES) {
    const text = await readInside(root, join(directory, name), hidden, maxBytes);
    if (text !== null && text.trim() !== "") return text;
  }
  return null;
}

/** Patterns are not matched here: where there are any, every path with a sign of one counts as hidden. */
function isHidden(real: string, { deniedPaths, deniedPatterns }: Hidden): boolean {
  if (deniedPatterns.length > 0 && looksLikeGlob(real)) return true;
  return deniedPaths.some((denied) => isInside(denied, real));
}

async function readInside(
  root: string,
  path: string,
  hidden: Hidden,
  maxBytes: number,
): Promise<string | null> {
  try {
    const real = await realpath(path);
    if (!isInside(root, real) || isHidden(real, hidden)) return null;
    const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) return null;
      const { buffer, bytesRead } = await file.read(Buffer.alloc(maxBytes), 0, maxBytes, 0);
      return buffer.subarray(0, bytesRead).toString("utf8");
    } finally {
      await file.close();
    }
  } catch {
    return null; // no such file, or not ours to read: the project has no instructions here
  }
}
