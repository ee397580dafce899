import { describe, expect, test } from "vitest";
import { createLineSplitter } from "../../src/lib/lines.ts";
import { createSeededRandom } from "../support/seeded-random.ts";

function split(maxLineBytes: number, chunks: readonly Buffer[]): { lines: string[]; fine: boolean[] } {
  const lines: string[] = [];
  const splitter = createLineSplitter(maxLineBytes, (line) => lines.push(line));
  return { fine: chunks.map((chunk) => splitter.push(chunk)), lines };
}

test("any text, cut anywhere, comes out as the same lines", () => {
  const letters = ["a", "{", '"', "ü", "€", "😀", "\r", "\u2028", "\u0000", "\n", "\n"];
  for (let seed = 1; seed <= 1_000; seed += 1) {
    const random = createSeededRandom(seed);
    const text = `${Array.from({ length: random.below(60) }, () => random.pick(letters)).join("")}\n`;
    const bytes = Buffer.from(text);
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = 1 + random.below(7);
      chunks.push(bytes.subarray(at, at + length));
      at += length;
    }
    const expected = text.split("\n").filter((line) => line !== "");
    expect(split(1_000, chunks).lines, `seed ${seed}`).toEqual(expected);
  }
});

test("a character that is split between chunks stays whole", () => {
  const bytes = Buffer.from("😀€\n");
  expect(
    split(
      100,
      [...bytes].map((byte) => Buffer.of(byte)),
    ).lines,
  ).toEqual(["😀€"]);
});

test("what has no end yet is no line", () => {
  expect(split(100, [Buffer.from("a\nb")]).lines).toEqual(["a"]);
});

describe("the limit", () => {
  test.each([
    { chunks: ["1234567890\n"], lines: ["1234567890"], fine: [true] },
    { chunks: ["12345678901\n"], lines: [], fine: [false] },
    { chunks: ["1234567890", "\n"], lines: ["1234567890"], fine: [true, true] },
    { chunks: ["1234567890", "1"], lines: [], fine: [true, false] },
    { chunks: ["123456", "78901\n"], lines: [], fine: [true, false] },
    { chunks: ["a\n12345678901", "\nb\n"], lines: ["a"], fine: [false, false] },
    { chunks: ["a\nb\nc\nd\ne\nf\ng\nh\n"], lines: ["a", "b", "c", "d", "e", "f", "g", "h"], fine: [true] },
  ])("of 10 bytes, for $chunks", ({ chunks, lines, fine }) => {
    expect(
      split(
        10,
        chunks.map((chunk) => Buffer.from(chunk)),
      ),
    ).toEqual({ lines, fine });
  });

  test("counts bytes, not letters", () => {
    expect(split(10, [Buffer.from("üüüüüü\n")]).fine).toEqual([false]);
  });
});
