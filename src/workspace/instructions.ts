/**
 * The project's own AGENTS.md files, from the root down to the working directory. Codex does not load them from a
 * project that is not trusted, and the bridge trusts none, so their text is handed over. Never follows a link out.
 */
import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { join } from "node:path";
import { isInside } from "./directory.ts";

/** As Codex limits it (`project_doc_max_bytes`). */
const MAX_BYTES = 32 * 1024;
const NAMES = ["AGENTS.override.md", "AGENTS.md"];

/** null when there are none. `cwd` is relative to the root, "" for the root. */
export async function readProjectInstructions(root: string, cwd: string): Promise<string | null> {
  const parts = cwd === "" ? [] : cwd.split("/");
  const texts: string[] = [];
  let left = MAX_BYTES;
  for (let depth = 0; depth <= parts.length && left > 0; depth += 1) {
    const directory = join(root, ...parts.slice(0, depth));
    const text = await firstOf(root, directory, left);
    if (text === null) continue;
    texts.push(text);
    left -= Buffer.byteLength(text);
  }
  if (texts.length === 0) return null;
  return `# Instructions of this project (AGENTS.md)\n\n${texts.join("\n\n")}`;
}

async function firstOf(root: string, directory: string, maxBytes: number): Promise<string | null> {
  for (const name of NAMES) {
    const text = await readInside(root, join(directory, name), maxBytes);
    if (text !== null && text.trim() !== "") return text;
  }
  return null;
}

async function readInside(root: string, path: string, maxBytes: number): Promise<string | null> {
  try {
    const real = await realpath(path);
    if (!isInside(root, real)) return null;
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
