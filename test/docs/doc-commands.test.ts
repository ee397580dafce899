import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { commandNames } from "../../src/cli/main.ts";
import { blocksOf, docPages } from "../support/doc-commands.ts";

const packageRoot = join(import.meta.dirname, "..", "..");
const { scripts } = JSON.parse(await readFile(join(packageRoot, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
};
const pages = await Promise.all(
  (await docPages()).map(async (path) => ({
    page: relative(packageRoot, path),
    text: await readFile(path, "utf8"),
  })),
);

describe.each(pages)("$page", ({ page, text }) => {
  test("names only commands and scripts that exist", () => {
    const code = [...text.matchAll(/`([^`\n]+)`/g), ...text.matchAll(/```(?:sh|bash)\n([\s\S]*?)```/g)];
    for (const [, words = ""] of code) {
      for (const [, command = ""] of words.matchAll(/\bcodex-gpt-bridge ([a-z][a-z-]*)\b/g)) {
        expect(commandNames, `${page}: ${words}`).toContain(command);
      }
      for (const [, script = ""] of words.matchAll(/\bnpm run (?:--silent )?([a-z][\w:-]*)/g)) {
        expect(Object.keys(scripts), `${page}: ${words}`).toContain(script);
      }
    }
  });

  test("links to pages that are there", async () => {
    for (const [, target = ""] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
      await expect(
        readFile(join(packageRoot, page, "..", target)),
        `${page}: ${target}`,
      ).resolves.toBeDefined();
    }
  });
});

describe("a block of shell", () => {
  test("is told apart from other blocks, and takes the comment right above it", () => {
    const page = [
      "```json",
      "{}",
      "```",
      "<!-- not run: for a reason that stands here -->",
      "```sh",
      "rm -rf everything",
      "```",
      "text",
      "```bash",
      "echo hello",
      "```",
      "<!-- runs until stopped -->",
      "```sh",
      "npm start",
      "```",
    ].join("\n");
    expect(blocksOf("a.md", page)).toEqual([
      {
        at: "a.md:5",
        text: "rm -rf everything",
        how: { kind: "not run", why: "for a reason that stands here" },
      },
      { at: "a.md:9", text: "echo hello", how: { kind: "runs" } },
      { at: "a.md:13", text: "npm start", how: { kind: "serves" } },
    ]);
  });

  test.each([
    ["that is not closed", "```sh\nnpm start", /not closed/],
    ["with a comment that means nothing", "<!-- skip -->\n```sh\nnpm start\n```", /nobody knows/],
  ])("%s is refused", (_name, page, why) => {
    expect(() => blocksOf("a.md", page)).toThrow(why);
  });
});
