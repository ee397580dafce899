/** Where the chain on disk ends, and its newest lines. Only reads. */
import type { FileHandle } from "node:fs/promises";
import { GENESIS, openLine, type Link, type OpenedLine } from "./chain.ts";
import { codeOf, listFullFiles, LIVE_FILE, openToRead } from "./log-files.ts";
import { linesBackward } from "./log-lines.ts";

export interface LogEnd {
  /** Of the last line that is as it was written. */
  readonly link: Link;
  /** What follows the live file's last line break, and where; null when nothing does. */
  readonly torn: Buffer | null;
  readonly tornAt: number;
}

export async function findEnd(directory: string, live: FileHandle): Promise<LogEnd> {
  let torn: Buffer | null = null;
  let tornAt = 0;
  for await (const { bytes, start, whole } of linesBackward(live)) {
    const line = openLine(bytes);
    if (!whole) {
      torn = bytes;
      tornAt = start;
    }
    if (line.kind === "line") return { link: line.link, torn, tornAt };
  }
  for (const name of (await listFullFiles(directory)).toReversed()) {
    const link = await lastLinkOf(directory, name);
    if (link !== null) return { link, torn, tornAt };
  }
  return { link: GENESIS, torn, tornAt };
}

/** null where no line of the file is as it was written. */
export async function lastLinkOf(directory: string, name: string): Promise<Link | null> {
  const file = await openToRead(directory, name);
  try {
    for await (const { bytes } of linesBackward(file)) {
      const line = openLine(bytes);
      if (line.kind === "line") return line.link;
    }
    return null;
  } finally {
    await file.close();
  }
}

/** When the file's first line was written, ms since the epoch. */
export async function firstTime(file: FileHandle): Promise<number | null> {
  const head = Buffer.alloc(512);
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  const text = /"ts":"([^"]{1,40})"/.exec(head.toString("latin1", 0, bytesRead))?.[1];
  const at = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? null : at;
}

/** The newest whole lines that `wanted` takes, newest first, at most `n`; [] where there is no log. */
export async function newestLines(
  directory: string,
  n: number,
  wanted: (line: OpenedLine) => boolean = () => true,
): Promise<{ readonly text: string; readonly line: OpenedLine }[]> {
  const found: { text: string; line: OpenedLine }[] = [];
  for (const name of [LIVE_FILE, ...(await listFullFiles(directory)).toReversed()]) {
    const file = await openToRead(directory, name).catch((error: unknown) => {
      if (codeOf(error) === "ENOENT") return null;
      throw error;
    });
    try {
      if (file === null) continue;
      for await (const { bytes, whole } of linesBackward(file)) {
        if (found.length >= n) return found;
        const line = openLine(bytes);
        if (whole && line.kind === "line" && wanted(line)) found.push({ text: bytes.toString("utf8"), line });
      }
    } finally {
      await file?.close();
    }
  }
  return found;
}
