/** Reads the lines of one file, forwards or from its end, a part at a time. Never holds a whole file. */
import type { FileHandle } from "node:fs/promises";

export interface LogLine {
  /** Without its line break. */
  readonly bytes: Buffer;
  /** Where it begins in the file. */
  readonly start: number;
  /** false: the file ends before the line does. */
  readonly whole: boolean;
}

/** Far above the longest line that the bridge writes; what is longer was not written by it. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 128 * 1024;
const NEWLINE = 0x0a;

/** Throws a RangeError where a line is longer than any that the bridge writes. */
export async function* linesForward(file: FileHandle): AsyncGenerator<LogLine> {
  let rest: Buffer = Buffer.alloc(0);
  let start = 0;
  for (;;) {
    const read = await readAt(file, start + rest.length, CHUNK_BYTES);
    if (read.length === 0) break;
    const bytes = rest.length === 0 ? read : Buffer.concat([rest, read]);
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE, rest.length); end !== -1; end = bytes.indexOf(NEWLINE, from)) {
      yield { bytes: bytes.subarray(from, end), start, whole: true };
      start += end + 1 - from;
      from = end + 1;
    }
    rest = bytes.subarray(from);
    refuseLongLine(rest.length);
  }
  if (rest.length > 0) yield { bytes: rest, start, whole: false };
}

/** The last line first. Throws as `linesForward` does. */
export async function* linesBackward(file: FileHandle): AsyncGenerator<LogLine> {
  const { size } = await file.stat();
  /** Bytes from `start` on that have not been given out. */
  let held: Buffer = Buffer.alloc(0);
  let start = size;
  let isLast = true;
  while (start > 0) {
    const length = Math.min(CHUNK_BYTES, start);
    start -= length;
    const read = await readAt(file, start, length);
    held = held.length === 0 ? read : Buffer.concat([read, held]);
    for (let at = lastBreak(held); at !== -1; at = lastBreak(held)) {
      const line = { bytes: held.subarray(at + 1), start: start + at + 1, whole: !isLast };
      if (line.bytes.length > 0 || !isLast) yield line;
      isLast = false;
      held = held.subarray(0, at);
    }
    refuseLongLine(held.length);
  }
  if (held.length > 0 || !isLast) yield { bytes: held, start: 0, whole: !isLast };
}

function lastBreak(bytes: Buffer): number {
  return bytes.lastIndexOf(NEWLINE);
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

function refuseLongLine(bytes: number): void {
  if (bytes > MAX_LINE_BYTES) throw new RangeError("a line is longer than any that the bridge writes");
}
