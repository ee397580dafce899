import { userInfo } from "node:os";
import { describe, expect, test } from "vitest";
import { loadConfig, type Config, type ConfigProblem } from "../../src/config/load.ts";

const TOKEN = "a-token-of-at-least-32-characters-000";
const FILE = "/home/owner/.config/codex-gpt-bridge/config.toml";

interface Given {
  readonly flags?: Readonly<Record<string, string | boolean>>;
  /** Without the prefix. */
  readonly env?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, { text: string; mode?: number; isForeign?: boolean } | Error>>;
  readonly file?: string;
}

async function load(given: Given) {
  const files: Given["files"] = {
    ...(given.file === undefined ? {} : { [FILE]: { text: given.file } }),
    ...given.files,
  };
  const own = Object.entries(given.env ?? {}).map(([name, value]) => [`CODEX_GPT_BRIDGE_${name}`, value]);
  return loadConfig({
    flags: given.flags ?? {},
    environment: { HOME: "/home/owner", ...Object.fromEntries(own), ...given.environment },
    cwd: "/srv/here",
    async readFile(path) {
      const file = files[path];
      if (file instanceof Error) throw file;
      return file === undefined ? null : { mode: 0o100600, ...file };
    },
  });
}

async function configOf(given: Given): Promise<Config> {
  const loaded = await load(given);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure));
  return loaded.value;
}

/** What was wrong, one line for each. */
async function problemsOf(given: Given): Promise<string[]> {
  const loaded = await load(given);
  const problems: ConfigProblem[] = loaded.ok ? [] : loaded.failure;
  return problems.map(({ setting, problem }) => `${setting}: ${problem}`);
}

describe("where a setting comes from", () => {
  test.each<{ name: string; given: Given; port: number }>([
    { name: "nothing: the default", given: {}, port: 8765 },
    { name: "the file", given: { file: "port = 1" }, port: 1 },
    { name: "the environment before the file", given: { file: "port = 1", env: { PORT: "2" } }, port: 2 },
    {
      name: "a flag before both",
      given: { file: "port = 1", env: { PORT: "2" }, flags: { port: "3" } },
      port: 3,
    },
    {
      name: "the file, where the variable is empty",
      given: { file: "port = 1", env: { PORT: "" } },
      port: 1,
    },
  ])("$name", async ({ given, port }) => {
    expect((await configOf(given)).port).toBe(port);
  });

  test("the config file is found by flag, by environment, in the XDG home and in ~/.config", async () => {
    const files = {
      "/etc/a.toml": { text: "port = 1" },
      "/etc/b.toml": { text: "port = 2" },
      "/xdg/codex-gpt-bridge/config.toml": { text: "port = 3" },
      [FILE]: { text: "port = 4" },
      "/srv/here/c.toml": { text: "port = 5" },
    };
    const environment = { XDG_CONFIG_HOME: "/xdg" };
    const roots = { ROOTS: "/srv/app" };
    const found = async (given: Given) =>
      (await configOf({ ...given, files, env: { ...roots, ...given.env } })).port;
    expect(await found({ flags: { config: "/etc/a.toml" }, env: { CONFIG: "/etc/b.toml" } })).toBe(1);
    expect(await found({ env: { CONFIG: "/etc/b.toml" }, environment })).toBe(2);
    expect(await found({ environment })).toBe(3);
    expect(await found({ environment: { XDG_CONFIG_HOME: "relative" } })).toBe(4);
    expect(await found({ flags: { config: "c.toml" } })).toBe(5);
  });

  test("state lies in the XDG state home, else below ~/.local/state", async () => {
    expect((await configOf({})).stateDir).toBe("/home/owner/.local/state/codex-gpt-bridge");
    expect((await configOf({ environment: { XDG_STATE_HOME: "/state" } })).stateDir).toBe(
      "/state/codex-gpt-bridge",
    );
    expect((await configOf({ env: { STATE_DIR: "/elsewhere" } })).stateDir).toBe("/elsewhere");
  });
});

describe("values", () => {
  test.each<{ env: Record<string, string>; config: Partial<Config> }>([
    { env: { NETWORK: "1" }, config: { network: true } },
    { env: { NETWORK: "true" }, config: { network: true } },
    { env: { NETWORK: " On " }, config: { network: true } },
    { env: { NETWORK: "0" }, config: { network: false } },
    { env: { NETWORK: "no" }, config: { network: false } },
    { env: { MODELS: " a , b,,c " }, config: { models: ["a", "b", "c"] } },
    { env: { MODELS: "," }, config: { models: [] } },
    { env: { ALLOWED_HOSTS: "x.example" }, config: { allowedHosts: ["x.example"] } },
    { env: { PORT: " 9000 " }, config: { port: 9000 } },
    { env: { PORT: "0" }, config: { port: 0 } },
    { env: { HOST: " ::1 " }, config: { host: "::1" } },
    { env: { DISABLE_SECRET_SCAN: "1" }, config: { secrets: "off" } },
    { env: { DISABLE_SECRET_SCAN: "1", SECRETS: "mask" }, config: { secrets: "off" } },
    { env: { SECRETS: "mask" }, config: { secrets: "mask" } },
    { env: { TOKEN: TOKEN }, config: { token: TOKEN } },
    { env: { FAST_RETURN_MS: "100" }, config: { fastReturnMs: 100 } },
    { env: { FAST_RETURN_MS: "25000" }, config: { fastReturnMs: 25_000 } },
    { env: { UPSTREAM_TIMEOUT_MS: "86400000" }, config: { upstreamTimeoutMs: 86_400_000 } },
    { env: { QUEUE: "0", MAX_CONCURRENT: "1" }, config: { queue: 0, maxConcurrent: 1 } },
  ])("$env is taken as $config", async ({ env, config }) => {
    expect(await configOf({ env })).toMatchObject(config);
  });

  test("the file may give TOML's own types", async () => {
    const file = 'network = true\nmodels = ["a", "b"]\nqueue = 3\nfast_return_ms = 500\n';
    expect(await configOf({ file })).toMatchObject({
      network: true,
      models: ["a", "b"],
      queue: 3,
      fastReturnMs: 500,
      configFile: FILE,
    });
  });

  test.each([
    ["PORT", "65536", "may be at most 65535"],
    ["PORT", "-1", "has to be a whole number"],
    ["PORT", "80.5", "has to be a whole number"],
    ["PORT", "http", "has to be a whole number"],
    ["PORT", "0x50", "has to be a whole number"],
    ["FAST_RETURN_MS", "99", "has to be at least 100"],
    ["FAST_RETURN_MS", "25001", "may be at most 25000"],
    ["UPSTREAM_TIMEOUT_MS", "86400001", "may be at most 86400000"],
    ["MODEL_SILENCE_MS", "999", "has to be at least 1000"],
    ["SCAN_DEADLINE_MS", "20001", "may be at most 20000"],
    ["MAX_CONCURRENT", "0", "has to be at least 1"],
    ["MAX_CONCURRENT", "101", "may be at most 100"],
    ["QUEUE", "1001", "may be at most 1000"],
    ["MAX_CONNECTIONS", "0", "has to be at least 1"],
    ["ALLOW_WRITE", "maybe", "has to be 1 or 0"],
    ["TOKEN", "a".repeat(31), "has to have at least 32 characters"],
    ["HEADER_SECRET", "short", "has to have at least 32 characters"],
    ["DEFAULT_SANDBOX", "danger-full-access", "has to be one of: read-only, workspace-write"],
    ["APPROVAL_POLICY", "on-failure", "has to be one of: never, on-request, untrusted"],
    ["SECRETS", "ignore", "has to be one of: refuse, mask, off"],
    ["CONFINEMENT", "off", "has to be one of: required, best-effort"],
    ["HOST", " ", "must not be empty"],
    ["BACKEND", "exec", "exec is not there yet; use auto"],
  ])("%s=%s is refused: %s", async (name, value, problem) => {
    expect(await problemsOf({ env: { [name]: value } })).toEqual([`CODEX_GPT_BRIDGE_${name}: ${problem}`]);
  });

  test("a secret that is refused is never repeated", async () => {
    const problems = await problemsOf({ env: { TOKEN: "hunter2", HEADER_SECRET: "hunter2" } });
    expect(problems).toHaveLength(2);
    expect(problems.join()).not.toContain("hunter2");
  });
});

describe("problems", () => {
  test("are all told at once, each with the setting in the form in which it was given", async () => {
    const problems = await problemsOf({
      flags: { port: "no", "no-auth": true },
      env: { QUEUE: "-1", TOKEN: TOKEN, ROOTS: "relative,/srv/app,/other/app" },
      file: "max_concurrent = 0\nnonsense = 1\n",
    });
    expect(problems.toSorted()).toEqual([
      "--no-auth: cannot go together with CODEX_GPT_BRIDGE_TOKEN",
      "--port: has to be a whole number",
      "CODEX_GPT_BRIDGE_QUEUE: has to be a whole number",
      "max_concurrent (config file): has to be at least 1",
      "nonsense (config file): is not a setting",
      "roots: relative is not an absolute path",
      "roots: two projects are called app",
    ]);
  });

  test("do not follow from a setting that is wrong itself", async () => {
    const env = { FAST_RETURN_MS: "never", UPSTREAM_TIMEOUT_MS: "1000" };
    expect(await problemsOf({ env })).toEqual(["CODEX_GPT_BRIDGE_FAST_RETURN_MS: has to be a whole number"]);
  });
});

describe("authentication", () => {
  test.each<{ name: string; env: Record<string, string>; problem: string | null }>([
    { name: "none on loopback", env: { NO_AUTH: "1" }, problem: null },
    { name: "none on ::1", env: { NO_AUTH: "1", HOST: "::1" }, problem: null },
    {
      name: "none for everybody",
      env: { NO_AUTH: "1", HOST: "0.0.0.0" },
      problem: "CODEX_GPT_BRIDGE_NO_AUTH: is only for loopback; 0.0.0.0 can be reached by others",
    },
    {
      name: "none on all of IPv6",
      env: { NO_AUTH: "1", HOST: "::" },
      problem: "CODEX_GPT_BRIDGE_NO_AUTH: is only for loopback; :: can be reached by others",
    },
    {
      name: "none, with a token",
      env: { NO_AUTH: "1", TOKEN: TOKEN },
      problem: "CODEX_GPT_BRIDGE_NO_AUTH: cannot go together with CODEX_GPT_BRIDGE_TOKEN",
    },
    {
      name: "none, with a header secret",
      env: { NO_AUTH: "1", HEADER_SECRET: TOKEN },
      problem: "CODEX_GPT_BRIDGE_NO_AUTH: cannot go together with CODEX_GPT_BRIDGE_HEADER_SECRET",
    },
    { name: "a token for everybody", env: { TOKEN: TOKEN, HOST: "0.0.0.0" }, problem: null },
    { name: "not set at all", env: {}, problem: null },
  ])("$name: $problem", async ({ env, problem }) => {
    expect(await problemsOf({ env })).toEqual(problem === null ? [] : [problem]);
  });
});

describe("settings that do not fit together", () => {
  test("writing by default needs a project that may be written", async () => {
    const env = { DEFAULT_SANDBOX: "workspace-write" };
    const problem = "CODEX_GPT_BRIDGE_DEFAULT_SANDBOX: needs CODEX_GPT_BRIDGE_ALLOW_WRITE";
    expect(await problemsOf({ env })).toEqual([problem]);
    expect(await problemsOf({ env: { ...env, ALLOW_WRITE: "1" } })).toEqual([]);
    expect(await problemsOf({ env, file: '[[projects]]\npath = "/srv/a"\nwrite = true\n' })).toEqual([]);
    expect(await problemsOf({ env, file: '[[projects]]\npath = "/srv/a"\nwrite = false\n' })).toEqual([
      problem,
    ]);
  });

  test("secrets are hidden only by a confinement that has to be proven", async () => {
    expect(await problemsOf({ env: { SECRETS: "mask", CONFINEMENT: "best-effort" } })).toEqual([
      "CODEX_GPT_BRIDGE_SECRETS: mask needs CODEX_GPT_BRIDGE_CONFINEMENT required: what is not proven hides nothing",
    ]);
    expect(await problemsOf({ env: { SECRETS: "mask" } })).toEqual([]);
  });

  test("an hourly limit is counted from the jobs that are kept, so as many have to be", async () => {
    expect(await problemsOf({ env: { JOBS_PER_HOUR: "20", JOB_KEEP_COUNT: "10" } })).toEqual([
      "CODEX_GPT_BRIDGE_JOBS_PER_HOUR: may not be more than CODEX_GPT_BRIDGE_JOB_KEEP_COUNT: kept jobs are what is counted",
    ]);
    expect(await problemsOf({ env: { JOBS_PER_HOUR: "10", JOB_KEEP_COUNT: "10" } })).toEqual([]);
  });

  test("a call may not wait for longer than a job may run", async () => {
    expect(await problemsOf({ env: { FAST_RETURN_MS: "5000", UPSTREAM_TIMEOUT_MS: "4000" } })).toEqual([
      "CODEX_GPT_BRIDGE_FAST_RETURN_MS: may not be longer than CODEX_GPT_BRIDGE_UPSTREAM_TIMEOUT_MS",
    ]);
  });
});

describe("the config file", () => {
  test.each([
    { mode: 0o100600, fine: true },
    { mode: 0o100644, fine: true },
    { mode: 0o100640, fine: true },
    { mode: 0o100660, fine: false },
    { mode: 0o100620, fine: false },
    { mode: 0o100602, fine: false },
    { mode: 0o100666, fine: false },
  ])("with mode $mode is read: $fine", async ({ mode, fine }) => {
    const problems = await problemsOf({ files: { [FILE]: { text: "port = 1", mode } } });
    expect(problems).toEqual(fine ? [] : [`${FILE}: can be written by others; run: chmod go-w`]);
  });

  test.each(["", "rel", "./here"])(
    "lies below the user's own home where HOME is %j, never here",
    async (HOME) => {
      const { homedir } = userInfo();
      expect((await configOf({ environment: { HOME } })).stateDir).toBe(
        `${homedir}/.local/state/codex-gpt-bridge`,
      );
      const asked: string[] = [];
      await loadConfig({
        flags: {},
        environment: { HOME },
        cwd: "/srv/here",
        readFile: async (path) => (asked.push(path), null),
      });
      expect(asked).toEqual([`${homedir}/.config/codex-gpt-bridge/config.toml`]);
    },
  );

  test("may describe a project that is named by flag or variable, too: it is one project", async () => {
    const file = '[[projects]]\npath = "/srv/app"\nwrite = true\n';
    for (const given of [{ flags: { root: "/srv/app/" } }, { env: { ROOTS: "app=/srv/app" } }]) {
      const { projects } = await configOf({ file, ...given });
      expect(projects).toEqual([{ name: "app", path: "/srv/app", write: true }]);
    }
    const other = await problemsOf({ file, flags: { root: "/opt/app" } });
    expect(other).toEqual(["roots: two projects are called app"]);
  });

  test("that is not there yet is told first to who starts the bridge in the home directory", async () => {
    const loaded = await loadConfig({
      flags: {},
      environment: { HOME: "/srv/here" },
      cwd: "/srv/here",
      readFile: async () => null,
    });
    expect(loaded).toMatchObject({
      ok: false,
      failure: [
        { setting: "--root", problem: expect.stringContaining("run: codex-gpt-bridge setup") as string },
        { setting: "CODEX_GPT_BRIDGE_STATE_DIR" },
      ],
    });
  });

  test("of another user is not read, whatever its mode", async () => {
    const problems = await problemsOf({ files: { [FILE]: { text: "port = 1", isForeign: true } } });
    expect(problems).toEqual([`${FILE}: belongs to another user, who could change it; make one of your own`]);
  });

  test.each<{ name: string; given: Given; place: string }>([
    { name: "the config file", given: { flags: { config: "/srv/app/x/config.toml" } }, place: "--config" },
    {
      name: "the config file in the directory that is served by default",
      given: { flags: { config: "config.toml" } },
      place: "--config",
    },
    {
      name: "the config file, where the root is written with dots",
      given: { flags: { config: "/srv/app/x/config.toml" }, env: { ROOTS: "app=/srv/app/y/.." } },
      place: "--config",
    },
  ])("$name inside a project is refused", async ({ given, place }) => {
    const isDefault = given.flags?.["config"] === "config.toml";
    const env = isDefault ? {} : { ROOTS: "/srv/app" };
    const problems = await problemsOf({
      files: { "/srv/app/x/config.toml": { text: "" }, "/srv/here/config.toml": { text: "" } },
      ...given,
      env: { ...env, ...given.env },
    });
    expect(problems).toEqual([
      `${place}: lies inside the project ${isDefault ? "/srv/here" : "/srv/app"}; Codex could read or change it`,
    ]);
  });

  test("the state directory inside a project is refused", async () => {
    expect(await problemsOf({ env: { ROOTS: "/home/owner" } })).toEqual([
      "CODEX_GPT_BRIDGE_STATE_DIR: lies inside the project /home/owner; Codex could read or change it",
    ]);
  });

  test("a file beside a project of a similar name is fine", async () => {
    const given = { flags: { config: "/srv/app-config/c.toml" }, env: { ROOTS: "/srv/app" } };
    expect(await problemsOf({ ...given, files: { "/srv/app-config/c.toml": { text: "" } } })).toEqual([]);
  });

  test("a file that was asked for has to be there; the usual one need not", async () => {
    expect(await problemsOf({ flags: { config: "/etc/none.toml" } })).toEqual([
      "/etc/none.toml: does not exist",
    ]);
    expect(await problemsOf({})).toEqual([]);
  });

  test("a file that is no TOML, or cannot be read, is refused and not left out", async () => {
    const broken = await problemsOf({ file: "port = \n" });
    expect(broken).toHaveLength(1);
    expect(broken[0]).toContain(FILE);
    expect(await problemsOf({ files: { [FILE]: new Error("EACCES: permission denied") } })).toEqual([
      `${FILE}: EACCES: permission denied`,
    ]);
  });
});

describe("projects", () => {
  test.each<{ given: Given; projects: object[] }>([
    { given: {}, projects: [{ name: "here", path: "/srv/here" }] },
    { given: { env: { ROOT: "/srv/one" } }, projects: [{ name: "one", path: "/srv/one" }] },
    {
      given: { env: { ROOTS: "/srv/one, two=/srv/x" } },
      projects: [
        { name: "one", path: "/srv/one" },
        { name: "two", path: "/srv/x" },
      ],
    },
    { given: { env: { ROOTS: "/srv/one/" } }, projects: [{ name: "one", path: "/srv/one" }] },
    { given: { env: { ROOTS: "/srv/one/./x/.." } }, projects: [{ name: "one", path: "/srv/one" }] },
    { given: { env: { ROOTS: "/srv/a=b" } }, projects: [] },
    { given: { env: { ROOTS: "n=/srv/a=b" } }, projects: [{ name: "n", path: "/srv/a=b" }] },
    {
      given: {
        file: '[[projects]]\nname = "p"\npath = "/srv/p"\nwrite = true\nmodel = "m"\neffort = "low"\n',
      },
      projects: [{ name: "p", path: "/srv/p", write: true, model: "m", effort: "low" }],
    },
    {
      given: { file: '[[projects]]\npath = "/srv/p"\n', env: { ROOT: "/srv/one" } },
      projects: [
        { name: "one", path: "/srv/one" },
        { name: "p", path: "/srv/p" },
      ],
    },
  ])("$given gives $projects", async ({ given, projects }) => {
    const loaded = await load(given);
    expect(loaded.ok ? loaded.value.projects : []).toEqual(projects);
  });

  test.each<{ given: Given; problem: string }>([
    {
      given: { env: { ROOTS: " , " } },
      problem: "CODEX_GPT_BRIDGE_ROOTS: names no project; leave it out to serve the current directory",
    },
    {
      given: { file: "roots = []\n" },
      problem: "roots (config file): names no project; leave it out to serve the current directory",
    },
    { given: { env: { ROOTS: "relative" } }, problem: "roots: relative is not an absolute path" },
    { given: { env: { ROOTS: "/a/x,/b/x" } }, problem: "roots: two projects are called x" },
    { given: { env: { ROOTS: "x=/a,x=/b" } }, problem: "roots: two projects are called x" },
    {
      given: { env: { ROOTS: "/srv/my project" } },
      problem: "roots: my project is no project name; write name=/srv/my project",
    },
    { given: { env: { ROOTS: "/" } }, problem: "roots:  is no project name; write name=/" },
    {
      given: { file: '[[projects]]\nname = "p"\n' },
      problem: "projects.0.path (config file): has to be a text",
    },
    {
      given: { file: '[[projects]]\npath = "/srv/p"\nwrite = "yes"\n' },
      problem: "projects.0.write (config file): has to be true or false",
    },
    { given: { file: "projects = 1\n" }, problem: "projects. (config file): has to be a list of tables" },
  ])("$given is refused: $problem", async ({ given, problem }) => {
    expect((await problemsOf(given)).join("\n")).toContain(problem);
  });

  test("an unknown key of a project is refused, since it may be a limit that somebody relies on", async () => {
    const problems = await problemsOf({ file: '[[projects]]\npath = "/srv/p"\nreadonly = true\n' });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("readonly");
  });
});
