/** Splits a byte stream into UTF-8 lines. Never holds more than `maxLineBytes` of an unfinished line. */
export interface LineSplitter {
  /** Returns false when a line grew over the limit; the stream cannot be trusted any more and is not read on. */
  push(chunk: Buffer): boolean;
}

const NEWLINE = 0x0a;

export function createLineSplitter(maxLineBytes: number, onLine: (line: string) => void): LineSplitter {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let broken = false;

  function finish(tail: Buffer): void {
    const line = pending.length === 0 ? tail : Buffer.concat([...pending, tail]);
    pending = [];
    pendingBytes = 0;
    if (line.length > 0) onLine(line.toString("utf8"));
  }

  return {
    push(chunk) {
      if (broken) return false;
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
        if (pendingBytes + end - start > maxLineBytes) {
          pending = [];
          return !(broken = true);
        }
        finish(chunk.subarray(start, end));
        start = end + 1;
      }
      if (start < chunk.length) {
        pending.push(start === 0 ? chunk : chunk.subarray(start));
        pendingBytes += chunk.length - start;
        if (pendingBytes > maxLineBytes) {
          pending = [];
          return !(broken = true);
        }
      }
      return true;
    },
  };
}
