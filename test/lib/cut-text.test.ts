import { describe, expect, test } from "vitest";
import { cutText } from "../../src/lib/cut-text.ts";
import { createSeededRandom } from "../support/seeded-random.ts";

test.each([
  { text: "", maxBytes: 0, cut: "", wasCut: false },
  { text: "a", maxBytes: 0, cut: "", wasCut: true },
  { text: "abc", maxBytes: 3, cut: "abc", wasCut: false },
  { text: "abcd", maxBytes: 3, cut: "abc", wasCut: true },
  { text: "üü", maxBytes: 3, cut: "ü", wasCut: true },
  { text: "€€", maxBytes: 5, cut: "€", wasCut: true },
  { text: "😀😀", maxBytes: 7, cut: "😀", wasCut: true },
  { text: "😀", maxBytes: 3, cut: "", wasCut: true },
  { text: "ab€", maxBytes: 5, cut: "ab€", wasCut: false },
])("$text cut to $maxBytes bytes is $cut", ({ text, maxBytes, cut, wasCut }) => {
  expect(cutText(text, maxBytes)).toEqual({ text: cut, wasCut });
});

describe("any text at any length", () => {
  const letters = ["a", "\n", "ü", "ß", "€", "漢", "😀", "👩‍💻", "\u{10FFFF}", "\u0301"];

  test("gives the longest head that fits and ends with a whole character", () => {
    for (let seed = 1; seed <= 3_000; seed += 1) {
      const random = createSeededRandom(seed);
      const text = Array.from({ length: random.below(20) }, () => random.pick(letters)).join("");
      const maxBytes = random.below(40);
      const { text: cut, wasCut } = cutText(text, maxBytes);
      expect(text.startsWith(cut), `seed ${seed}`).toBe(true);
      expect(cut, `seed ${seed}`).not.toContain("\uFFFD");
      expect(wasCut, `seed ${seed}`).toBe(cut !== text);
      expect(Buffer.byteLength(cut), `seed ${seed}`).toBeLessThanOrEqual(maxBytes);
      const [next = ""] = text.slice(cut.length);
      const couldTakeMore = wasCut && Buffer.byteLength(cut + next) <= maxBytes;
      expect(couldTakeMore, `seed ${seed}`).toBe(false);
    }
  });
});
