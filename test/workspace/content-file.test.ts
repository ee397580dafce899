import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createScanBuffer, openForScan, scanFile } from "../../src/workspace/content-file.ts";
import { FAKE_SECRETS } from "../support/secret-corpus.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "content-file-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Nothing of it but its begin takes room on the disk. */
function long(bytes: number, end: string): string {
  const path = join(directory, "long.log");
  writeFileSync(path, "a line\n".repeat(2_000));
  truncateSync(path, bytes - end.length);
  const file = openSync(path, "r+");
  writeSync(file, end, bytes - end.length);
  closeSync(file);
  return path;
}

/** What was found, and how often more was read. */
function read(path: string, size: number): { verdict: string | null; reads: number } {
  let reads = 0;
  const file = openForScan(path);
  try {
    const verdict = scanFile(file, size, createScanBuffer(), () => (reads += 1) > 40);
    return { verdict: verdict?.verdict ?? null, reads };
  } finally {
    closeSync(file);
  }
}

describe("of a long text the first 16 MiB are read and the last one", () => {
  it.each([0.5, 1.5, 2.5, 4.5, 6.5])("of %d GiB", (gibibytes) => {
    const size = gibibytes * 2 ** 30;
    const key = FAKE_SECRETS["GitHub personal token"]?.() ?? "";
    const { verdict, reads } = read(long(size, `\nkey = ${key}\n`), size);
    expect(verdict).toBe("block");
    expect(reads).toBeLessThan(20);
  });
});
