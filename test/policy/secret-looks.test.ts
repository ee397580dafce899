import { describe, expect, it } from "vitest";
import type { Look } from "../../src/policy/secret-kinds.ts";
import { judgeLook } from "../../src/policy/secret-looks.ts";

const LOOKS: readonly Look[] = [
  "dotenv",
  "envrc",
  "pem",
  "key",
  "assignments",
  "manifest",
  "npmrc",
  "url",
  "filled",
  "template",
];
const repeat = (text: string): string => text.repeat(Math.ceil(2 ** 20 / text.length)).slice(0, 2 ** 20);

describe("judgeLook", () => {
  it("needs linear time, whatever the text", () => {
    const bait = [
      "\n",
      " ",
      " \n",
      "a",
      "a.",
      "a:",
      "a=",
      "key",
      "key ",
      "key=",
      "key\t\t\t",
      "password",
      "password: ",
      "<password>",
      "<password> ",
      "://",
      "://a:",
      "extraheader=authorization:",
      "extraheader = ",
      "data:\n  a: 1\n",
      "data:\n",
      "  \n\n",
      "kind: Secret\ndata:\n",
      '"',
      "'a',",
      "-----BEGIN PRIVATE KEY-----",
      "-----BEGIN PRIVATE KEY-----\n",
      "-----BEGIN CERTIFICATE-----\n",
      '_auth="',
      "export ",
      "# ",
      "a #",
      "[",
      "{",
      "(",
      "${",
      "<a",
      "aA1+/",
      "日本",
      "\0",
    ].map(repeat);
    for (const look of LOOKS) {
      for (const text of bait) {
        const started = performance.now();
        judgeLook(look, text, true);
        expect({ look, text: text.slice(0, 12), slow: performance.now() - started > 1_500 }).toMatchObject({
          slow: false,
        });
      }
    }
  }, 60_000);

  it("proves nothing by a part of a file", () => {
    for (const look of LOOKS) {
      if (look === "template") continue;
      expect(["more", "unknown"]).toContain(judgeLook(look, "# only a comment\n", false));
    }
  });

  it("sees a plain secret beside encrypted ones", () => {
    const sops = "a: ENC[AES256_GCM,data:x]\nsops:\n  version: 3\n";
    expect(judgeLook("manifest", sops, true)).toBe("warn");
    expect(judgeLook("manifest", `password: hunter22\n${sops}`, true)).toBe("block");
    expect(
      judgeLook("manifest", `kind: SealedSecret\n---\nkind: Secret\ndata:\n  a: aHVudGVyMg==\n`, true),
    ).toBe("block");
    expect(judgeLook("dotenv", 'A="encrypted:BDb7t3Qk"\nB=hunter22\n', true)).toBe("block");
  });
});
