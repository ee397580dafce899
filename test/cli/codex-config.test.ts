import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "smol-toml";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { run } from "../../src/cli/codex-config.ts";

let base = "";
let home = "";
let path = "";

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "codex-gpt-bridge-config-")));
  home = join(base, "codex-home");
  path = join(home, "config.toml");
  mkdirSync(home);
  mkdirSync(join(base, "bin"));
  writeFileSync(join(base, "bin", "codex-chatgpt-mcp"), "", { mode: 0o755 });
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

async function codexConfig(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const code = await run(
    {
      argv: [],
      environment: { HOME: base, CODEX_HOME: home, PATH: join(base, "bin") },
      cwd: base,
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      onSignal() {},
      exitNow() {},
    },
    argv,
  );
  return { code, out, err };
}

const server = async (): Promise<unknown> =>
  (parse((await codexConfig()).out)["mcp_servers"] as Record<string, unknown>)["chatgpt"];

test.runIf(process.platform === "linux")("a file that cannot be written is told in words", async () => {
  home = "/proc";
  const { code, err } = await codexConfig("--write");
  expect([code, err]).toEqual([
    1,
    expect.stringMatching(/config\.toml cannot be written: .*\nNothing was changed/),
  ]);
});

describe("what is printed", () => {
  test("names Node and this installation where the program is not on PATH, as in a clone", async () => {
    rmSync(join(base, "bin"), { recursive: true });
    expect(await server()).toMatchObject({
      command: process.execPath,
      args: [expect.stringMatching(/dist\/ask-chatgpt\.js$/)],
    });
    mkdirSync(join(base, ".codex"));
    const shared = await codexConfig("--write", "--project");
    expect([shared.code, shared.err]).toEqual([0, expect.stringContaining("is not on your PATH")]);
    const file = join(base, ".codex", "config.toml");
    expect(readFileSync(file, "utf8")).toContain('command = "codex-chatgpt-mcp"');
  });

  test("is the whole server, with time enough and every variable that it obeys", async () => {
    expect(await server()).toMatchObject({
      command: "codex-chatgpt-mcp",
      tool_timeout_sec: 900,
      startup_timeout_sec: expect.any(Number),
      enabled_tools: ["ask_chatgpt", "ask_chatgpt_result"],
      env_vars: expect.arrayContaining([
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "CODEX_CHATGPT_MODEL",
        "CODEX_CHATGPT_TIMEOUT_MS",
        "CODEX_CHATGPT_MAX_USD_PER_DAY",
        "CODEX_GPT_BRIDGE_STATE_DIR",
      ]),
    });
  });

  test("names this installation by its paths with --absolute", async () => {
    const { out } = await codexConfig("--absolute");
    expect(parse(out)).toMatchObject({
      mcp_servers: {
        chatgpt: {
          command: process.execPath,
          args: [expect.stringMatching(/^\/.*\/dist\/ask-chatgpt\.js$/)],
        },
      },
    });
  });

  test("the repository's own configuration is what its readers are told", () => {
    const own = readFileSync(new URL("../../.codex/config.toml", import.meta.url), "utf8");
    expect(parse(own)).toEqual({
      mcp_servers: {
        chatgpt: {
          command: "npm",
          args: ["run", "--silent", "chatgpt:mcp"],
          env_vars: ["OPENAI_API_KEY", "OPENAI_BASE_URL", "CODEX_CHATGPT_MODEL", "CODEX_CHATGPT_TIMEOUT_MS"],
          startup_timeout_sec: 20,
          tool_timeout_sec: 900,
          enabled_tools: ["ask_chatgpt", "ask_chatgpt_result"],
        },
      },
    });
  });

  test.each([["--loudly"], ["now"], ["--project"]])("%s is not understood: exit code 2", async (flag) => {
    expect(await codexConfig(flag)).toMatchObject({ code: 2, out: "" });
  });
});

describe("--write", () => {
  const files: readonly [string, string][] = [
    ["nothing", ""],
    [
      "comments, odd spacing and other servers",
      '# mine\nmodel="x"   # keep\n\n[mcp_servers.other]\ncommand = "y"\n',
    ],
    ["no line break at its end", 'model = "x"'],
    ["a table of tables at its end", '[[things]]\nname = "a"\n[[things]]\nname = "b"'],
    ["Windows line breaks", 'model = "x"\r\n[features]\r\na = true\r\n'],
    ["words like ours inside a string", 'note = """\n[mcp_servers.chatgpt]\ncommand = "no"\n"""\n'],
  ];
  test.each(files)(
    "adds it to a file with %s, and leaves every byte of it in place",
    async (_name, before) => {
      writeFileSync(path, before);
      chmodSync(path, 0o640);
      expect((await codexConfig("--write")).code).toBe(0);
      const after = readFileSync(path, "utf8");
      expect(after.startsWith(before)).toBe(true);
      expect(parse(after)).toMatchObject({ ...parse(before), mcp_servers: { chatgpt: await server() } });
      expect(statSync(path).mode & 0o777).toBe(0o640);
      expect(await codexConfig("--write")).toMatchObject({
        code: 0,
        out: expect.stringContaining("already"),
      });
      expect(readFileSync(path, "utf8")).toBe(after);
      expect(readdirSync(home)).toEqual(["config.toml"]);
    },
  );

  test("makes the file where there is none, for the owner alone", async () => {
    rmSync(home, { recursive: true });
    expect((await codexConfig("--write")).code).toBe(0);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("writes through a link to the file that it leads to", async () => {
    writeFileSync(join(base, "dotfile.toml"), 'model = "x"\n');
    symlinkSync(join(base, "dotfile.toml"), path);
    await codexConfig("--write");
    expect(readFileSync(join(base, "dotfile.toml"), "utf8")).toContain("[mcp_servers.chatgpt]");
  });

  test("goes into the project with --project", async () => {
    expect((await codexConfig("--write", "--project")).code).toBe(0);
    expect(readFileSync(join(base, ".codex", "config.toml"), "utf8")).toContain("tool_timeout_sec = 900");
  });

  test.each([
    ["another server of that name", '[mcp_servers.chatgpt]\ncommand = "mine"\n'],
    ["a file that is no TOML", "model = \n"],
    ["servers in one line, to which nothing can be added", 'mcp_servers = { other = { command = "y" } }\n'],
  ])("changes nothing where there is %s, and prints what belongs there", async (_name, before) => {
    writeFileSync(path, before);
    const { code, err } = await codexConfig("--write");
    expect(code).toBe(1);
    expect(err).toContain("tool_timeout_sec = 900");
    expect(readFileSync(path, "utf8")).toBe(before);
  });
});
