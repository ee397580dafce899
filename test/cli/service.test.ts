import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../src/cli/service.ts";
import { createFakeTerminal } from "./fake-terminal.ts";

const TOKEN = "a-token-that-the-owner-has-had-for-years";

let home = "";
let bin = "";
let port = 0;
let server: Server;
let answers: Record<string, unknown> = {};
let isUp = (): boolean => true;

beforeEach(async () => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "cli-service-")));
  bin = join(home, "bin");
  mkdirSync(join(home, "app"));
  mkdirSync(bin);
  answers = { "/healthz": { ok: true, name: "codex-gpt-bridge" }, "/readyz": { ok: true } };
  isUp = () => true;
  server = createServer((request, response) => {
    if (!isUp()) request.socket.destroy();
    response.end(JSON.stringify(answers[request.url ?? ""] ?? {}));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  ({ port } = server.address() as AddressInfo);
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  rmSync(home, { recursive: true, force: true });
});

/** An executable that records its arguments and prints what the test wants. */
function installTool(name: string, prints = ""): () => string[] {
  const record = join(home, `${name}.record`);
  writeFileSync(join(bin, name), `#!/bin/sh\necho "$@" >> '${record}'\ncat <<'END'\n${prints}\nEND\n`);
  chmodSync(join(bin, name), 0o755);
  return () => (existsSync(record) ? readFileSync(record, "utf8").trimEnd().split("\n") : []);
}

function configure(text = `keychain = true\nport = ${port}\n\n[[projects]]\npath = "${home}/app"\n`): void {
  const directory = join(home, ".config", "codex-gpt-bridge");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, "config.toml"), text, { mode: 0o600 });
}

function keepToken(): void {
  const path = join(home, ".config", "codex-gpt-bridge", "secrets.json");
  writeFileSync(path, JSON.stringify({ version: 1, secrets: { token: TOKEN } }), { mode: 0o600 });
}

async function service(argv: readonly string[], environment: Record<string, string> = {}) {
  const PATH = `${bin}:/usr/bin:/bin`;
  const terminal = createFakeTerminal({ HOME: home, PATH, ...environment }, home);
  const code = await run(terminal, argv);
  return { code, out: terminal.out(), err: terminal.err() };
}

const unit = (): string => join(home, ".config", "systemd", "user", "codex-gpt-bridge.service");
describe.runIf(process.platform === "linux")("codex-gpt-bridge service", () => {
  it("installs a service that has all it needs, and no secret in its unit file", async () => {
    const systemctl = installTool("systemctl");
    // It answers as soon as it was started.
    isUp = () => systemctl().includes("--user restart codex-gpt-bridge.service");
    configure();
    keepToken();
    const { code, out, err } = await service(["install"], { OPENAI_API_KEY: "sk-planted-planted-planted" });
    expect([code, err]).toEqual([0, expect.stringContaining("Codex was not found") as string]);
    expect(out).toContain(`The bridge answers at http://127.0.0.1:${port} (ready).`);
    expect(systemctl()).toContain("--user restart codex-gpt-bridge.service");
    const text = readFileSync(unit(), "utf8");
    expect(text).toContain(`"${join(dirname(import.meta.dirname), "..", "dist", "bridge.js")}" "serve"`);
    expect(text).not.toMatch(/planted|a-token-that/);
  });

  it.each<[string, () => void, string[], Record<string, string>, RegExp]>([
    ["no credential is kept", () => configure(), [], {}, /no token or other credential is kept/],
    [
      "the token is in this shell alone",
      () => configure(),
      [],
      { CODEX_GPT_BRIDGE_TOKEN: TOKEN },
      /CODEX_GPT_BRIDGE_TOKEN is set in this shell alone/,
    ],
    [
      "no project is configured",
      () => (configure("keychain = true\n"), keepToken()),
      [],
      {},
      /no project is configured/,
    ],
    [
      "a project is gone",
      () => (configure(`keychain = true\n[[projects]]\npath = "/not/there"\n`), keepToken()),
      [],
      {},
      /no directory that can be read/,
    ],
    ["the config file is wrong", () => (configure("port = 99999\n"), keepToken()), [], {}, /at most 65535/],
    [
      "a token would stand in the unit file",
      () => configure(),
      ["--token", TOKEN],
      {},
      /--token would stand in the unit file/,
    ],
    [
      "a header secret would",
      () => configure(),
      ["--header-secret", TOKEN],
      {},
      /--header-secret would stand/,
    ],
  ])("does not install what would not run: %s", async (_name, prepare, flags, environment, why) => {
    const systemctl = installTool("systemctl");
    prepare();
    const { code, err } = await service(["install", ...flags], environment);
    expect([code, err]).toEqual([2, expect.stringMatching(why) as string]);
    expect(err).not.toContain(TOKEN);
    expect([systemctl(), existsSync(unit())]).toEqual([[], false]);
  });

  it.each([
    ["a line break", "/tmp/x\nExecStartPre=/bin/evil"],
    ["a backslash at its end", "/tmp/x\\"],
    ["a space at its end", "/tmp/x "],
    ["a control character", "/tmp/x\u0001"],
  ])("puts no home directory with %s into a unit file", async (_name, HOME) => {
    for (const platform of ["linux", "darwin"]) {
      const { code, out, err } = await service(["print", "--platform", platform], { HOME });
      expect([code, out, err]).toEqual([
        2,
        "",
        expect.stringContaining("cannot stand in a unit file") as string,
      ]);
    }
  });

  it("says what to do where no user session runs, and has nothing to take away there", async () => {
    writeFileSync(
      join(bin, "systemctl"),
      "#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2\nexit 1\n",
      { mode: 0o755 },
    );
    const { code, err } = await service(["status"]);
    expect([code, err]).toEqual([1, expect.stringMatching(/to bus: .*start the bridge by hand/) as string]);
    expect((await service(["uninstall"])).code).toBe(0);
  });

  it("asks no systemctl that lies in a project", async () => {
    const real = installTool("systemctl");
    mkdirSync(join(home, "app", "bin"));
    const trace = join(home, "trace");
    writeFileSync(join(home, "app", "bin", "systemctl"), `#!/bin/sh\necho run > ${trace}\n`, { mode: 0o755 });
    configure();
    await service(["status"], { PATH: `${home}/app/bin:${bin}:/usr/bin:/bin` });
    expect([real().length > 0, existsSync(trace)]).toEqual([true, false]);
  });

  it("does not install beside a bridge that runs already: its answers would be taken for the service's", async () => {
    const systemctl = installTool("systemctl");
    configure();
    keepToken();
    const { code, err } = await service(["install"]);
    expect([code, err]).toEqual([1, expect.stringContaining("runs at") as string]);
    expect(systemctl()).not.toContain("--user restart codex-gpt-bridge.service");
  });

  it("prints what it would install, for either system, and installs nothing", async () => {
    const linux = await service(["print", "--port", "9000", "--state-dir", "state"]);
    expect([linux.code, linux.err]).toEqual([0, ""]);
    expect(linux.out).toContain(`"serve" "--port" "9000" "--state-dir" "${home}/state"`);
    const mac = await service(["print", "--platform", "darwin", "--network", "--keychain"]);
    for (const flag of ["--network", "--keychain"]) expect(mac.out).toContain(`<string>${flag}</string>`);
    expect(mac.out).toContain("Library/Logs/codex-gpt-bridge/bridge.log");
    expect(existsSync(unit())).toBe(false);
  });

  it("tells whether it runs and the bridge answers, also by its exit code", async () => {
    const running = "ActiveState=active\nSubState=running\nMainPID=99\nExecMainStatus=0\nResult=success";
    installTool("systemctl", running);
    configure();
    const fine = await service(["status"]);
    expect([fine.code, fine.out]).toEqual([
      0,
      expect.stringMatching(/not installed, pid 99[^]*: ready\n$/) as string,
    ]);
    answers["/readyz"] = { ok: false, reason: "codex_not_logged_in" };
    expect((await service(["status"])).out).toContain("up, not ready: codex_not_logged_in");
    answers["/healthz"] = { name: "something else" };
    expect(await service(["status"])).toMatchObject({
      code: 1,
      out: expect.stringContaining("another program") as string,
    });
    installTool(
      "systemctl",
      "ActiveState=failed\nSubState=failed\nMainPID=0\nExecMainStatus=2\nResult=exit-code",
    );
    expect(await service(["status"])).toMatchObject({
      code: 1,
      out: expect.stringContaining("ended with 2") as string,
    });
  });

  it("shows the log that the system kept", async () => {
    const journalctl = installTool("journalctl", '{"level":"info","msg":"ready"}');
    const { code, out } = await service(["logs", "-n", "7"]);
    expect([code, out]).toEqual([0, '{"level":"info","msg":"ready"}\n']);
    expect(journalctl()).toEqual([
      "--user --unit codex-gpt-bridge.service --lines 7 --output cat --no-pager",
    ]);
  });

  it("starts, stops and takes away", async () => {
    const systemctl = installTool("systemctl");
    for (const action of ["start", "stop", "uninstall"]) expect((await service([action])).code).toBe(0);
    expect(systemctl()).toContain("--user stop codex-gpt-bridge.service");
  });

  it.each([
    [[]],
    [["dance"]],
    [["status", "now"]],
    [["install", "--platform", "darwin"]],
    [["logs", "-n", "0"]],
  ])("does not understand %j", async (argv) => {
    expect((await service(argv)).code).toBe(2);
  });

  it("leaves nothing behind where the service manager does not answer", async () => {
    installTool("systemctl");
    writeFileSync(
      join(bin, "systemctl"),
      "#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2\nexit 1\n",
    );
    configure();
    keepToken();
    const { code, err } = await service(["install"]);
    expect([code, err]).toEqual([1, expect.stringContaining("No medium found") as string]);
    expect(existsSync(unit())).toBe(false);
  });

  it("says so where there is no service manager", async () => {
    const { code, err } = await service(["status"], { PATH: bin });
    expect([code, err]).toEqual([1, "codex-gpt-bridge service: systemctl is not there\n"]);
    expect((await service(["print", "--platform", "win32"])).code).toBe(2);
  });

  it("says in --help what it does", async () => {
    const { code, out } = await service(["--help"]);
    expect(code).toBe(0);
    expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });
});
