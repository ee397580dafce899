/**
 * One file of the current project, read to be sent: judged by its real path, its name and what it is. Follows links and
 * judges where they lead. Never waits for a pipe, never reads more than the limit, never tells why a place is refused.
 */
import { hash } from "node:crypto";
import { constants } from "node:fs";
import { open, realpath, stat } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { fail, ok, type Result } from "../lib/result.ts";
import { judgeName } from "../policy/secret-names.ts";
import { utf16Order } from "../policy/secret-text.ts";
import { isInside, relativeToRoot } from "../workspace/directory.ts";
import { lookAt } from "../workspace/scan-look.ts";
import type { FileRefusal } from "./ask-failure.ts";

export const MAX_FILE_BYTES = 512 * 1024;
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY | constants.O_NOFOLLOW;

export interface ProjectFile {
  /** Relative to the project's root. */
  readonly path: string;
  readonly text: string;
  /** Of its bytes, in hex: the file may be another one by the time that it is judged. */
  readonly sha256: string;
  /** What its name says it is, where that is a secret. */
  readonly nameKind: string | null;
}

export async function readProjectFile(
  root: string,
  cwd: string,
  name: string,
): Promise<Result<ProjectFile, FileRefusal>> {
  if (name.includes("\0")) return fail("place");
  const given = isAbsolute(name) ? name : resolve(cwd, name);
  const real = await realpath(given).catch(() => null);
  if (real === null || real === root || !isInside(root, real)) return fail("place");
  const path = relativeToRoot(root, real);
  const parts = path.split("/");
  if (parts.some((part) => part.toLowerCase() === ".git")) return fail("place");
  const read = await readWhole(real);
  if (!read.ok) return read;
  const text = toText(read.value);
  if (text === null) return fail("not_text");
  const sha256 = hash("sha256", read.value);
  return ok({ path, text, sha256, nameKind: (await kindOfName(real)) ?? (await kindOfName(given)) });
}

async function readWhole(real: string): Promise<Result<Buffer, FileRefusal>> {
  const file = await open(real, FLAGS).catch(() => null);
  if (file === null) return fail("place");
  try {
    const found = await file.stat({ bigint: true });
    if (!found.isFile()) return fail("place");
    if (found.size > BigInt(MAX_FILE_BYTES)) return fail("too_large");
    const bytes = Buffer.alloc(MAX_FILE_BYTES + 1);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length > MAX_FILE_BYTES) return fail("too_large");
    // A directory on the way may have been swapped for a link after the path was judged.
    const now = await stat(real, { bigint: true });
    if ((await realpath(real)) !== real || now.ino !== found.ino || now.dev !== found.dev)
      return fail("place");
    return ok(bytes.subarray(0, length));
  } catch {
    return fail("place");
  } finally {
    await file.close();
  }
}

/** null: no text that could be looked through and sent. */
function toText(bytes: Buffer): string | null {
  try {
    const text = new TextDecoder(utf16Order(bytes) ?? "utf-8", { fatal: true }).decode(bytes);
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}

async function kindOfName(path: string): Promise<string | null> {
  const parts = path.split("/").slice(1);
  const judgement = judgeName(parts.at(-1) ?? "", parts.slice(0, -1));
  if (judgement === null || judgement.verdict === "allow") return null;
  const seen = await lookAt(path, judgement);
  return seen?.verdict === "block" ? seen.kind : null;
}
