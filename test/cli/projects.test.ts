import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { identifyProjects, judgePlaces, recheckGrant } from "../../src/cli/projects.ts";
import { loadConfig, type Config } from "../../src/config/load.ts";
import { toEnvironmentName } from "../../src/config/names.ts";
import type { ScanVerdict } from "../../src/policy/decide.ts";
import { grantFor, grantForTest, identityOf } from "../support/grant.ts";

let scratch: string;
beforeEach(async () => {
  scratch = await realpath(await mkdtemp(join(tmpdir(), "projects-")));
  await mkdir(join(scratch, "app", "sub"), { recursive: true });
});
afterEach(async () => {
  await rm(scratch, { recursive: true });
});

const clean = async (): Promise<ScanVerdict> => ({ kind: "clean" });
const never = async (): Promise<ScanVerdict> => Promise.reject(new Error("not asked for"));

describe("right before a turn", () => {
  test("an untouched project is worked in, without a second look when nothing was waited for", async () => {
    expect(await recheckGrant(await grantFor(join(scratch, "app")), 10, never)).toBeNull();
  });

  test("a root that was replaced since is not", async () => {
    const grant = await grantFor(join(scratch, "app"));
    await rename(join(scratch, "app"), join(scratch, "old"));
    await symlink("/etc", join(scratch, "app"));
    expect(await recheckGrant(grant, 0, clean)).toEqual({ code: "cwd_not_allowed" });
  });

  test("a working directory that was replaced by another of the same name is not", async () => {
    const cwd = await identityOf(join(scratch, "app", "sub"));
    const grant = await grantFor(join(scratch, "app"), { cwd });
    await rename(join(scratch, "app", "sub"), join(scratch, "app", "old"));
    await mkdir(join(scratch, "app", "sub"));
    expect(await recheckGrant(grant, 0, clean)).toEqual({ code: "cwd_not_allowed" });
  });

  test("a secret that came while the job waited stops it, unless the grant hides it", async () => {
    const grant = await grantFor(join(scratch, "app"));
    const found: ScanVerdict = { kind: "secrets", kinds: { dotenv: 1 }, more: false, paths: ["sub/.env"] };
    expect(await recheckGrant(grant, 5_000, async () => found)).toMatchObject({ code: "secrets_found" });
    const hiding = grantForTest({ ...grant, deniedPaths: [join(scratch, "app", "sub")] });
    expect(await recheckGrant(hiding, 5_000, async () => found)).toBeNull();
    const incomplete: ScanVerdict = { kind: "incomplete", reason: "deadline" };
    expect(await recheckGrant(hiding, 5_000, async () => incomplete)).toMatchObject({
      code: "scan_incomplete",
    });
  });
});

describe("places", () => {
  async function configWith(stateDir: string): Promise<Config> {
    const config = await loadConfig({
      flags: { root: join(scratch, "app"), "state-dir": stateDir },
      environment: { HOME: scratch },
      cwd: scratch,
      readFile: async () => null,
    });
    if (!config.ok) throw new Error(JSON.stringify(config.failure));
    return config.value;
  }

  test("a state directory that a link leads into a project is told", async () => {
    await symlink(join(scratch, "app", "sub"), join(scratch, "state"));
    const root = await identityOf(join(scratch, "app"));
    const project = { name: "app", root, write: null, secrets: "refuse", model: null, effort: null } as const;
    const problems = await judgePlaces(await configWith(join(scratch, "state")), [project], {
      HOME: scratch,
    });
    expect(problems).toEqual([expect.objectContaining({ setting: "the state directory" })]);
    expect(
      await judgePlaces(await configWith(join(scratch, "elsewhere")), [project], { HOME: scratch }),
    ).toEqual([]);
  });

  test.each([
    { what: "Codex's own directory", environment: { CODEX_HOME: "app/codex" }, told: "Codex" },
    { what: "Codex's own directory by default", environment: { HOME: "app" }, told: "Codex" },
    {
      what: "the directory of a config file that is not there yet",
      environment: { XDG_CONFIG_HOME: "app/sub" },
      told: "config",
    },
    { what: "the compiled modules", environment: { XDG_CACHE_HOME: "app/sub" }, told: "cache" },
    { what: "Codex's own directory behind a link", environment: { CODEX_HOME: "link" }, told: "Codex" },
  ])("$what in a project is told: what is written there steers Codex or the bridge", async (row) => {
    await symlink(join(scratch, "app", "sub"), join(scratch, "link"));
    const environment = Object.fromEntries(
      Object.entries({ HOME: "home", ...row.environment }).map(([name, path]) => [name, join(scratch, path)]),
    );
    const root = await identityOf(join(scratch, "app"));
    const project = { name: "app", root, write: null, secrets: "off", model: null, effort: null } as const;
    const problems = await judgePlaces(await configWith(join(scratch, "elsewhere")), [project], environment);
    expect(problems.map(({ setting }) => setting)).toContainEqual(expect.stringContaining(row.told));
  });

  test.each(["codex", "tunnelClient", "cloudflared"] as const)(
    "a program that is named by a path into a project is told: %s",
    async (name) => {
      const root = await identityOf(join(scratch, "app"));
      const project = { name: "app", root, write: null, secrets: "off", model: null, effort: null } as const;
      const config = await configWith(join(scratch, "elsewhere"));
      await writeFile(join(scratch, "app", "program"), "", { mode: 0o755 });
      await symlink(join(scratch, "app", "program"), join(scratch, "link"));
      await symlink("/usr/bin/env", join(scratch, "app", "way-out"));
      const toldOf = async (path: string) =>
        judgePlaces({ ...config, [name]: path }, [project], { HOME: scratch });
      for (const path of ["app/program", "link", "app/way-out"].map((part) => join(scratch, part))) {
        expect(await toldOf(path)).toEqual([expect.objectContaining({ setting: toEnvironmentName(name) })]);
      }
      for (const path of ["program", "/usr/bin/program"]) expect(await toldOf(path)).toEqual([]);
    },
  );

  test("a project whose own path Codex would read as a pattern is told", async () => {
    await mkdir(join(scratch, "[app]"));
    const config = await configWith(join(scratch, "elsewhere"));
    const made = await identifyProjects({
      ...config,
      projects: [{ name: "app", path: join(scratch, "[app]") }],
    });
    expect(made).toMatchObject({ ok: false, failure: [{ setting: "project app" }] });
  });
});
