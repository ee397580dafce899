import { describe, expect, it } from "vitest";
import { createGate } from "../../src/policy/secret-gate.ts";
import { SECRET_LITERALS } from "../../src/policy/secret-content.ts";

function found(literals: readonly string[], text: string): string[] {
  const places: string[] = [];
  createGate(literals).scan(Buffer.from(text, "latin1"), (literal, start) => {
    places.push(`${start}:${literals[literal]}`);
  });
  return places.toSorted();
}

/** The same by looking at every place. */
function naive(literals: readonly string[], text: string): string[] {
  const lower = text.toLowerCase();
  const places: string[] = [];
  for (const literal of literals) {
    for (
      let at = lower.indexOf(literal.toLowerCase());
      at >= 0;
      at = lower.indexOf(literal.toLowerCase(), at + 1)
    ) {
      places.push(`${at}:${literal}`);
    }
  }
  return places.toSorted();
}

describe("createGate", () => {
  it("finds a literal at the very beginning, at the very end, and over itself", () => {
    expect(found(["abc"], "abc")).toEqual(["0:abc"]);
    expect(found(["aaa"], "aaaaa")).toEqual(["0:aaa", "1:aaa", "2:aaa"]);
    expect(found(["://", "sk-", "password"], "SK-x://PassWord")).toEqual(["0:sk-", "4:://", "7:password"]);
    expect(found(["abc"], "ab")).toEqual([]);
  });

  it("finds what looking at every place finds, in random text full of halves of literals", () => {
    let state = 5;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let round = 0; round < 300; round++) {
      let text = "";
      while (text.length < 400) {
        const literal = SECRET_LITERALS[random(SECRET_LITERALS.length)] ?? "";
        const from = random(3) === 0 ? random(literal.length) : 0;
        const piece = literal.slice(from, random(3) === 0 ? random(literal.length) : literal.length);
        text += random(2) === 0 ? piece : piece.toUpperCase();
        if (random(2) === 0) text += String.fromCharCode(random(256)).replace(/[^\0-\x7f]/, "-");
      }
      expect(found(SECRET_LITERALS, text)).toEqual(naive(SECRET_LITERALS, text));
    }
  });

  it("refuses a literal that is too short to look up", () => {
    expect(() => createGate(["ab"])).toThrow("too short");
  });
});
