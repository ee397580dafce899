import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DirectoryIdentity } from "../../src/policy/grant.ts";
import { identifyCwd, identifyDirectory, isInside, relativeToRoot } from "../../src/workspace/directory.ts";
import { createSeededRandom } from "../support/seeded-random.ts";

let base: string;
let root: DirectoryIdentity;
beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "directory-")));
  for (const path of ["proj/a/b", "proj/..dots", "proj/Case", "proj-evil/a", "outside/a"]) {
    await mkdir(join(base, path), { recursive: true });
  }
  await writeFile(join(base, "proj/file.txt"), "");
  await symlink(join(base, "outside"), join(base, "proj/out"));
  await symlink("../proj-evil", join(base, "proj/evil"));
  await symlink("a/b", join(base, "proj/in"));
  await symlink("..", join(base, "proj/up"));
  await symlink("/", join(base, "proj/top"));
  await symlink("loop", join(base, "proj/loop"));
  await symlink("nowhere", join(base, "proj/dangling"));
  await symlink(join(base, "proj"), join(base, "outside/back"));
  const found = await identifyDirectory(join(base, "proj"));
  if (found === null) throw new Error("no root");
  root = found;
});
afterAll(async () => {
  await rm(base, { recursive: true, force: true });
});

const cwd = async (wanted: string | null): Promise<string | null> =>
  (await identifyCwd(root, wanted))?.path ?? null;

describe("a working directory", () => {
  test.each<{ wanted: string | null; is: string }>([
    { wanted: null, is: "proj" },
    { wanted: ".", is: "proj" },
    { wanted: "a", is: "proj/a" },
    { wanted: "a/b/", is: "proj/a/b" },
    { wanted: "a/../a/./b", is: "proj/a/b" },
    { wanted: "in", is: "proj/a/b" },
    { wanted: "..dots", is: "proj/..dots" },
    { wanted: "out/back/a", is: "proj/a" },
    { wanted: "../proj/a", is: "proj/a" },
    { wanted: "BASE/proj", is: "proj" },
    { wanted: "BASE/proj/a", is: "proj/a" },
    { wanted: "BASE/outside/back/a", is: "proj/a" },
  ])("$wanted inside the project is $is", async ({ wanted, is }) => {
    expect(await cwd(wanted?.replace("BASE", base) ?? null)).toBe(join(base, is));
  });

  test.each([
    { name: "above", wanted: ".." },
    { name: "far above", wanted: "../../../../../../etc" },
    { name: "the root of the disk", wanted: "/" },
    { name: "another directory", wanted: "/etc" },
    { name: "a sibling whose name begins the same", wanted: "BASE/proj-evil" },
    { name: "that sibling by dots", wanted: "../proj-evil/a" },
    { name: "a link out", wanted: "out" },
    { name: "below a link out", wanted: "out/a" },
    { name: "a link to the sibling", wanted: "evil/a" },
    { name: "a link upwards", wanted: "up" },
    { name: "through a link upwards to the sibling", wanted: "up/proj-evil" },
    { name: "through a link to the root of the disk", wanted: "top/etc" },
    { name: "a link to itself", wanted: "loop" },
    { name: "a link to nothing", wanted: "dangling" },
    { name: "a file", wanted: "file.txt" },
    { name: "below a file", wanted: "file.txt/a" },
    { name: "nothing", wanted: "missing" },
    { name: "a name with NUL", wanted: "a\0/../../etc" },
    { name: "NUL alone", wanted: "\0" },
    { name: "a home directory", wanted: "~" },
    { name: "a URL", wanted: "file:///etc" },
    { name: "an encoded way out", wanted: "%2e%2e/proj-evil" },
    { name: "a very long name", wanted: "x".repeat(5_000) },
    { name: "a way with backslashes", wanted: "..\\proj-evil" },
  ])("$name is refused, like every other reason", async ({ wanted }) => {
    expect(await cwd(wanted.replace("BASE", base))).toBeNull();
  });

  test("of another case is judged as the disk judges it", async () => {
    const exists = (await identifyDirectory(join(base, "proj/case"))) !== null;
    expect((await cwd("case")) !== null).toBe(exists);
    expect(await cwd(join(base, "PROJ-EVIL"))).toBeNull();
  });

  test("whatever the way, what is found lies inside, after all links", async () => {
    const parts = [
      "a",
      "b",
      "..",
      ".",
      "",
      "out",
      "evil",
      "in",
      "up",
      "back",
      "proj",
      "proj-evil",
      "..dots",
      "top",
      "loop",
    ];
    let inside = 0;
    for (let seed = 1; seed <= 2_000; seed += 1) {
      const random = createSeededRandom(seed);
      const way = Array.from({ length: 1 + random.below(6) }, () => random.pick(parts)).join("/");
      const wanted = random.below(3) === 0 ? `${base}/${way}` : way;
      const found = await cwd(wanted);
      if (found === null) continue;
      inside += 1;
      const real = await realpath(found);
      expect(real, `seed ${seed}: ${wanted}`).toBe(found);
      expect(`${real}/`.startsWith(`${base}/proj/`), `seed ${seed}: ${wanted}`).toBe(true);
    }
    expect(inside).toBeGreaterThan(100);
  });

  test("below a root that was swapped is refused", async () => {
    expect(await identifyCwd({ ...root, inode: "1" }, "a")).toBeNull();
    expect(await identifyCwd({ ...root, device: "1" }, "a")).toBeNull();
  });
});

describe("a directory's identity", () => {
  test("is the same by every way to it, and another for every other", async () => {
    const direct = await identifyDirectory(join(base, "proj/a/b"));
    expect(await identifyDirectory(join(base, "outside/back/in"))).toEqual(direct);
    expect(await identifyDirectory(join(base, "proj/a"))).not.toEqual(direct);
  });

  test("changes when the directory is made anew in the same place", async () => {
    const place = join(base, "temporary");
    await mkdir(place);
    const before = await identifyDirectory(place);
    await rm(place, { recursive: true });
    await mkdir(join(base, "takes-the-inode"));
    await mkdir(place);
    expect(await identifyDirectory(place)).not.toEqual(before);
  });
});

test.each([
  ["/a/b", "/a/b", true],
  ["/a/b", "/a/b/c", true],
  ["/a/b", "/a/bc", false],
  ["/a/b", "/a", false],
  ["/a/b/", "/a/b/c", true],
  ["/", "/anything", true],
  ["/a/b", "/a/B/c", false],
  ["/a/b", "", false],
])("below %s lies %s: %s", (directory, path, inside) => {
  expect(isInside(directory, path)).toBe(inside);
});

test.each([
  ["/a/b", "/a/b", ""],
  ["/a/b", "/a/b/c/d", "c/d"],
  ["/", "/c", "c"],
])("from %s to %s it is %j", (from, to, way) => {
  expect(relativeToRoot(from, to)).toBe(way);
});
