import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findProject } from "../../src/chatgpt/current-project.ts";
import { MAX_FILE_BYTES, readProjectFile } from "../../src/chatgpt/project-file.ts";

let scratch = "";
let root = "";
let outside = "";

beforeEach(() => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), "codex-gpt-bridge-files-")));
  root = join(scratch, "app");
  outside = join(scratch, "outside");
  for (const path of [root, outside, join(root, "src"), join(root, ".git")]) mkdirSync(path);
  writeFileSync(join(root, "src", "a.ts"), "export const a = 1;\n");
  writeFileSync(join(outside, "b.ts"), "export const b = 2;\n");
  writeFileSync(join(root, ".git", "config"), "[core]\n");
});
afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

describe("a file that may be sent", () => {
  test.each<[string, string, string]>([
    ["relative to the working directory", "a.ts", "src"],
    ["relative to the root", "src/a.ts", "."],
    ["by a way around inside", "../src/a.ts", "src"],
  ])("is named %s", async (_name, file, cwd) => {
    const read = await readProjectFile(root, join(root, cwd), file);
    expect(read).toEqual({
      ok: true,
      value: {
        path: "src/a.ts",
        text: "export const a = 1;\n",
        sha256: createHash("sha256").update("export const a = 1;\n").digest("hex"),
        nameKind: null,
      },
    });
  });

  test("is named by its whole path, or by a link that stays inside", async () => {
    symlinkSync(join(root, "src", "a.ts"), join(root, "link.ts"));
    for (const name of [join(root, "src", "a.ts"), "link.ts"]) {
      expect(await readProjectFile(root, root, name)).toMatchObject({
        ok: true,
        value: { path: "src/a.ts" },
      });
    }
  });

  test("is UTF-16 with its mark too", async () => {
    writeFileSync(join(root, "wide.txt"), Buffer.from("\uFEFFhello", "utf16le"));
    expect(await readProjectFile(root, root, "wide.txt")).toMatchObject({
      ok: true,
      value: { text: "hello" },
    });
  });
});

describe("a file that may not be sent", () => {
  const attacks: readonly [string, string, () => void][] = [
    ["above the root", "../outside/b.ts", () => {}],
    ["missing", "src/none.ts", () => {}],
    ["a directory", "src", () => {}],
    ["the root itself", ".", () => {}],
    ["with a NUL", "src/a.ts\0.md", () => {}],
    ["in .git", ".git/config", () => {}],
    ["a link outside", "out.ts", () => symlinkSync(join(outside, "b.ts"), join(root, "out.ts"))],
    ["below a link outside", "dir/b.ts", () => symlinkSync(outside, join(root, "dir"))],
    [
      "a link to a link outside",
      "two.ts",
      () => {
        symlinkSync(join(outside, "b.ts"), join(outside, "one.ts"));
        symlinkSync(join(outside, "one.ts"), join(root, "two.ts"));
      },
    ],
    ["a loop", "loop", () => symlinkSync("loop", join(root, "loop"))],
    ["a device", "null", () => symlinkSync("/dev/null", join(root, "null"))],
    ["a pipe that nobody writes to", "pipe", () => execFileSync("mkfifo", [join(root, "pipe")])],
    ["of /proc", "/proc/self/environ", () => {}],
  ];
  test.each(attacks)("is %s", async (_name, file, prepare) => {
    prepare();
    expect(await readProjectFile(root, root, file)).toEqual({ ok: false, failure: "place" });
  });

  test("a sibling whose name begins like the root's is outside", async () => {
    mkdirSync(`${root}-2`);
    writeFileSync(join(`${root}-2`, "c.ts"), "");
    expect(await readProjectFile(root, root, "../app-2/c.ts")).toEqual({ ok: false, failure: "place" });
  });

  test.each<[string, Buffer]>([
    ["not_text", Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 1, 2, 255, 254])],
    ["not_text", Buffer.from("a\0b")],
    ["too_large", Buffer.alloc(MAX_FILE_BYTES + 1, 0x61)],
  ])("is %s", async (failure, bytes) => {
    writeFileSync(join(root, "file.bin"), bytes);
    expect(await readProjectFile(root, root, "file.bin")).toEqual({ ok: false, failure });
  });

  test.each([
    [".env", "SESSION=abc123def456\n", "dotenv"],
    ["id_rsa", "anything", "private-key"],
    ["deploy/.npmrc", "//r.io/:_authToken=abcdef123456\n", "package-credentials"],
  ])("has the name of a secret: %s", async (name, text, kind) => {
    mkdirSync(join(root, "deploy"));
    writeFileSync(join(root, name), text);
    expect(await readProjectFile(root, root, name)).toMatchObject({ ok: true, value: { nameKind: kind } });
    symlinkSync(join(root, name), join(root, "harmless.txt"));
    expect(await readProjectFile(root, root, "harmless.txt")).toMatchObject({
      ok: true,
      value: { nameKind: kind },
    });
  });

  test("a second name for it does not hide the first one's", async () => {
    writeFileSync(join(root, "notes.txt"), "SESSION=abc123def456\n");
    linkSync(join(root, "notes.txt"), join(root, ".env"));
    expect(await readProjectFile(root, root, ".env")).toMatchObject({
      ok: true,
      value: { nameKind: "dotenv" },
    });
  });
});

describe("the current project", () => {
  test("is the repository that the working directory lies in", async () => {
    expect((await findProject(join(root, "src"), join(scratch, "home")))?.path).toBe(root);
    expect((await findProject(outside, join(scratch, "home")))?.path).toBe(outside);
  });

  test("is none in the home directory, above it, or where there is nothing", async () => {
    for (const cwd of [scratch, "/", root]) expect(await findProject(cwd, root)).toBeNull();
    expect(await findProject(join(scratch, "none"), root)).toBeNull();
  });

  test("is never a repository that the whole home directory is", async () => {
    const home = join(root, "home");
    mkdirSync(join(home, "work"), { recursive: true });
    mkdirSync(join(home, ".git"));
    expect((await findProject(join(home, "work"), home))?.path).toBe(join(home, "work"));
  });
});
