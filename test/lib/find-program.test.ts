import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { projectPlaces } from "../../src/cli/trusted-path.ts";
import { findTrustedProgram } from "../../src/lib/find-program.ts";

let base = "";
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "find-program-")));
  for (const name of ["own", "other", "app/bin", "elsewhere"])
    mkdirSync(join(base, name), { recursive: true });
  symlinkSync(join(base, "app"), join(base, "alias"));
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

function program(path: string): string {
  mkdirSync(dirname(join(base, path)), { recursive: true });
  writeFileSync(join(base, path), "#!/bin/sh\n", { mode: 0o755 });
  return join(base, path);
}

/** `app` is the project, named by a link. */
async function find(command = "tool") {
  const path = [join(base, "own"), join(base, "other")].join(":");
  return findTrustedProgram(command, path, await projectPlaces([{ path: join(base, "alias") }]));
}

test("a link that leads into a project is passed over for the next one on PATH", async () => {
  symlinkSync(program("app/bin/tool"), join(base, "own/tool"));
  const good = program("other/tool");
  expect(await find()).toEqual({ ok: true, value: good });
});

test("where there is no other, it is said; also for one that is named by its path", async () => {
  symlinkSync(program("app/bin/tool"), join(base, "own/tool"));
  expect(await find()).toEqual({ ok: false, failure: "in_project" });
  expect(await find(join(base, "own/tool"))).toEqual({ ok: false, failure: "in_project" });
});

test("a chain of links is followed to its end", async () => {
  program("app/bin/tool");
  symlinkSync(join(base, "alias/bin/tool"), join(base, "elsewhere/tool"));
  symlinkSync(join(base, "elsewhere/tool"), join(base, "own/tool"));
  expect(await find()).toEqual({ ok: false, failure: "in_project" });
});

test("a link to a package outside the projects is used as it stands", async () => {
  symlinkSync(program("elsewhere/lib/node_modules/tool/bin/tool.js"), join(base, "own/tool"));
  expect(await find()).toEqual({ ok: true, value: join(base, "own/tool") });
});

test("what is not there is missing", async () => {
  expect(await find()).toEqual({ ok: false, failure: "missing" });
});
