import { describe, expect, test } from "vitest";
import {
  countDiffLines,
  createFileChanges,
  toProjectPath,
  type RawFileChange,
} from "../../src/codex/diff.ts";

describe("counting", () => {
  test.each([
    { name: "nothing", diff: "", counts: [0, 0] },
    { name: "one hunk", diff: "@@ -1,2 +1,2 @@\n a\n-b\n+c\n", counts: [1, 1] },
    { name: "headers", diff: "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-b\n+c\n", counts: [1, 1] },
    {
      name: "two files",
      diff:
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-b\n+c\n" +
        "diff --git a/y b/y\n--- a/y\n+++ b/y\n@@ -0,0 +1 @@\n+d\n",
      counts: [2, 1],
    },
    {
      name: "lines that look like headers",
      diff: "@@ -1,2 +1,2 @@\n--- sql comment\n+++ more\n",
      counts: [1, 1],
    },
    {
      name: "no newline at the end",
      diff: "@@ -1 +1 @@\n-b\n\\ No newline at end of file\n+c",
      counts: [1, 1],
    },
    { name: "no diff at all", diff: "+ not a diff\n- at all", counts: [0, 0] },
  ])("$name", ({ diff, counts }) => {
    expect(countDiffLines(diff)).toEqual({ additions: counts[0], deletions: counts[1] });
  });
});

describe("the changes of a turn", () => {
  const change = (fields: Partial<RawFileChange>): RawFileChange => ({
    path: "/srv/app/a.txt",
    kind: "update",
    movePath: null,
    diff: "",
    ...fields,
  });
  const update = change({ diff: "@@ -1 +1,2 @@\n-a\n+b\n+c\n" });
  const add = change({ kind: "add", diff: "one\ntwo\n" });
  const remove = change({ kind: "delete", diff: "one\ntwo" });

  const merge = (raw: readonly RawFileChange[]) => {
    const changes = createFileChanges("/srv/app");
    for (const one of raw) changes.add(one);
    return changes.all();
  };

  test.each<{ name: string; raw: RawFileChange[]; merged: object[] }>([
    { name: "none", raw: [], merged: [] },
    {
      name: "an update",
      raw: [update],
      merged: [{ path: "a.txt", kind: "update", additions: 2, deletions: 1 }],
    },
    {
      name: "an added file",
      raw: [add],
      merged: [{ path: "a.txt", kind: "add", additions: 2, deletions: 0 }],
    },
    {
      name: "an empty file",
      raw: [change({ kind: "add" })],
      merged: [{ path: "a.txt", kind: "add", additions: 0, deletions: 0 }],
    },
    {
      name: "a deleted file",
      raw: [remove],
      merged: [{ path: "a.txt", kind: "delete", additions: 0, deletions: 2 }],
    },
    {
      name: "added, then changed",
      raw: [add, update],
      merged: [{ path: "a.txt", kind: "add", additions: 4, deletions: 1 }],
    },
    {
      name: "changed, then deleted",
      raw: [update, remove],
      merged: [{ path: "a.txt", kind: "delete", additions: 2, deletions: 3 }],
    },
    {
      name: "deleted, then added again",
      raw: [remove, add],
      merged: [{ path: "a.txt", kind: "update", additions: 2, deletions: 2 }],
    },
    {
      name: "moved",
      raw: [change({ movePath: "/srv/app/b/c.txt", diff: "@@ -1 +1 @@\n-a\n+b\n" })],
      merged: [{ path: "b/c.txt", kind: "update", additions: 1, deletions: 1, movedFrom: "a.txt" }],
    },
    {
      name: "moved twice",
      raw: [
        change({ movePath: "/srv/app/b.txt" }),
        change({ path: "/srv/app/b.txt", movePath: "/srv/app/c.txt" }),
        change({ path: "/srv/app/c.txt" }),
      ],
      merged: [{ path: "c.txt", kind: "update", movedFrom: "a.txt" }],
    },
    {
      name: "added, then moved: one new file",
      raw: [add, change({ movePath: "/srv/app/b.txt" })],
      merged: [{ path: "b.txt", kind: "add", additions: 2, deletions: 0 }],
    },
    {
      name: "a kind that nobody knows counts as an update",
      raw: [change({ kind: "rewrite" })],
      merged: [{ path: "a.txt", kind: "update" }],
    },
  ])("$name", ({ raw, merged }) => {
    expect(merge(raw)).toMatchObject(merged);
  });

  test("a file that is moved there and back was not moved", () => {
    const there = change({ movePath: "/srv/app/b.txt" });
    const back = change({ path: "/srv/app/b.txt", movePath: "/srv/app/a.txt" });
    expect(merge([there, back])).toEqual([{ path: "a.txt", kind: "update", additions: 0, deletions: 0 }]);
  });

  test("come in the order in which files were first touched", () => {
    const raw = ["b", "a", "b", "c"].map((name) => change({ path: `/srv/app/${name}` }));
    expect(merge(raw).map(({ path }) => path)).toEqual(["b", "a", "c"]);
  });
});

describe("a path as a caller sees it", () => {
  test.each([
    ["/srv/app/src/a.ts", "src/a.ts"],
    ["src/a.ts", "src/a.ts"],
    ["/srv/app/..hidden/a", "..hidden/a"],
    ["/srv/app", ""],
    ["/srv/app-evil/a.ts", "a.ts"],
    ["/etc/passwd", "passwd"],
    ["../../etc/passwd", "passwd"],
    ["/srv/app/../../etc/passwd", "passwd"],
  ])("%s is %s", (path, shown) => {
    expect(toProjectPath("/srv/app", path)).toBe(shown);
  });
});
