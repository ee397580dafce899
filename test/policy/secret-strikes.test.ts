import { describe, expect, test } from "vitest";
import { findSecrets } from "../../src/policy/secret-content.ts";
import { isWorthStriking, strikesOfHits, strikesOfNamedFile } from "../../src/policy/secret-strikes.ts";

const letters = (length: number): string => "qWeRtYuIoPaSdFgHjKlZxCvBnM123456".repeat(4).slice(0, length);

test.each([
  ["a password", "tr0ub4dor&3xyz", true],
  ["a key without digits", "abcdefGHIJKLmnopQRST", false],
  ["eleven characters", "abcDEF12345", false],
  ["a placeholder", "your-api-key-here", false],
  ["a variable", "${DATABASE_PASSWORD}", false],
  ["a word that everybody uses", "administrator", false],
  ["words", "must be changed by the owner", false],
  ["a word list with numbers", "step-2-of-10-in-all", false],
  ["a URL", "https://api.service.dev/v1/items", false],
  ["a host", "db-1.internal.service.dev:5432", false],
  ["a path", "/usr/local/lib/secrets/key1", false],
  ["a mail address", "somebody42@service.dev", false],
  ["a date", "2026-11-21T05:28:06.000Z", false],
  ["ciphertext", "encrypted:BDqDBibm4wsYqMpCjTQ6BsDHmMadg9K3dAt", false],
  ["few letters", "abababababab1", false],
  ["two lines", "tr0ub4dor&3xyz\nxyz", false],
  ["a megabyte", letters(32).repeat(40_000), false],
])("%s: worth striking where its name says that it is a secret?", (_name, value, isWorth) => {
  expect(isWorthStriking(value, true)).toBe(isWorth);
});

test.each([
  ["digits and letters", "9f86d081884c7d65", true],
  ["letters alone", "NorthAmericaEast", false],
  ["an id of the usual kind", "123e4567-e89b-12d3-a456-426614174000", false],
  ["a sentence", "Version 2 of the Shop", false],
])("%s: worth striking by its own look?", (_name, value, isWorth) => {
  expect(isWorthStriking(value, false)).toBe(isWorth);
});

describe("of a file that its name gave away", () => {
  const dotenv = [
    "# the shop",
    "NODE_ENV=production-like",
    "PORT=3000",
    "API_URL=https://api.service.dev/v1",
    `export SHOP_THING="9f86d081884c7d65"`,
    "DB_PASSWORD=tr0ub4dor&3xyz # rotate",
    "DB_HOST=db.internal.service.dev",
    "ADMIN_PASSWORD=changeme",
    "API_TOKEN=",
  ].join("\n");

  test("dotenv: named secrets, and what looks like one", () => {
    expect(strikesOfNamedFile(dotenv, "dotenv").toSorted()).toEqual(["9f86d081884c7d65", "tr0ub4dor&3xyz"]);
  });

  test("others: named secrets only", () => {
    expect(strikesOfNamedFile(dotenv, "assignments")).toEqual(["tr0ub4dor&3xyz"]);
  });

  test("hostile text takes little time", () => {
    for (const text of ["A=".repeat(100_000), `A=${" ".repeat(200_000)}`, "=\n".repeat(100_000)])
      expect(strikesOfNamedFile(text, "dotenv").length).toBeLessThan(2);
  });
});

describe("of what the content rules found", () => {
  const strikes = (text: string): string[] =>
    strikesOfHits(
      text,
      findSecrets(Buffer.from(text, "latin1"), () => text),
    );

  test("the password of a URL and of an assignment, without what stands around it", () => {
    expect(strikes("DATABASE_URL=postgres://shop:tr0ub4dor3xyz@db.service.dev/shop")).toEqual([
      "tr0ub4dor3xyz",
    ]);
    expect(strikes(`db_password = "Tr0ub4dor-3xyz!"`)).toEqual(["Tr0ub4dor-3xyz!"]);
  });

  test("each line of a private key", () => {
    const body = Array.from({ length: 3 }, (_, n) => letters(64).slice(n) + "A".repeat(n));
    const key = [["-----BEGIN RSA PRI", "VATE KEY-----"].join(""), ...body, "-----END RSA PRIVATE KEY-----"];
    expect(strikes(key.join("\n"))).toEqual(body);
  });
});
