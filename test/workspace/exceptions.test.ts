import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  applyExceptions,
  hashContent,
  readExceptions,
  writeExceptions,
  type SecretException,
} from "../../src/workspace/exceptions.ts";
import type { ScanFinding } from "../../src/workspace/scan.ts";

const NOW = Date.UTC(2026, 10, 20);
let base = "";
let root = "";
let list = "";

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "exceptions-")));
  root = join(base, "project");
  mkdirSync(join(root, "test"), { recursive: true });
  writeFileSync(join(root, "test/key.pem"), "public test key\n");
  mkdirSync(join(base, "config"), { mode: 0o700 });
  list = join(base, "config", "allow.json");
});

afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

function finding(more: Partial<ScanFinding> = {}): ScanFinding {
  return { path: "test/key.pem", kind: "private-key", verdict: "block", reason: "content", ...more };
}

async function exception(more: Partial<SecretException> = {}): Promise<SecretException> {
  const path = more.path ?? "test/key.pem";
  return {
    root,
    path,
    kinds: ["private-key"],
    sha256: (await hashContent(root, path)) ?? "0".repeat(64),
    reason: "public test key",
    by: "me",
    madeAt: "2026-11-01T00:00:00.000Z",
    expiresAt: "2027-01-31T23:59:59.999Z",
    ...more,
  };
}

describe("applyExceptions", () => {
  it("judges what was read where that is told, not what lies there by now", async () => {
    const other = async (): Promise<string> => "0".repeat(64);
    expect(await applyExceptions(root, [finding()], [await exception()], NOW, other)).toEqual([finding()]);
    expect(await applyExceptions(root, [finding()], [await exception()], NOW)).toEqual([]);
  });

  it("takes off the finding that the owner excepted, and no other", async () => {
    const other = finding({ path: "other.pem" });
    expect(await applyExceptions(root, [finding(), other], [await exception()], NOW)).toEqual([other]);
    expect(await applyExceptions(root, [finding(), other], [], NOW)).toEqual([finding(), other]);
  });

  it.each<[string, () => void | Partial<SecretException> | Promise<Partial<SecretException>>]>([
    ["the file changed", () => writeFileSync(join(root, "test/key.pem"), "another key\n")],
    ["the file grew", () => writeFileSync(join(root, "test/key.pem"), "public test key\nmore\n")],
    ["the file is gone", () => rmSync(join(root, "test/key.pem"))],
    [
      "a link to the same content is in its place",
      () => {
        writeFileSync(join(root, "copy"), "public test key\n");
        rmSync(join(root, "test/key.pem"));
        symlinkSync("../copy", join(root, "test/key.pem"));
      },
    ],
    [
      "its directory became a link",
      () => {
        mkdirSync(join(root, "elsewhere"));
        writeFileSync(join(root, "elsewhere/key.pem"), "public test key\n");
        rmSync(join(root, "test"), { recursive: true });
        symlinkSync("elsewhere", join(root, "test"));
      },
    ],
    [
      "a directory is in its place",
      () => {
        rmSync(join(root, "test/key.pem"));
        mkdirSync(join(root, "test/key.pem"));
      },
    ],
    ["it has grown beyond 64 MiB", () => truncateSync(join(root, "test/key.pem"), 64 * 1024 * 1024 + 1)],
    ["the exception has expired", () => ({ expiresAt: "2026-11-20T00:00:00.000Z" })],
    ["it is for another project", () => ({ root: `${root}2` })],
    ["it is for another kind of secret", () => ({ kinds: ["aws"] })],
    ["its path is a pattern", () => ({ path: "test/*.pem" })],
    ["its path is the directory", () => ({ path: "test" })],
    ["its path is written in another way", () => ({ path: "test/../test/key.pem" })],
  ])("blocks when %s", async (_name, change) => {
    const made = await exception();
    const changed = await change();
    const left = await applyExceptions(root, [finding()], [{ ...made, ...changed }], NOW);
    expect(left).toEqual([finding()]);
  });

  it("blocks a link whatever the exceptions say", async () => {
    const link = finding({ reason: "link" });
    expect(await applyExceptions(root, [link], [await exception()], NOW)).toEqual([link]);
  });

  it("holds for each kind that the owner was shown, and not for a new one in the same file", async () => {
    const kinds: ScanFinding["kind"][] = ["private-key", "aws"];
    const findings = [...kinds, "github" as const].map((kind) => finding({ kind }));
    const left = await applyExceptions(root, findings, [await exception({ kinds })], NOW);
    expect(left).toEqual([finding({ kind: "github" })]);
  });

  it("takes the one exception of several that fits", async () => {
    const old = await exception({ sha256: "1".repeat(64) });
    expect(await applyExceptions(root, [finding()], [old, await exception()], NOW)).toEqual([]);
  });
});

describe("the list of exceptions", () => {
  it("comes back as it was kept, for the owner's eyes alone, leaving nothing beside it", async () => {
    const made = await exception();
    rmSync(join(base, "config"), { recursive: true });
    await writeExceptions(list, [made]);
    await writeExceptions(list, [made, { ...made, path: "b" }]);
    expect(statSync(list).mode & 0o777).toBe(0o600);
    expect(statSync(join(base, "config")).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(base, "config"))).toEqual(["allow.json"]);
    expect(await readExceptions(list, [root])).toEqual({ ok: true, value: [made, { ...made, path: "b" }] });
    expect(JSON.parse(readFileSync(list, "utf8"))).toMatchObject({ version: 1 });
  });

  it("is empty where there is none", async () => {
    expect(await readExceptions(list, [root])).toEqual({ ok: true, value: [] });
    expect(await readExceptions(join(base, "no/where/allow.json"), [root])).toEqual({ ok: true, value: [] });
  });

  it("is not written half: what cannot be kept leaves the old one", async () => {
    await writeExceptions(list, [await exception()]);
    const before = readFileSync(list, "utf8");
    await expect(writeExceptions(list, [await exception({ reason: "two\nlines" })])).rejects.toThrow(
      "Invalid",
    );
    expect(readFileSync(list, "utf8")).toBe(before);
  });

  it.each<[string, () => unknown]>([
    ["others can write it", () => chmodSync(list, 0o620)],
    ["others can write to its directory", () => chmodSync(join(base, "config"), 0o777)],
    ["it has another name too", () => linkSync(list, join(base, "config", "other"))],
    ["it is no JSON", () => writeFileSync(list, "{")],
    ["its version is unknown", () => writeFileSync(list, `{"version":2,"exceptions":[]}`)],
    [
      "it says more than this version knows",
      () => writeFileSync(list, `{"version":1,"exceptions":[],"all":true}`),
    ],
    ["it is too large", () => truncateSync(list, 9 * 1024 * 1024)],
    [
      "it is a link",
      () => {
        rmSync(list);
        symlinkSync("elsewhere", list);
      },
    ],
    [
      "it is a directory",
      () => {
        rmSync(list);
        mkdirSync(list);
      },
    ],
  ])("is refused when %s", async (_name, change) => {
    await writeExceptions(list, [await exception()]);
    change();
    expect(await readExceptions(list, [root])).toMatchObject({ ok: false });
  });

  it("is refused inside a project, also behind a link", async () => {
    const inside = join(root, "config", "allow.json");
    expect(await readExceptions(inside, [root])).toMatchObject({ ok: false });
    await writeExceptions(inside, []);
    symlinkSync(join(root, "config"), join(base, "looks-fine"));
    const behind = join(base, "looks-fine", "allow.json");
    expect(await readExceptions(behind, [root])).toMatchObject({
      ok: false,
      failure: expect.stringContaining("inside a project") as string,
    });
  });
});
