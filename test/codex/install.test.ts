import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CODEX_IN_PROJECT, findCodex } from "../../src/codex/install.ts";

let scratch: string;
beforeEach(async () => {
  scratch = await realpath(await mkdtemp(join(tmpdir(), "install-")));
});
afterEach(async () => {
  await rm(scratch, { recursive: true, force: true });
});

/** A program that answers like Codex. */
async function codexAt(path: string, version = "0.169.0", mode = 0o755, helps = true): Promise<string> {
  const file = join(scratch, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(
    file,
    `#!/bin/sh
case "$1" in
  --version) echo "codex-cli ${version}" ;;
  help) exit ${helps ? 0 : 1} ;;
  *) exit 9 ;;
esac
`,
  );
  await chmod(file, mode);
  return file;
}

interface Options {
  codex?: string;
  skipUnder?: string;
  project?: string;
}

async function find(path: readonly string[], options: Options = {}) {
  const { project } = options;
  return findCodex({
    codex: options.codex ?? "codex",
    path: path
      .map((directory) => (directory.startsWith("/") ? directory : join(scratch, directory)))
      .join(":"),
    env: {},
    skipUnder: options.skipUnder ?? null,
    isInProject: (real) => project !== undefined && real.startsWith(`${join(scratch, project)}/`),
  });
}

const found = (command: string, fields: object = {}) => ({
  ok: true,
  value: expect.objectContaining({ command, ...fields }),
});
const refused = (code: string) => ({ ok: false, failure: expect.objectContaining({ code }) });

describe("on PATH", () => {
  test("the first directory that has it wins", async () => {
    await codexAt("b/codex", "0.160.0");
    const second = await codexAt("a/codex", "0.169.0");
    expect(await find(["missing", "a", "b"])).toEqual(found(second, { version: "0.169.0" }));
  });

  test("the project's own node_modules is skipped, another's is not", async () => {
    await codexAt("own/node_modules/.bin/codex");
    const global = await codexAt("global/node_modules/.bin/codex");
    const path = ["own/node_modules/.bin", "global/node_modules/.bin"];
    expect(await find(path, { skipUnder: join(scratch, "own") })).toEqual(found(global));
    expect(await find(path, { skipUnder: `${join(scratch, "own")}/` })).toEqual(found(global));
    expect(await find(["own/node_modules/.bin"], { skipUnder: join(scratch, "own") })).toEqual(
      refused("codex_not_found"),
    );
    expect(await find(path)).toEqual(found(join(scratch, "own/node_modules/.bin/codex")));
  });

  test("a link that leads into a project is passed over, and refused where there is no other", async () => {
    const planted = await codexAt("project/node_modules/.bin/codex");
    await mkdir(join(scratch, "own"));
    await symlink(planted, join(scratch, "own/codex"));
    const good = await codexAt("good/codex");
    expect(await find(["own", "good"], { project: "project" })).toEqual(found(good));
    expect(await find(["own"], { project: "project" })).toEqual({
      ok: false,
      failure: { code: "codex_unsupported", reason: CODEX_IN_PROJECT },
    });
    expect(await find([], { codex: join(scratch, "own/codex"), project: "project" })).toEqual(
      refused("codex_unsupported"),
    );
  });

  test("a link to a global or linked package outside the projects goes on working", async () => {
    const real = await codexAt("lib/node_modules/@openai/codex/bin/codex");
    await mkdir(join(scratch, "own"));
    await symlink(real, join(scratch, "own/codex"));
    expect(await find(["own"], { project: "project" })).toEqual(found(real));
  });

  test("what cannot be run is passed over: a plain file, a directory, a link to nowhere", async () => {
    await codexAt("plain/codex", "0.169.0", 0o644);
    await mkdir(join(scratch, "directory/codex"), { recursive: true });
    await mkdir(join(scratch, "dangling"));
    await symlink(join(scratch, "nowhere"), join(scratch, "dangling/codex"));
    const good = await codexAt("good/codex");
    expect(await find(["plain", "directory", "dangling", "good"])).toEqual(found(good));
  });

  test("relative and empty directories are passed over", async () => {
    const good = await codexAt("good/codex");
    const path = `:.:relative/bin:${join(scratch, "good")}`;
    expect(
      await findCodex({ codex: "codex", path, env: {}, skipUnder: null, isInProject: () => false }),
    ).toEqual(found(good));
    expect(
      await findCodex({ codex: "codex", path: "", env: {}, skipUnder: null, isInProject: () => false }),
    ).toEqual(refused("codex_not_found"));
  });

  test("a link is followed to the program itself", async () => {
    const real = await codexAt("real/bin/codex");
    await mkdir(join(scratch, "links"));
    await symlink(real, join(scratch, "links/codex"));
    expect(await find(["links"])).toEqual(found(real, { programDirectories: [dirname(real)] }));
  });
});

describe("by the owner's setting", () => {
  test("a path is taken as it is, without a look at PATH", async () => {
    await codexAt("a/codex");
    const own = await codexAt("own/my-codex");
    expect(await find(["a"], { codex: own })).toEqual(found(own));
    expect(await find(["a"], { codex: join(scratch, "missing") })).toEqual(refused("codex_not_found"));
  });

  test("another name is looked up on PATH", async () => {
    const own = await codexAt("a/codex-nightly");
    expect(await find(["a"], { codex: "codex-nightly" })).toEqual(found(own));
  });
});

describe("the version", () => {
  test.each([
    { said: "0.169.0", result: { version: "0.169.0" } },
    { said: "0.153.0", result: { version: "0.153.0" } },
    { said: "0.170.0-alpha.3", result: { version: "0.170.0-alpha.3" } },
    { said: "1.0.0 (abcdef)", result: { version: "1.0.0" } },
  ])("$said is fine", async ({ said, result }) => {
    expect(await find([dirname(await codexAt("a/codex", said))])).toEqual(
      found(join(scratch, "a/codex"), result),
    );
  });

  test.each(["0.152.9", "0.9.999", "0.0.1", "no number", ""])("%j is unsupported", async (said) => {
    expect(await find([dirname(await codexAt("a/codex", said))])).toEqual(refused("codex_unsupported"));
  });

  test("of a program that fails is unsupported", async () => {
    const file = await codexAt("a/codex");
    await writeFile(file, "#!/bin/sh\nexit 1\n");
    expect(await find(["a"])).toEqual(refused("codex_unsupported"));
  });
});

test("whether there is an mcp-server is what Codex's own help says", async () => {
  await codexAt("old/codex", "0.153.4");
  await codexAt("new/codex", "0.169.0", 0o755, false);
  expect(await find(["old"])).toEqual(found(join(scratch, "old/codex"), { hasMcpServer: true }));
  expect(await find(["new"])).toEqual(found(join(scratch, "new/codex"), { hasMcpServer: false }));
});

test("the search tool that Codex brings along may be run inside the confinement", async () => {
  const command = await codexAt("vendor/bin/codex");
  await mkdir(join(scratch, "vendor/codex-path"));
  expect(await find(["vendor/bin"])).toEqual(
    found(command, { programDirectories: [join(scratch, "vendor/bin"), join(scratch, "vendor/codex-path")] }),
  );
});
