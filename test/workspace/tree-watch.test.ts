import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, lutimesSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { linkSync, statSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { WatchedTree } from "../../src/jobs/change-watch.ts";
import { LEFT_OUT } from "../../src/workspace/left-out.ts";
import { createTreeWatch } from "../../src/workspace/tree-watch.ts";

const never = new AbortController().signal;
const LIMITS = { maxEntries: 500_000, lookMs: 60_000, hurryMs: 60_000, maxChanges: 500 };
const watch = createTreeWatch(LIMITS);
const isRoot = process.getuid?.() === 0;

let root: string;
let outside: string;
let trees: WatchedTree[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tree-"));
  outside = mkdtempSync(join(tmpdir(), "beside-"));
  trees = [];
  write("readme.txt", "hello\n");
  write("src/a.ts", "let a = 1;\n");
  write("src/b.ts", "let b = 2;\n");
  write("src/deep/c.ts", "let c = 3;\n");
});
afterEach(() => {
  for (const tree of trees) tree.release();
  execFileSync("chmod", ["-R", "u+rwx", root]);
  for (const place of [root, outside]) rmSync(place, { recursive: true, force: true });
});

function write(path: string, text: string): void {
  mkdirSync(join(root, path, ".."), { recursive: true });
  writeFileSync(join(root, path), text);
}

const at = (path: string): string => join(root, path);

async function begin(other = watch): Promise<WatchedTree> {
  const tree = other.begin(root);
  trees.push(tree);
  await tree.looked;
  return tree;
}

/** What a turn that does `work` is told of; the list as `kind path`, sorted. */
async function seenOf(work: () => unknown, other = watch) {
  const tree = await begin(other);
  await work();
  const { changes, total, gap } = await tree.changes(never);
  return { list: changes.map(({ kind, path }) => `${kind} ${path}`).toSorted(), total, gap };
}

describe("what changed in a project", () => {
  const table: readonly (readonly [string, () => unknown, readonly string[]])[] = [
    ["nothing", () => undefined, []],
    ["a file is added", () => write("src/new.ts", "x"), ["add src/new.ts"]],
    ["a file is added in a new directory", () => write("n/e/w.ts", "x"), ["add n/e/w.ts"]],
    ["a file is changed", () => write("src/a.ts", "longer than before\n"), ["update src/a.ts"]],
    [
      "a file is changed in place, with its old size and time",
      () => {
        const { atime, mtime, size } = statSync(at("src/a.ts"));
        write("src/a.ts", "let a = 9;\n");
        utimesSync(at("src/a.ts"), atime, mtime);
        expect(statSync(at("src/a.ts"))).toMatchObject({ size, mtime });
      },
      ["update src/a.ts"],
    ],
    [
      "another file takes its name, with its size and time",
      () => {
        const { atime, mtime } = statSync(at("src/a.ts"));
        write("x", "let a = 9;\n");
        utimesSync(at("x"), atime, mtime);
        renameSync(at("x"), at("src/a.ts"));
      },
      ["update src/a.ts"],
    ],
    ["a file is deleted", () => unlinkSync(at("src/a.ts")), ["delete src/a.ts"]],
    ["a directory is deleted", () => rmSync(at("src/deep"), { recursive: true }), ["delete src/deep/c.ts"]],
    ["a file is renamed", () => renameSync(at("src/a.ts"), at("z.ts")), ["add z.ts", "delete src/a.ts"]],
    [
      "a directory is renamed",
      () => renameSync(at("src/deep"), at("moved")),
      ["add moved/c.ts", "delete src/deep/c.ts"],
    ],
    ["two files change names", () => swap("src/a.ts", "src/b.ts"), ["update src/a.ts", "update src/b.ts"]],
    ["a file is made executable", () => chmodSync(at("src/a.ts"), 0o755), ["update src/a.ts"]],
    [
      "a file becomes a link",
      () => replaceBy("src/a.ts", () => symlinkSync("b.ts", at("src/a.ts"))),
      ["update src/a.ts"],
    ],
    [
      "a file becomes a pipe",
      () => replaceBy("src/a.ts", () => execFileSync("mkfifo", [at("src/a.ts")])),
      ["update src/a.ts"],
    ],
    [
      "a file becomes a directory",
      () => replaceBy("src/a.ts", () => write("src/a.ts/inside", "x")),
      ["add src/a.ts/inside", "delete src/a.ts"],
    ],
    [
      "a directory becomes a link to a place outside",
      () => {
        writeFileSync(join(outside, "private.txt"), "x");
        rmSync(at("src/deep"), { recursive: true });
        symlinkSync(outside, at("src/deep"));
      },
      ["add src/deep", "delete src/deep/c.ts"],
    ],
    ["what a link leads to changes outside", () => writeFileSync(join(outside, "private.txt"), "y"), []],
    [
      "a file comes and goes",
      () => {
        write("t", "x");
        unlinkSync(at("t"));
      },
      [],
    ],
    ["a file is read", () => execFileSync("cat", [at("src/a.ts")]), []],
    ["an empty directory is made", () => mkdirSync(at("empty")), []],
    ["a name has control characters", () => write("src/a\n\u001b[31m.ts", "x"), ["add src/a\n\u001b[31m.ts"]],
    [
      "a name is no UTF-8",
      () => writeFileSync(Buffer.concat([Buffer.from(`${root}/caf`), Buffer.from([0xe9])]), "x"),
      ["add caf\uFFFD"],
    ],
    ["a name is beyond ASCII", () => write("日本/é.txt", "x"), ["add 日本/é.txt"]],
    [
      "a hard link is made",
      () => linkSync(at("src/a.ts"), at("same.ts")),
      ["add same.ts", "update src/a.ts"],
    ],
    [
      "only what is left out changes",
      () => {
        for (const place of LEFT_OUT) write(`sub/${place}/x`, "x");
      },
      [],
    ],
    [
      "a place only looks like one that is left out",
      () => {
        write("cache/x", "x");
        write("bundle/x", "x");
        write("src/.gitignore", "x");
      },
      ["add bundle/x", "add cache/x", "add src/.gitignore"],
    ],
  ];

  function swap(a: string, b: string): void {
    renameSync(at(a), at("swap"));
    renameSync(at(b), at(a));
    renameSync(at("swap"), at(b));
  }
  function replaceBy(path: string, make: () => unknown): void {
    unlinkSync(at(path));
    make();
  }

  test.each(table)("%s", async (_name, work, expected) => {
    if (_name.startsWith("what a link leads to")) symlinkSync(outside, at("link"));
    expect(await seenOf(work)).toEqual({ list: expected, total: expected.length, gap: null });
  });

  test("a time that is set back, also of a link, is seen", async () => {
    symlinkSync("a.ts", at("src/link"));
    const long = new Date(1_000_000_000_000);
    const seen = await seenOf(() => {
      utimesSync(at("src/a.ts"), long, long);
      lutimesSync(at("src/link"), long, long);
    });
    expect(seen.list).toEqual(["update src/a.ts", "update src/link"]);
  });

  test("two looks at one project at a time do not disturb each other", async () => {
    const first = await begin();
    write("one", "1");
    const second = await begin();
    write("two", "2");
    const [a, b] = await Promise.all([first.changes(never), second.changes(never)]);
    expect(a.changes.map(({ path }) => path)).toEqual(["one", "two"]);
    expect(b.changes.map(({ path }) => path)).toEqual(["two"]);
  });
});

describe("what cannot be seen is told", () => {
  test("a project that is larger than the limit has a gap and no list", async () => {
    const small = createTreeWatch({ ...LIMITS, maxEntries: 5 });
    expect(await seenOf(() => write("new", "x"), small)).toEqual({ list: [], total: 0, gap: "too_large" });
  });

  test("a project that grows beyond the limit tells what was seen, and that this is not all", async () => {
    const small = createTreeWatch({ ...LIMITS, maxEntries: 50 });
    const seen = await seenOf(() => {
      write("readme.txt", "changed");
      for (let n = 0; n < 100; n++) write(`built/${n}`, "x");
    }, small);
    expect(seen.gap).toBe("too_large");
    expect(seen.list).not.toContain("delete src/a.ts");
  });

  test("a look that has no time has a gap", async () => {
    const hasty = createTreeWatch({ ...LIMITS, lookMs: -1 });
    expect(await seenOf(() => write("new", "x"), hasty)).toEqual({ list: [], total: 0, gap: "too_slow" });
  });

  test("whoever does not want to wait any more gets an answer soon", async () => {
    const tree = createTreeWatch({ ...LIMITS, hurryMs: -1 }).begin(root);
    trees.push(tree);
    await tree.looked;
    write("new", "x");
    expect((await tree.changes(AbortSignal.abort())).gap).toBe("too_slow");
  });

  test("a root that is gone has a gap, and its files do not count as deleted", async () => {
    const seen = await seenOf(() => rmSync(root, { recursive: true }));
    expect(seen).toEqual({ list: [], total: 0, gap: "unreadable" });
    mkdirSync(root);
  });

  test("after release there is nothing to compare with", async () => {
    const tree = await begin();
    tree.release();
    tree.release();
    expect(await tree.changes(never)).toEqual({ changes: [], total: 0, gap: "failed" });
  });

  test("a directory that was or became unreadable is a gap, and nothing in it is made up", async () => {
    write("shut/x", "x");
    const { seteuid } = process;
    if (seteuid === undefined) throw new Error("this test needs users");
    await watch.begin(root).looked; // from here on the thread needs no module that nobody may read
    if (isRoot) execFileSync("chown", ["-R", "65534", root]);
    chmodSync(at("shut"), 0);
    if (isRoot) seteuid(65534);
    try {
      const seen = await seenOf(() => {
        chmodSync(at("shut"), 0o755);
        chmodSync(at("src"), 0);
        write("new", "x");
      });
      expect(seen).toEqual({ list: ["add new"], total: 1, gap: "unreadable" });
      chmodSync(at("src"), 0o600);
      expect((await seenOf(() => write("newer", "x"))).list).toEqual(["add newer"]);
    } finally {
      if (isRoot) seteuid(0);
    }
  });
});

describe("too much", () => {
  test("a few edits come before thousands of built files, all are counted, the list is bounded", async () => {
    const seen = await begin().then(async (tree) => {
      for (let dir = 0; dir < 60; dir++) {
        mkdirSync(at(`aaa/${dir}`), { recursive: true });
        for (let n = 0; n < 500 + dir; n++) writeFileSync(at(`aaa/${dir}/${n}`), "");
      }
      write("src/a.ts", "edited");
      write("zzz/one.ts", "x");
      return tree.changes(never);
    });
    expect(seen.changes).toHaveLength(500);
    expect(seen.changes.slice(0, 3).map(({ path }) => path)).toEqual(["src/a.ts", "zzz/one.ts", "aaa/0/0"]);
    expect(seen).toMatchObject({ total: 60 * 500 + (59 * 60) / 2 + 2, gap: null });
  });

  test("long names do not make a long list", async () => {
    const { list, total } = await seenOf(() => {
      for (let n = 0; n < 400; n++) write(`${"d".repeat(200)}/${n}${"x".repeat(240)}`, "");
    });
    expect(total).toBe(400);
    expect(list.length).toBeGreaterThan(50);
    expect(Buffer.byteLength(list.join(""))).toBeLessThan(70_000);
  });

  test("directories deeper than a path can be are a gap", async () => {
    const seen = await seenOf(() => {
      const deep = `import os
os.chdir(${JSON.stringify(root)})
for n in range(60):
    os.mkdir("d" * 100); os.chdir("d" * 100)
open("bottom", "w").close()`;
      execFileSync("python3", ["-c", deep]);
    });
    expect(seen).toEqual({ list: [], total: 0, gap: "unreadable" });
    execFileSync("rm", ["-rf", join(root, "d".repeat(100))]);
  });

  test("a tree that is torn down and built up during the look breaks nothing", async () => {
    for (let n = 0; n < 300; n++) write(`busy/${n}/file`, "x");
    const tree = await begin();
    const enough = new AbortController();
    const mess = (async () => {
      for (let n = 0; !enough.signal.aborted; n = (n + 1) % 300) {
        rmSync(at(`busy/${n}`), { recursive: true, force: true });
        symlinkSync(outside, at(`busy/${n}`));
        unlinkSync(at(`busy/${n}`));
        write(`busy/${n}/file`, "y");
        if (n % 10 === 0) await sleep(0);
      }
    })();
    writeFileSync(join(outside, "private.txt"), "x");
    const seen = await tree.changes(never);
    enough.abort();
    await mess;
    expect(seen.changes.every(({ path }) => /^busy\/\d+(\/file)?$/.test(path))).toBe(true);
    expect(existsSync(at("readme.txt"))).toBe(true);
  });
});
