/**
 * Reads one file, a bounded part of it, and finds the secrets in its content. Synchronous: for a worker thread. Opens
 * nothing that could make it wait, keeps nothing of what it read; the secrets themselves go to whoever strikes them out.
 */
import { constants, openSync, readSync } from "node:fs";
import { findSecrets, LONGEST_SECRET } from "../policy/secret-content.ts";
import { strikesOfHits } from "../policy/secret-strikes.ts";
import type { ContentHit, ContentKind } from "../policy/secret-kinds.ts";
import { utf16Order } from "../policy/secret-text.ts";

export interface FileVerdict {
  readonly kind: ContentKind;
  readonly verdict: "block" | "warn";
}

/** Of text the first 16 MiB are read and the last one, of anything else the first one. */
const MIB = 2 ** 20;
const MAX_TEXT_BYTES = 16 * MIB;
const MAX_BINARY_BYTES = MIB;
const TAIL_BYTES = MIB;

const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY | constants.O_NOFOLLOW;

export interface FoundSecrets {
  /** A value that has to be struck out, as text. */
  readonly add: (value: string) => void;
  /** Asked before each further mebibyte of a file that is blocked already: only values can be found there. */
  readonly wantsMore: () => boolean;
}

const NOT_KEPT: FoundSecrets = { add: () => {}, wantsMore: () => false };

/** A buffer for `scanFile`, to be used again and again. */
export function createScanBuffer(): Buffer {
  return Buffer.allocUnsafeSlow(LONGEST_SECRET + MIB);
}

/** Opens a file for `scanFile` without waiting for anybody; a link is not followed. Throws what `node:fs` throws. */
export function openForScan(path: string | Buffer): number {
  return openSync(path, FLAGS);
}

/** null: nothing found. `file` is a regular file of about `size` bytes; it stays open. Throws what `node:fs` throws. */
export function scanFile(
  file: number,
  size: number,
  buffer: Buffer,
  isStopped: () => boolean,
  secrets: FoundSecrets = NOT_KEPT,
): FileVerdict | null {
  const head = buffer.subarray(0, Math.min(MIB, Math.max(size + 1, 4096)));
  const length = readFully(file, head, 0);
  if (length < head.length) return judgeBytes(buffer.subarray(0, length), null, secrets);
  return scanLongFile(file, length, size, buffer, isStopped, secrets);
}

/** The first `read` bytes are in the buffer already. */
function scanLongFile(
  file: number,
  read: number,
  size: number,
  buffer: Buffer,
  isStopped: () => boolean,
  secrets: FoundSecrets,
): FileVerdict | null {
  const order = utf16Order(buffer.subarray(0, read));
  const isText = order !== null || !buffer.subarray(0, 8192).includes(0);
  const limit = isText ? MAX_TEXT_BYTES : MAX_BINARY_BYTES;
  let worst = judgeBytes(buffer.subarray(0, read), order, secrets);
  let end = read;
  let kept = keepOverlap(buffer, read);
  while (!isStopped() && (worst?.verdict !== "block" || secrets.wantsMore())) {
    if (end >= limit) {
      if (!isText || size - TAIL_BYTES <= end) break;
      // Even, for UTF-16. No `& ~1`: that would cut sizes above 2 GiB to 32 bits.
      end = Math.max(end, size - TAIL_BYTES - (size % 2));
      kept = 0;
    }
    const more = readFully(file, buffer.subarray(kept), end);
    if (more === 0) break;
    worst = worse(worst, judgeBytes(buffer.subarray(0, kept + more), order, secrets));
    end += more;
    if (more < buffer.length - kept) break;
    kept = keepOverlap(buffer, kept + more);
  }
  return worst;
}

/** Moves the last bytes to the front, where a secret may have begun. */
function keepOverlap(buffer: Buffer, length: number): number {
  const kept = Math.min(length, LONGEST_SECRET);
  buffer.copyWithin(0, length - kept, length);
  return kept;
}

function readFully(file: number, into: Buffer, position: number): number {
  let length = 0;
  while (length < into.length) {
    const wanted = into.length - length;
    const read = readSync(file, into, length, wanted, position + length);
    length += read;
    if (read < wanted) break; // a regular file gives less than was asked for at its end only
  }
  return length;
}

/** `order` is told for the later parts of a file; of a first part it is found out. */
function judgeBytes(
  bytes: Buffer,
  order: "utf-16le" | "utf-16be" | null,
  secrets: FoundSecrets,
): FileVerdict | null {
  const wide = order ?? utf16Order(bytes);
  const text = (): string => (wide === null ? bytes.toString("latin1") : new TextDecoder(wide).decode(bytes));
  const hits = wide === null ? findSecrets(bytes, text) : findSecrets(Buffer.from(text(), "latin1"), text);
  if (hits.length > 0) {
    for (const value of strikesOfHits(text(), hits))
      secrets.add(wide === null ? Buffer.from(value, "latin1").toString("utf8") : value);
  }
  return worstOf(hits);
}

function worstOf(hits: readonly ContentHit[]): FileVerdict | null {
  const hit = hits.find(({ verdict }) => verdict === "block") ?? hits[0];
  return hit === undefined ? null : { kind: hit.kind, verdict: hit.verdict };
}

function worse(a: FileVerdict | null, b: FileVerdict | null): FileVerdict | null {
  return a === null || (a.verdict !== "block" && b?.verdict === "block") ? b : a;
}
