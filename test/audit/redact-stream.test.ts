import { describe, expect, it } from "vitest";
import { createRedactStream } from "../../src/audit/redact-stream.ts";
import { createRedactor } from "../../src/audit/redact.ts";
import { FAKE_SECRETS } from "../support/secret-corpus.ts";

const redactor = createRedactor({ roots: [{ path: "/home/me/app", name: "app" }], home: "/home/me" });

function through(text: string | Buffer, size: number): string {
  const stream = createRedactStream(redactor);
  let out = "";
  for (let at = 0; at < text.length; at += size) out += stream.write(text.slice(at, at + size));
  return out + stream.end();
}

/** Several hundred KiB with every fake secret somewhere, at places that no border of a chunk can avoid. */
function longText(): string {
  const filler = "an ordinary line of text in /home/me/app/src with nothing in it\n";
  return Object.values(FAKE_SECRETS)
    .map((fake, index) => `${filler.repeat(40 + index * 3)}value:\n${fake()}\n`)
    .join("");
}

describe("createRedactStream", () => {
  const text = longText();
  const whole = redactor.redact(text);

  it.each([1_000, 1_024, 4_096, 16_384, 65_536, 100_003, 10_000_000])(
    "gives what the whole gives, in pieces of %i",
    (size) => {
      expect(through(text, size)).toBe(whole);
    },
  );

  it("gives the same for bytes cut inside a letter", () => {
    const wide = `${"日本語 😀 ".repeat(9_000)}${FAKE_SECRETS["npm token"]?.() ?? ""}\n${"é".repeat(70_000)}`;
    expect(through(Buffer.from(wide), 1_001)).toBe(redactor.redact(wide));
  });

  it("never cuts a letter in two", () => {
    const stream = createRedactStream(redactor);
    const out = stream.write(`x${"😀".repeat(100_000)}`);
    expect(out.length).toBeGreaterThan(0);
    expect(out.isWellFormed()).toBe(true);
  });

  it("holds back no more than it needs", () => {
    const stream = createRedactStream(redactor);
    let held = 0;
    for (let chunk = 0; chunk < 100; chunk++) {
      held += 10_000 - stream.write("text ".repeat(2_000)).length;
      expect(held).toBeLessThan(100_000);
    }
    expect(stream.end().length).toBe(held);
  });

  it("is empty for nothing", () => {
    const stream = createRedactStream(redactor);
    expect(stream.write("") + stream.end()).toBe("");
  });

  it("counts each secret once", () => {
    const own = createRedactor();
    const stream = createRedactStream(own);
    for (let index = 0; index < 50; index++)
      stream.write(`${"x ".repeat(4_000)} ${FAKE_SECRETS["npm token"]?.() ?? ""}\n`);
    stream.end();
    expect(own.count()).toBe(50);
  });
});
