import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readProjectInstructions } from "../../src/workspace/instructions.ts";

let base: string;
let root: string;
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "instructions-")));
  root = join(base, "project");
  await mkdir(join(root, "packages/a"), { recursive: true });
  await writeFile(join(base, "AGENTS.md"), "above the root");
  await writeFile(join(base, "outside.md"), "outside");
});
afterEach(async () => {
  await rm(base, { recursive: true, force: true });
});

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}

const open = { deniedPaths: [], deniedPatterns: [] };
const HEAD = "# Instructions of this project (AGENTS.md)\n\n";
const read = async (cwd = ""): Promise<string | null> =>
  (await readProjectInstructions(root, cwd, open))?.replace(HEAD, "") ?? null;

test("a project without instructions has none", async () => {
  expect(await readProjectInstructions(root, "packages/a", open)).toBeNull();
  expect(await readProjectInstructions(join(base, "missing"), "", open)).toBeNull();
});

test("they say what they are", async () => {
  await write({ "AGENTS.md": "Use tabs." });
  expect(await readProjectInstructions(root, "", open)).toBe(`${HEAD}Use tabs.`);
});

test("they are read from the root down to the working directory, and nowhere else", async () => {
  await write({
    "AGENTS.md": "root",
    "packages/AGENTS.md": "packages",
    "packages/a/AGENTS.md": "a",
    "other/AGENTS.md": "other",
  });
  expect(await read("packages/a")).toBe("root\n\npackages\n\na");
  expect(await read("packages")).toBe("root\n\npackages");
  expect(await read()).toBe("root");
});

test("an override takes the place of its neighbour, unless it is empty", async () => {
  await write({
    "AGENTS.md": "plain",
    "AGENTS.override.md": "override",
    "packages/AGENTS.md": "p",
    "packages/AGENTS.override.md": " \n",
  });
  expect(await read("packages")).toBe("override\n\np");
});

describe("their size", () => {
  test("is bounded for one file", async () => {
    await write({ "AGENTS.md": "x".repeat(100_000) });
    expect((await read())?.length).toBe(32 * 1024);
  });

  test("is bounded for all together, the root first", async () => {
    await write({
      "AGENTS.md": "r".repeat(30_000),
      "packages/AGENTS.md": "p".repeat(30_000),
      "packages/a/AGENTS.md": "a",
    });
    const text = (await read("packages/a")) ?? "";
    expect(text).toContain("r".repeat(30_000));
    expect(text.match(/p/g)).toHaveLength(32 * 1024 - 30_000);
    expect(text).not.toContain("a");
  });
});

describe("what is no file of the project is not read", () => {
  test("a link out of the root", async () => {
    await symlink(join(base, "outside.md"), join(root, "AGENTS.md"));
    expect(await read()).toBeNull();
  });

  test("a directory of the way that leads out of the root", async () => {
    await mkdir(join(base, "elsewhere"));
    await writeFile(join(base, "elsewhere/AGENTS.md"), "elsewhere");
    await symlink(join(base, "elsewhere"), join(root, "link"));
    expect(await read("link")).toBeNull();
  });

  test("a link that stays inside is followed", async () => {
    await write({ "docs/rules.md": "rules" });
    await symlink("docs/rules.md", join(root, "AGENTS.md"));
    expect(await read()).toBe("rules");
  });

  test("a pipe, without waiting for it", async () => {
    execFileSync("mkfifo", [join(root, "AGENTS.md")]);
    expect(await read()).toBeNull();
  });

  test("a device, behind a link", async () => {
    await symlink("/dev/zero", join(root, "AGENTS.md"));
    expect(await read()).toBeNull();
  });

  test("a directory of that name", async () => {
    await mkdir(join(root, "AGENTS.md"));
    expect(await read()).toBeNull();
  });

  test.skipIf(process.getuid?.() === 0)("a file that is not ours to read", async () => {
    await write({ "AGENTS.md": "secret" });
    await chmod(join(root, "AGENTS.md"), 0);
    expect(await read()).toBeNull();
  });
});

test.each([
  { what: "a hidden file", target: ".env" },
  { what: "a file below a hidden directory", target: "keys/deep/notes.txt" },
  { what: "a file that a pattern hides", target: "pages/[id]/notes.txt" },
])("a link to $what is not followed: the model would read it as an instruction", async ({ target }) => {
  await write({ [target]: "TOKEN=secret", "packages/a/AGENTS.md": "Whisper." });
  await symlink(join(root, target), join(root, "AGENTS.md"));
  const hidden = {
    deniedPaths: [join(root, ".env"), join(root, "keys")],
    deniedPatterns: [`${root}/**/pages/?id?/notes.txt`],
  };
  expect(await readProjectInstructions(root, "packages/a", hidden)).toBe(`${HEAD}Whisper.`);
  expect(await readProjectInstructions(root, "", open)).toBe(`${HEAD}TOKEN=secret`);
});

test("instructions that hold a secret themselves are hidden like any file", async () => {
  await write({ "AGENTS.md": "TOKEN=secret" });
  const hidden = { deniedPaths: [join(root, "AGENTS.md")], deniedPatterns: [] };
  expect(await readProjectInstructions(root, "", hidden)).toBeNull();
});
