import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeLeftOver, replaceFile } from "../../src/lib/replace-file.ts";

let directory = "";
let path = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "replace-file-"));
  path = join(directory, "secrets.json");
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

const modeOf = (name: string): number => statSync(name).mode & 0o777;

function plant(name: string, ageSeconds: number): string {
  const planted = join(directory, name);
  writeFileSync(planted, "what was to be written", { mode: 0o600 });
  const then = Date.now() / 1_000 - ageSeconds;
  utimesSync(planted, then, then);
  return planted;
}

test("a file and the directories above it are made for the owner alone", async () => {
  const deep = join(directory, "new", "config.toml");
  await replaceFile(deep, "one\n", "kept");
  expect(readFileSync(deep, "utf8")).toBe("one\n");
  expect([modeOf(deep), modeOf(join(directory, "new"))]).toEqual([0o600, 0o700]);
});

test("a file keeps its mode, or gets the one that is wanted, whatever the umask", async () => {
  writeFileSync(path, "old");
  chmodSync(path, 0o664);
  await replaceFile(path, "new", "kept");
  expect(modeOf(path)).toBe(0o664);
  await replaceFile(path, "newer", 0o600);
  expect([readFileSync(path, "utf8"), modeOf(path)]).toEqual(["newer", 0o600]);
});

test("nothing is left beside the file, also where it cannot be replaced", async () => {
  mkdirSync(join(path, "in-the-way"), { recursive: true });
  await expect(replaceFile(path, "text", 0o600)).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
  expect(readdirSync(directory)).toEqual(["secrets.json"]);
});

test("what a killed process left beside the file goes with the next write and the next look", async () => {
  plant("secrets.json.0123456789ab.tmp", 120);
  await replaceFile(path, "text", 0o600);
  expect(readdirSync(directory)).toEqual(["secrets.json"]);
  plant("secrets.json.0123456789ab.tmp", 120);
  await removeLeftOver(path);
  expect(readdirSync(directory)).toEqual(["secrets.json"]);
});

test("what another process may still be writing stays, and so does whatever else lies there", async () => {
  const others = [
    plant("secrets.json.0123456789ab.tmp", 5),
    plant("other.json.0123456789ab.tmp", 120),
    plant("secrets.json.mine.tmp", 120),
    plant("secrets.json.0123456789ab.tmp.bak", 120),
  ];
  symlinkSync(join(directory, "elsewhere"), join(directory, "secrets.json.ba9876543210.tmp"));
  await replaceFile(path, "text", 0o600);
  expect(others.filter((name) => !existsSync(name))).toEqual([]);
  expect(readdirSync(directory)).toHaveLength(others.length + 2);
});

test("a directory that is not there holds nothing", async () => {
  await removeLeftOver(join(directory, "none", "secrets.json"));
  expect(readdirSync(directory)).toEqual([]);
});
