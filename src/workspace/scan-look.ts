/**
 * Reads the beginning of one file and lets the policy judge it. Opens nothing that could make it wait (pipes,
 * devices), reads a bounded part, keeps none of it.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { NameJudgement } from "../policy/secret-kinds.ts";
import { judgeLook } from "../policy/secret-looks.ts";
import { decodeText } from "../policy/secret-text.ts";

/** What most files need, and what bundles of certificates may need. */
const HEAD_BYTES = 64 * 1024;
const LONGER_HEAD_BYTES = 1024 * 1024;

/** null: the file is harmless, whatever its name. What cannot be read keeps the verdict of its name. */
export async function lookAt(
  path: string | Buffer,
  judgement: NameJudgement,
  follow = false,
): Promise<NameJudgement | null> {
  if (judgement.look === undefined) return judgement;
  const head = await readHead(path, HEAD_BYTES, follow);
  if (head === null) return judgement;
  let result = judgeLook(judgement.look, decodeText(head.bytes), head.whole);
  if (result === "more") {
    const longer = await readHead(path, LONGER_HEAD_BYTES, follow);
    if (longer === null) return judgement;
    result = judgeLook(judgement.look, decodeText(longer.bytes), longer.whole);
  }
  if (result === "harmless") return null;
  if (result === "warn") return { ...judgement, verdict: "warn" };
  return judgement;
}

/** null where the file cannot be opened or is no regular file; a link as last part is followed only when asked. */
export async function readHead(
  path: string | Buffer,
  maxBytes: number,
  follow = false,
): Promise<{ bytes: Buffer; whole: boolean } | null> {
  const flags =
    constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY | (follow ? 0 : constants.O_NOFOLLOW);
  const file = await open(path, flags).catch(() => null);
  if (file === null) return null;
  try {
    const stats = await file.stat();
    if (!stats.isFile()) return null;
    const bytes = Buffer.allocUnsafe(Math.min(maxBytes, Math.max(stats.size, 4096)) + 1);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return { bytes: bytes.subarray(0, Math.min(length, maxBytes)), whole: length < bytes.length };
  } catch {
    return null; // it cannot be read: the caller keeps the name's verdict
  } finally {
    await file.close();
  }
}
