import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { trustPath } from "../../src/cli/trusted-path.ts";

let base = "";
beforeAll(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "trusted-path-")));
  for (const name of ["app/bin", "app-tools", "real"]) mkdirSync(join(base, name), { recursive: true });
  symlinkSync(join(base, "app", "bin"), join(base, "into"));
  symlinkSync(join(base, "app"), join(base, "alias"));
});
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});

describe("PATH as the bridge uses it", () => {
  const attacks: readonly { name: string; directory: () => string; isUsed: boolean }[] = [
    { name: "the project itself", directory: () => join(base, "app"), isUsed: false },
    { name: "a directory inside the project", directory: () => join(base, "app", "bin"), isUsed: false },
    { name: "one that is not there yet", directory: () => join(base, "app", "later"), isUsed: false },
    { name: "a way around into the project", directory: () => `${base}/real/../app/bin`, isUsed: false },
    { name: "a link into the project", directory: () => join(base, "into"), isUsed: false },
    { name: "the project by a link", directory: () => join(base, "alias", "bin"), isUsed: false },
    { name: "the current directory", directory: () => ".", isUsed: false },
    { name: "a relative directory", directory: () => "bin", isUsed: false },
    { name: "an empty part", directory: () => "", isUsed: false },
    { name: "a neighbour whose name begins alike", directory: () => join(base, "app-tools"), isUsed: true },
    { name: "a directory elsewhere", directory: () => "/usr/bin", isUsed: true },
  ];

  it.each(attacks)("$name: used is $isUsed", async ({ directory, isUsed }) => {
    const path = `/bin:${directory()}:/sbin`;
    const { environment, leftOut } = await trustPath({ PATH: path, HOME: base }, [join(base, "alias")]);
    expect(environment).toEqual({ PATH: isUsed ? path : "/bin:/sbin", HOME: base });
    expect(leftOut).toEqual(isUsed ? [] : [directory()]);
  });

  // An empty PATH means the current directory to whoever looks up a program with it, which may be a project.
  it.each(["", ".", ":", "app/bin"])("is no PATH at all where nothing is left of '%s'", async (path) => {
    const { environment, leftOut } = await trustPath({ PATH: path, HOME: base }, [base]);
    expect(environment).toStrictEqual({ HOME: base });
    expect(leftOut).toEqual(path === "" ? [] : path.split(":"));
  });

  it("is left as it is where there is none", async () => {
    expect(await trustPath({ HOME: base }, [base])).toEqual({ environment: { HOME: base }, leftOut: [] });
  });
});
