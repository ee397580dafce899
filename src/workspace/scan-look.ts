/**
 * Reads the beginning of one file and lets the policy judge it. Opens nothing that could make it wait (pipes,
 * devices), reads a bounded part, keeps none of it; secrets
 * in files with telling names go to whoever strikes them out.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { findSecrets } from "../policy/secret-content.ts";
import type { NameJudgement } from "../policy/secret-kinds.ts";
import { judgeLook } from "../policy/secret-looks.ts";
import { strikesOfNamedFile } from "../policy/secret-strikes.ts";
import { decodeText } from "../policy/secret-text.ts";
import type { ScanFinding } from "./scan-report.ts";

export type Sighting = Omit<ScanFinding, "path">;

/** What most files need; what long ones may need; what bundles of certificates may need. */
const HEAD_BYTES = 64 * 1024;
const LONGER_HEAD_BYTES = 256 * 1024;
const BUNDLE_BYTES = 1024 * 1024;

/** null: the file is harmless, whatever its name. What cannot be read keeps the verdict of its name. */
export async function lookAt(
  path: string | Buffer,
  judgement: NameJudgement,
  onSecret: (value: string) => void = () => {},
): Promise<Sighting | null> {
  const byName = fromName(judgement);
  if (judgement.look === undefined) return byName;
  if (judgement.look === "template") return (await lookForTokens(path)) ?? byName;
  const head = await readHead(path, HEAD_BYTES);
  if (head === null) return byName;
  let text = decodeText(head.bytes);
  let result = judgeLook(judgement.look, text, head.whole);
  if (result === "more") {
    const isBundle = judgement.look === "pem" || judgement.look === "key";
    const longer = await readHead(path, isBundle ? BUNDLE_BYTES : LONGER_HEAD_BYTES);
    if (longer === null) return byName;
    text = decodeText(longer.bytes);
    result = judgeLook(judgement.look, text, longer.whole);
  }
  if (result !== "harmless") for (const value of strikesOfNamedFile(text, judgement.look)) onSecret(value);
  if (result === "harmless") return null;
  if (result === "unknown" || result === "more") return byName;
  return { kind: judgement.kind, verdict: judgement.atMost ?? result, reason: "name" };
}

/** Something with the form of a secret in the file's beginning, in spite of its innocent name. */
export async function lookForTokens(path: string | Buffer): Promise<Sighting | null> {
  const head = await readHead(path, BUNDLE_BYTES);
  if (head === null) return null;
  const text = decodeText(head.bytes);
  const hit = findSecrets(Buffer.from(text, "latin1"), () => text).find(({ verdict }) => verdict === "block");
  return hit === undefined ? null : { kind: hit.kind, verdict: "block", reason: "content" };
}

function fromName({ verdict, kind }: NameJudgement): Sighting | null {
  return verdict === "allow" ? null : { kind, verdict, reason: "name" };
}

/** null where the file cannot be opened or is no regular file; a link as last part is not followed. */
async function readHead(
  path: string | Buffer,
  maxBytes: number,
): Promise<{ bytes: Buffer; whole: boolean } | null> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY | constants.O_NOFOLLOW;
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
