import {
  chmodSync,
  existsSync,
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
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../src/cli/setup.ts";
import { installSecretTool } from "../support/keychain-stand-ins.ts";
import { createFakeTerminal } from "./fake-terminal.ts";

const TOKEN = "a-token-that-the-owner-has-had-for-years";
const KEY = "sk-proj-planted-where-nobody-may-see-it-0123456789";
const HEADING = "# codex-gpt-bridge; docs/config.md lists every setting. Made by: codex-gpt-bridge setup\n";

let home = "";
let config = "";

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "cli-setup-")));
  config = join(home, ".config", "codex-gpt-bridge", "config.toml");
  for (const name of ["app", "other/app", "bin"]) mkdirSync(join(home, name), { recursive: true });
});

afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

async function setup(argv: readonly string[], environment: Record<string, string> = {}, cwd = home) {
  const path = `${join(home, "bin")}:${dirname(process.execPath)}`;
  const terminal = createFakeTerminal({ HOME: home, PATH: path, ...environment }, cwd);
  const code = await run(terminal, argv);
  return { code, out: terminal.out(), err: terminal.err() };
}

function writeConfig(text: string): void {
  mkdirSync(dirname(config), { recursive: true, mode: 0o700 });
  writeFileSync(config, text, { mode: 0o600 });
}

const written = (): string => readFileSync(config, "utf8");
const kept = (): Record<string, string> =>
  (
    JSON.parse(readFileSync(join(dirname(config), "secrets.json"), "utf8")) as {
      secrets: Record<string, string>;
    }
  ).secrets;
const copies = (): string[] => readdirSync(dirname(config)).filter((name) => name.endsWith(".bak"));

describe("codex-gpt-bridge setup --yes", () => {
  it("writes a config file and keeps a token, both for the owner alone, and shows no secret", async () => {
    const { code, out } = await setup(["--yes", "--root", "app"]);
    expect(code).toBe(0);
    expect(written()).toBe(
      `${HEADING}keychain = true\nsecrets = "refuse"\n\n[[projects]]\nname = "app"\npath = "${home}/app"\n`,
    );
    const { token = "" } = kept();
    expect(token).toMatch(/^[\w-]{43}$/);
    expect(out).not.toContain(token);
    expect(statSync(config).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(config)).mode & 0o777).toBe(0o700);
    expect(out).toContain("There is no Codex on your PATH");
    expect(out).toContain("codex login");
  });

  it("takes flags as answers, and settings that nobody is asked about as they are", async () => {
    mkdirSync(join(home, "third"));
    const { code } = await setup([
      "--yes",
      "--roots",
      `app,other/app,blog=~/third`,
      "--allow-write",
      "--secrets",
      "mask",
      "--port",
      "9001",
      "--models",
      "gpt-6-astra,gpt-6-sol",
    ]);
    expect(code).toBe(0);
    expect(written()).toBe(
      `${HEADING}port = 9001\nmodels = [ "gpt-6-astra", "gpt-6-sol" ]\nkeychain = true\nsecrets = "mask"\n\n` +
        `[[projects]]\nname = "app"\npath = "${home}/app"\nwrite = true\n\n` +
        `[[projects]]\nname = "app-2"\npath = "${home}/other/app"\nwrite = true\n\n` +
        `[[projects]]\nname = "blog"\npath = "${home}/third"\nwrite = true\n`,
    );
  });

  it("says which secret files would block, by name, and never what is in them", async () => {
    writeFileSync(join(home, "app", ".env"), `API_KEY=${KEY}\n`);
    const { code, out } = await setup(["--yes", "--root", "app"]);
    expect(code).toBe(0);
    expect(out).toContain(".env  (dotenv)");
    expect(out).not.toContain(KEY);
  });

  it("changes what is there: keeps comments and other settings, a copy of the old file, and the token", async () => {
    await setup(["--yes", "--root", "app"]);
    const { token } = kept();
    writeConfig(`# mine\nport = 8000 # moved\n${written()}write = true # trusted\n`);
    const { code, out } = await setup(["--yes", "--root", join(home, "other/app"), "--secrets", "mask"]);
    expect(code).toBe(0);
    expect(written()).toBe(
      `# mine\nport = 8000 # moved\n${HEADING}keychain = true\nsecrets = "mask"\n\n[[projects]]\nname = "app"\npath = "${home}/app"\n` +
        `write = true # trusted\n\n[[projects]]\nname = "app-2"\npath = "${home}/other/app"\n`,
    );
    expect(kept()["token"]).toBe(token);
    expect(copies()).toHaveLength(1);
    expect(readFileSync(join(dirname(config), copies()[0] ?? ""), "utf8")).toContain('secrets = "refuse"');
    expect(out).toContain("The old one is in");
  });

  it("changes nothing when it says the same again", async () => {
    await setup(["--yes", "--root", "app"]);
    const before = [written(), kept()];
    const { code, out } = await setup(["--yes"]);
    expect(code).toBe(0);
    expect(out).toContain("says this already");
    expect([written(), kept()]).toEqual(before);
    expect(copies()).toEqual([]);
  });

  it("lets one of two that end at the same moment write, and tells the other", async () => {
    for (const round of ["first", "second", "third"]) {
      const ends = await Promise.all([
        setup(["--yes", "--root", "app"]),
        setup(["--yes", "--root", "other/app", "--port", "9001"]),
      ]);
      const [won, ...more] = ends.filter(({ code }) => code === 0);
      const lost = ends.find(({ code }) => code !== 0);
      expect({ round, more, lost: lost?.code }).toEqual({ round, more: [], lost: 1 });
      expect(lost?.err).toMatch(/another setup|changed by somebody else/);
      expect(won?.out).toContain("Wrote");
      expect(written().match(/\[\[projects\]\]/g)).toHaveLength(1);
      rmSync(dirname(config), { recursive: true });
    }
  });

  it("moves a token out of the config file, also out of the copy", async () => {
    writeConfig(
      `token = "${TOKEN}" # mine\nroots = ["${home}/app", "blog=${home}/other/app"]\nallow_write = true\n`,
    );
    const { code } = await setup(["--yes"]);
    expect(code).toBe(0);
    expect(kept()["token"]).toBe(TOKEN);
    expect(written()).toContain(`allow_write = true\n`);
    expect(written()).toContain(`name = "blog"\npath = "${home}/other/app"\nwrite = true\n`);
    for (const name of readdirSync(dirname(config)).filter((file) => file !== "secrets.json")) {
      expect(readFileSync(join(dirname(config), name), "utf8")).not.toContain(TOKEN);
    }
  });

  it("keeps a token and keys that the environment gives", async () => {
    const { code, out, err } = await setup(["--yes", "--root", "app"], { CODEX_GPT_BRIDGE_TOKEN: TOKEN });
    expect(code).toBe(0);
    expect(kept()["token"]).toBe(TOKEN);
    expect(out + err + written()).not.toContain(TOKEN);
  });

  it("sets OpenAI's tunnel up from the environment, and its keys go to the store alone", async () => {
    const environment = {
      CONTROL_PLANE_API_KEY: KEY,
      CONTROL_PLANE_TUNNEL_ID: "tunnel_0123456789abcdef0123456789abcdef",
    };
    const { code, out } = await setup(["--yes", "--root", "app", "--tunnel", "openai"], environment);
    expect(code).toBe(0);
    expect(written()).toContain('tunnel = "openai"\n');
    expect(kept()).toMatchObject({
      "control-plane-api-key": KEY,
      "control-plane-tunnel-id": environment.CONTROL_PLANE_TUNNEL_ID,
    });
    expect(out + written()).not.toMatch(/sk-proj|tunnel_0/);
    expect(out).toContain("Connection: Tunnel");
    expect((await setup(["--yes"])).out).toContain("says this already");
  });

  it("keeps secrets in the desktop's keyring where there is one, and never among arguments", async () => {
    const tool = installSecretTool(join(home, "bin"));
    const { code, out } = await setup(["--yes", "--root", "app"], {
      CODEX_GPT_BRIDGE_TOKEN: TOKEN,
      XDG_RUNTIME_DIR: home,
    });
    expect(code).toBe(0);
    expect(Object.values(tool.items())).toEqual([TOKEN]);
    expect(JSON.stringify(tool.argvs())).not.toContain(TOKEN);
    expect(existsSync(join(dirname(config), "secrets.json"))).toBe(false);
    expect(out).toContain("secret-tool lookup service codex-gpt-bridge:token");
    expect(out).not.toContain(TOKEN);
  });

  it.each([
    ["the keyring does not answer", []],
    ["the owner wants the file", ["--store", "file"]],
  ])("uses the file when %s, with a warning", async (_name, flags) => {
    const tool = installSecretTool(join(home, "bin"));
    if (flags.length === 0) tool.break();
    const { code, out } = await setup(["--yes", "--root", "app", ...flags], { XDG_RUNTIME_DIR: home });
    expect(code).toBe(0);
    expect(out).toContain("Secrets go to a file that only you can read");
    expect(kept()["token"]).toMatch(/^[\w-]{43}$/);
  });

  /** A program that leaves a trace when it is run. */
  function plant(path: string, then = ""): () => boolean {
    const trace = join(home, "trace");
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `#!/bin/sh\necho run >> ${trace}\n${then}\nexit 1\n`, { mode: 0o755 });
    return () => existsSync(trace);
  }

  it.each(["codex", "secret-tool"])("runs no %s out of a project, wherever PATH leads", async (name) => {
    const wasRun = plant(join(home, "app", "bin", name));
    const PATH = `${home}/app/bin:${dirname(process.execPath)}`;
    for (const more of [["--root", "~/app"], []]) {
      const { code } = await setup(["--yes", ...more], { PATH, XDG_RUNTIME_DIR: home });
      expect([code, wasRun()]).toEqual([0, false]);
    }
  });

  it("believes nothing in a config file that others can write, and runs no program that it names", async () => {
    const wasRun = plant(join(home, "elsewhere", "codex"));
    writeConfig(`codex = "${home}/elsewhere/codex"\n`);
    chmodSync(config, 0o666);
    const { code, err } = await setup(["--yes", "--root", "app"]);
    expect([code, wasRun()]).toEqual([2, false]);
    expect(err).toContain("can be written by others");
    expect(statSync(config).mode & 0o777).toBe(0o666);
  });

  it("puts nothing over a config file that was changed while it asked", async () => {
    await setup(["--yes", "--root", "app"]);
    const before = kept();
    plant(join(home, "bin", "codex"), `echo '# by somebody else' >> ${config}`);
    const { code, err } = await setup(["--yes", "--port", "9001"], { CODEX_GPT_BRIDGE_TOKEN: TOKEN });
    expect([code, err]).toEqual([1, expect.stringContaining("changed by somebody else") as string]);
    expect(written()).toContain("# by somebody else");
    expect(written()).not.toContain("9001");
    expect([kept(), copies()]).toEqual([before, []]);
  });

  it("makes no new token while the keyring that has the old one cannot be read", async () => {
    const tool = installSecretTool(join(home, "bin"));
    await setup(["--yes", "--root", "app"], { XDG_RUNTIME_DIR: home });
    const items = tool.items();
    tool.break();
    const { code, err } = await setup(["--yes", "--port", "9001"], { XDG_RUNTIME_DIR: home });
    expect([code, err]).toEqual([2, expect.stringContaining("Cannot autolaunch D-Bus") as string]);
    expect(tool.items()).toEqual(items);
    expect(existsSync(join(dirname(config), "secrets.json"))).toBe(false);
  });

  it("shows with --dry-run what it would write, and writes nothing", async () => {
    const { code, out } = await setup(["--yes", "--root", "app", "--dry-run"]);
    expect(code).toBe(0);
    expect(out).toContain(`path = "${home}/app"`);
    expect(existsSync(dirname(config))).toBe(false);
  });

  it("says how to start with a config file of another name", async () => {
    const file = join(home, "it's mine.toml");
    const { code, out } = await setup(["--yes", "--root", "app", "--config", file]);
    expect(code).toBe(0);
    for (const command of ["serve", "doctor"]) {
      expect(out).toContain(` ${command} --config '${home}/it'\\''s mine.toml'\n`);
    }
  });

  it("follows a link to the config file", async () => {
    const dotfiles = join(home, "dotfiles.toml");
    writeFileSync(dotfiles, "port = 8001\n", { mode: 0o600 });
    mkdirSync(dirname(config), { recursive: true });
    symlinkSync(dotfiles, config);
    expect((await setup(["--yes", "--root", "app"])).code).toBe(0);
    expect(readFileSync(dotfiles, "utf8")).toContain("port = 8001\nkeychain = true");
  });

  it.each<[string, string[], string | null, RegExp]>([
    ["no project", ["--yes"], null, /name a directory/],
    ["a project that is not there", ["--yes", "--root", "/not/there"], null, /no directory/],
    ["the home directory as a project", ["--yes", "--root", "~"], null, /home directory/],
    ["the file system as a project", ["--yes", "--root", "/"], null, /home directory/],
    [
      "the bridge itself as a project",
      ["--yes", "--root", join(import.meta.dirname, "..", "..")],
      null,
      /program of this bridge|home directory/,
    ],
    [
      "a token as a flag",
      ["--yes", "--root", "app", "--token", TOKEN],
      null,
      /CODEX_GPT_BRIDGE_TOKEN instead/,
    ],
    ["a setting that is wrong", ["--yes", "--root", "app", "--port", "99999"], null, /at most 65535/],
    [
      "a policy that is none",
      ["--yes", "--root", "app", "--secrets", "hide"],
      null,
      /one of: refuse, mask, off/,
    ],
    ["a tunnel that is none", ["--yes", "--root", "app", "--tunnel", "wormhole"], null, /openai, ngrok/],
    ["a store that is none", ["--yes", "--root", "app", "--store", "cloud"], null, /Usage/],
    ["no terminal and no --yes", ["--root", "app"], null, /at a terminal, or with --yes/],
    ["a config file that cannot be read", ["--yes", "--root", "app"], "port = = 3\n", /left alone/],
    [
      "a config file with a mistake elsewhere",
      ["--yes", "--root", "app"],
      "colour = 3\n",
      /colour .*not a setting/,
    ],
    [
      "OpenAI's tunnel without its id",
      ["--yes", "--root", "app", "--tunnel", "openai"],
      null,
      /Tunnel id: set CONTROL_PLANE_TUNNEL_ID/,
    ],
    [
      "ngrok without its key",
      ["--yes", "--root", "app", "--tunnel", "ngrok"],
      null,
      /authtoken: set NGROK_AUTHTOKEN/,
    ],
    [
      "Cloudflare's tunnel without a host name",
      ["--yes", "--root", "app", "--tunnel", "cloudflared"],
      null,
      /routes to it: give it with --cloudflared-hostname/,
    ],
  ])("refuses %s, and changes nothing", async (_name, argv, before, why) => {
    if (before !== null) writeConfig(before);
    const { code, out, err } = await setup(argv);
    expect([code, err]).toEqual([2, expect.stringMatching(why) as string]);
    expect(out + err).not.toContain(TOKEN);
    expect(existsSync(config) ? written() : null).toBe(before);
    expect(existsSync(join(dirname(config), "secrets.json"))).toBe(false);
  });

  it("refuses a config file inside a project: Codex could change it there", async () => {
    const inside = join(home, "app", "config.toml");
    const { code, err } = await setup(["--yes", "--root", "app", "--config", inside]);
    expect([code, err]).toEqual([2, expect.stringContaining("lies inside the project") as string]);
    expect(existsSync(inside)).toBe(false);
  });

  it("says in --help what it does", async () => {
    const { code, out } = await setup(["--help"]);
    expect(code).toBe(0);
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});
