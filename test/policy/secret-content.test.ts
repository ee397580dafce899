import { describe, expect, it } from "vitest";
import { findSecrets } from "../../src/policy/secret-content.ts";
import { judgeLinkTarget } from "../../src/policy/secret-links.ts";
import { isPlaceholder } from "../../src/policy/secret-placeholders.ts";
import { FAKE_SECRETS } from "../support/secret-corpus.ts";

function kinds(text: string): string[] {
  return findSecrets(Buffer.from(text, "latin1"), () => text).map(
    ({ kind, verdict }) => `${verdict} ${kind}`,
  );
}

describe("findSecrets", () => {
  it("sees every form once, and says where it is", () => {
    for (const fake of Object.values(FAKE_SECRETS)) {
      const text = `first line\n${fake()}\nlast line\n`;
      const hits = findSecrets(Buffer.from(text, "latin1"), () => text);
      expect(hits.filter(({ verdict }) => verdict === "block")).toHaveLength(1);
      for (const { start, end } of hits) expect(text.slice(start, end)).not.toMatch(/first|last/);
    }
  });

  it.each([
    ["the key of Amazon's manual", ["AKIAIOSFODNN7", "EXAMPLE"].join("")],
    ["a token of crosses", ["gh", "p_", "x".repeat(36)].join("")],
    ["a token of asterisks", ["sk", "-proj-", "*".repeat(40)].join("")],
    ["a token that goes on", ["AK", "IA", "ABCDEFGHIJKLMNOPQRSTUV"].join("")],
    ["the middle of a word", `ta${["sk", "-", "a1".repeat(24)].join("")}`],
    ["a key with no body", "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----"],
    ["a variable in a URL", "postgres://app:${PASSWORD}@db/app"],
    ["a password for everybody", "postgres://postgres:postgres@localhost:5432/app"],
    ["a scoped package", "https://unpkg.com/@scope/name@1.0.0"],
    ["a checksum", `sha512-${"aB3/".repeat(21)}aB==`],
  ])("is not taken in by %s", (_what, text) => {
    expect(kinds(text)).toEqual([]);
  });

  it("only warns of what has no form of its own", () => {
    expect(kinds('password = "hunter22x"')).toEqual(["warn assignment"]);
    expect(kinds("DB_PASSWORD=hunter22x")).toEqual(["warn assignment"]);
    expect(kinds("const password = hunter22x;")).toEqual([]);
    expect(kinds('"passwordHint": "Hunter22x"')).toEqual([]);
  });
});

describe("a secret with a name before it", () => {
  it("is called by its own form, not by the name", () => {
    for (const fake of [
      "GitHub personal token",
      "OpenAI key",
      "Stripe live key",
      "Hugging Face token",
      "age key",
    ]) {
      const secret = FAKE_SECRETS[fake]?.() ?? "";
      for (const text of [
        `"GITHUB_TOKEN": "${secret}"`,
        `export API_KEY=${secret}`,
        `password: '${secret}'`,
      ]) {
        expect(kinds(text)).toEqual([expect.stringMatching(/^block (?!assignment)/)]);
      }
    }
  });

  it("is a private key in a JSON Web Key", () => {
    const part = "aB3_".repeat(20);
    expect(kinds(JSON.stringify({ kty: "RSA", n: part, e: "AQAB", d: part }))).toEqual(["block private-key"]);
    expect(kinds(JSON.stringify({ kty: "RSA", n: part, e: "AQAB" }))).toEqual([]);
    expect(kinds(JSON.stringify({ d: part }))).toEqual([]);
  });
});

describe("isPlaceholder", () => {
  it.each([
    "",
    '""',
    "${A}",
    "$HOME",
    "<token>",
    "{{ x }}",
    "your-key-here",
    "xxxx",
    "****",
    "changeme",
    "null",
    "%TOKEN%",
    "<%= x %>",
    "process.env.A",
  ])("is true of %s", (value) => {
    expect(isPlaceholder(value)).toBe(true);
  });

  it.each([
    "hunter22",
    "$2b$10$abcdefghijklmnopqrstuv",
    "p@ss w0rd",
    "1234",
    "a",
    "correct-horse",
    "Sommer2026!",
  ])("is false of %s", (value) => {
    expect(isPlaceholder(value)).toBe(false);
  });
});

describe("judgeLinkTarget", () => {
  const places = { root: "/home/me/work/app", home: "/home/me" };

  it.each([
    ["/home/me/work/app", "inside"],
    ["/home/me/work/app/src/a.ts", "inside"],
    ["/home/me/work/app-two/a.ts", "outside"],
    ["/home/me/work", "outside"],
    ["/home/me", "private"],
    ["/home", "private"],
    ["/", "private"],
    ["/home/me/.ssh/config", "private"],
    ["/home/me/.AWS", "private"],
    ["/proc/1/environ", "private"],
    ["/home/me/notes.txt", "outside"],
  ])("says of %s: %s", (target, kind) => {
    expect(judgeLinkTarget(target, places).kind).toBe(kind);
  });

  it("lets a project below such a directory link to its neighbours", () => {
    const own = { root: "/home/me/.claude/worktrees/a", home: "/home/me" };
    expect(judgeLinkTarget("/home/me/.claude/worktrees/b/x.ts", own).kind).toBe("outside");
  });
});
