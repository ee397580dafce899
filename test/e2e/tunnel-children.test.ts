/** The tunnels' programs, as stand-ins, die again and again under a running bridge. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  runDoor,
  startBridge,
  startDoor,
  token,
  type LogLine,
  type RunningBridge,
  type RunningDoor,
} from "../support/running-bridge.ts";
import { createProject, descendants, isAlive, type ScratchProject } from "../support/scripted-codex.ts";
import { countStart, noteGiven, searchWritten } from "../support/leak-search.ts";
import { placeStandIn } from "../support/stand-in-program.ts";
import {
  controlPlaneKey,
  startControlPlane,
  tunnelId,
  type ControlPlane,
} from "../support/tunnel-control-plane.ts";

const PATIENCE = { timeout: 60_000 };
const hasScript = spawnSync("script", ["--version"]).status === 0;
const DEATHS = 20;

let project: ScratchProject;
let scratch: string;
let control: ControlPlane;
let bridge: RunningBridge | null = null;

beforeEach(async () => {
  project = await createProject({ "readme.txt": "hello\n" });
  scratch = await mkdtemp(join(homedir(), ".cache", "codex-gpt-bridge-tests", "tunnel-"));
  control = await startControlPlane();
});
afterEach(async () => {
  await bridge?.stop();
  bridge = null;
  await control.close();
  await project.dispose();
  await rm(scratch, { recursive: true, force: true });
});

/** Codex has no part in this. */
async function start(
  flags: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<RunningBridge> {
  bridge = await startBridge({
    codex: join(scratch, "no-codex"),
    codexHome: join(scratch, "codex-home"),
    roots: [project.path],
    stateDir: join(scratch, "state"),
    untilReady: false,
    flags,
    env,
  });
  return bridge;
}

const openaiEnv = () => ({
  CONTROL_PLANE_API_KEY: controlPlaneKey,
  CONTROL_PLANE_TUNNEL_ID: tunnelId,
  CONTROL_PLANE_BASE_URL: control.url,
});

function lines({ logLines }: RunningBridge, message: string): readonly LogLine[] {
  return logLines.filter(({ msg }) => msg === message);
}

describe.each([
  { tunnel: "openai", name: "tunnel-client" as const, command: "--tunnel-client" },
  { tunnel: "cloudflared", name: "cloudflared" as const, command: "--cloudflared" },
])("$name", ({ tunnel, name, command }) => {
  async function open(settings: Readonly<Record<string, string>> = {}): Promise<RunningBridge> {
    const program = await placeStandIn(scratch, name, settings);
    return start(["--tunnel", tunnel, command, program], tunnel === "openai" ? openaiEnv() : {});
  }

  test(`killed ${DEATHS} times is back each time, leaves nobody behind, and the log says why`, async () => {
    const running = await open();
    const pids: number[] = [];
    for (let death = 0; death <= DEATHS; death += 1) {
      await expect.poll(() => lines(running, "the tunnel is ready").length, PATIENCE).toBe(death + 1);
      const pid = Number(lines(running, `${name} started`).at(-1)?.["pid"]);
      expect(pids).not.toContain(pid);
      pids.push(pid);
      if (death < DEATHS) process.kill(pid, "SIGKILL");
    }
    const deaths = lines(running, "the tunnel ended; it will be opened again");
    expect(deaths.map(({ why, again }) => ({ why, again }))).toEqual(
      Array.from({ length: DEATHS }, () => ({
        why: expect.stringContaining(`${name} was ended by SIGKILL`) as string,
        again: "in 500 ms",
      })),
    );
    const living = await Promise.all(pids.map(isAlive));
    expect(living.filter(Boolean)).toHaveLength(1);
    const below = await descendants(running.pid);
    expect(below).toContain(pids.at(-1));
    expect(await running.stop()).toMatchObject({ exitCode: 0 });
    for (const pid of below) expect(await isAlive(pid)).toBe(false);
  }, 300_000);

  test("that does not get far is opened again and again, with longer and longer pauses", async () => {
    const mode = tunnel === "openai" ? "die-at-start" : "refused";
    const running = await open({ MODE: mode });
    const message = "the tunnel ended; it will be opened again";
    await expect.poll(() => lines(running, message).length, PATIENCE).toBeGreaterThanOrEqual(4);
    const deaths = lines(running, message).slice(0, 4);
    expect(deaths.map(({ again }) => again)).toEqual(["in 500 ms", "in 1000 ms", "in 2000 ms", "in 4000 ms"]);
    const [{ why }] = deaths as [LogLine];
    expect(why).toContain(`${name} exited with code 1; it last said: `);
    expect(why).toContain(
      tunnel === "openai" ? "control plane rejected the key: status 401" : "429 Too Many",
    );
    // The bridge itself serves on meanwhile.
    expect((await fetch(`${running.url}/healthz`)).status).toBe(200);
  });
});

describe("before the port is open", () => {
  test.each<{ name: string; settings: Record<string, string>; env?: Record<string, string>; says: RegExp }>([
    {
      name: "a client that is too old",
      settings: { VERSION: "0.0.13" },
      says: /0\.0\.13 is too old.*0\.0\.14/,
    },
    { name: "a program that is none", settings: { VERSION: "hello" }, says: /--version tells no version/ },
    {
      name: "a client that makes no profile",
      settings: { MODE: "no-init" },
      says: /makes no profile: mcp-server-url is not a URL/,
    },
    {
      name: "a key that its doctor does not find",
      settings: { MODE: "doctor-no-key" },
      says: /doctor says no: control_plane_api_key/,
    },
  ])("$name: exit code 1, and the log says what to do", async ({ settings, says }) => {
    const client = await placeStandIn(scratch, "tunnel-client", settings);
    const flags = ["--tunnel", "openai", "--tunnel-client", client, "--root", project.path];
    const argv = ["serve", "--port", "0", "--state-dir", join(scratch, "state"), ...flags];
    const { exitCode, stderr } = await runDoor({ argv, env: openaiEnv() });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(says);
  });

  test("a client that is not there: exit code 1, and where to get it", async () => {
    const argv = ["serve", "--port", "0", "--state-dir", join(scratch, "state"), "--root", project.path];
    const { exitCode, stderr } = await runDoor({ argv: [...argv, "--tunnel", "openai"], env: openaiEnv() });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("brew install openai/tools/tunnel-client");
  });

  test.each<{ name: string; argv: string[]; env: Record<string, string>; says: RegExp[] }>([
    {
      name: "openai without id and key",
      argv: ["serve", "--tunnel", "openai"],
      env: {},
      says: [/CONTROL_PLANE_TUNNEL_ID: is not set/, /CONTROL_PLANE_API_KEY: is not set/],
    },
    {
      name: "openai with an id that is none",
      argv: ["serve", "--tunnel", "openai"],
      env: { CONTROL_PLANE_TUNNEL_ID: "my-tunnel", CONTROL_PLANE_API_KEY: controlPlaneKey },
      says: [/CONTROL_PLANE_TUNNEL_ID: has to be tunnel_/],
    },
    {
      name: "ngrok without its token",
      argv: ["serve", "--tunnel", "ngrok", "--token", token],
      env: {},
      says: [/NGROK_AUTHTOKEN: is not set/],
    },
    {
      name: "a named cloudflared tunnel without a host name",
      argv: ["serve", "--tunnel", "cloudflared", "--token", token, "--cloudflared-tunnel", "bridge"],
      env: {},
      says: [/--cloudflared-hostname: is not set/],
    },
    {
      name: "a host name without a tunnel",
      argv: ["serve", "--tunnel", "cloudflared", "--token", token, "--cloudflared-hostname", "b.example.com"],
      env: {},
      says: [/--cloudflared-tunnel: is not set, nor is TUNNEL_TOKEN/],
    },
    {
      name: "no authentication behind a tunnel",
      argv: ["serve", "--tunnel", "cloudflared", "--no-auth"],
      env: {},
      says: [/--no-auth: cannot go together with --tunnel/],
    },
    {
      name: "a public tunnel and nothing that says who calls",
      argv: ["serve", "--tunnel", "cloudflared"],
      env: {},
      says: [/CODEX_GPT_BRIDGE_TOKEN/],
    },
    {
      name: "a tunnel for a running bridge, without the secret that it shares",
      argv: ["tunnel", "openai"],
      env: openaiKeys(),
      says: [/CODEX_GPT_BRIDGE_HEADER_SECRET: is not set/],
    },
    {
      name: "a tunnel that nobody knows",
      argv: ["tunnel", "tailscale"],
      env: {},
      says: [/no "tailscale"/, /It takes openai, ngrok, cloudflared/],
    },
    { name: "no tunnel", argv: ["tunnel"], env: {}, says: [/Usage:/] },
  ])("$name: exit code 2, with every problem by its name", async ({ argv, env, says }) => {
    const { exitCode, stderr } = await runDoor({ argv, env });
    expect(exitCode).toBe(2);
    for (const line of says) expect(stderr).toMatch(line);
    expect(stderr).not.toContain(controlPlaneKey);
  });

  function openaiKeys(): Record<string, string> {
    return { CONTROL_PLANE_API_KEY: controlPlaneKey, CONTROL_PLANE_TUNNEL_ID: tunnelId };
  }
});

describe("a terminal", () => {
  test.skipIf(!hasScript)("that is closed ends bridge and tunnel, and leaves nothing", async () => {
    const program = await placeStandIn(scratch, "cloudflared");
    const door = join(import.meta.dirname, "..", "..", "src", "bridge.ts");
    const flags = ["--port", "0", "--root", project.path, "--state-dir", join(scratch, "state")];
    const argv = [
      door,
      "serve",
      ...flags,
      "--codex",
      "/no/codex",
      "--tunnel",
      "cloudflared",
      "--cloudflared",
      program,
    ];
    const command = [process.execPath, ...argv].map((argument) => `'${argument}'`).join(" ");
    // Keeps a pseudo terminal open for the command, and closes it with its own end.
    const terminal = spawn("script", ["-qfc", command, join(scratch, "typescript")], {
      env: { PATH: process.env["PATH"] ?? "", HOME: scratch, CODEX_GPT_BRIDGE_TOKEN: token },
      stdio: "ignore",
    });
    noteGiven([], { CODEX_GPT_BRIDGE_TOKEN: token });
    countStart();
    const ended = once(terminal, "exit");
    const shown = async (): Promise<string> => readFile(join(scratch, "typescript"), "utf8").catch(() => "");
    await expect.poll(shown, PATIENCE).toContain("the tunnel is ready");
    const below = await descendants(terminal.pid ?? 0);
    expect(below.length).toBeGreaterThanOrEqual(2);
    terminal.kill("SIGKILL");
    await ended;
    const living = async (): Promise<number> =>
      (await Promise.all(below.map(isAlive))).filter(Boolean).length;
    try {
      await expect.poll(living, PATIENCE).toBe(0);
    } finally {
      for (const pid of below) if (await isAlive(pid)) process.kill(pid, "SIGKILL");
    }
    const texts = { terminal: await shown() };
    await searchWritten({ process: "a terminal", texts, directories: [join(scratch, "state")] });
  });
});

describe("cloudflared", () => {
  test("a quick tunnel: the bridge serves the host that it got, in each of its lives, and warns", async () => {
    const edgeFile = join(scratch, "edge");
    const program = await placeStandIn(scratch, "cloudflared", { EDGE: edgeFile });
    const running = await start(["--tunnel", "cloudflared", "--cloudflared", program], {});
    await expect.poll(() => lines(running, "the tunnel is ready").length, PATIENCE).toBe(1);
    expect(await throughEdge(edgeFile)).toBe(200);
    expect(running.logLines.find(({ msg }) => msg.includes("is for smoke tests"))?.level).toBe("warn");
    const [first] = lines(running, "the tunnel has an address");
    process.kill(Number(lines(running, "cloudflared started")[0]?.["pid"]), "SIGKILL");
    await expect.poll(() => lines(running, "the tunnel is ready").length, PATIENCE).toBe(2);
    expect(await throughEdge(edgeFile)).toBe(200);
    const second = lines(running, "the tunnel has an address").at(-1);
    expect(second?.["url"]).toMatch(/^https:\/\/stand-in-\d+\.trycloudflare\.com\/mcp$/);
    expect(second?.["url"]).not.toBe(first?.["url"]);
    // The address of the first life is nobody's any more.
    expect(await addressed(running.url, new URL(String(first?.["url"])).host)).toBe(403);
  });

  test("a tunnel by token: its own host name is served, and the token is in no argument and no log line", async () => {
    const edgeFile = join(scratch, "edge");
    const host = "bridge.example.com";
    const tunnelToken = "eyJhIjoi-a-token-of-a-cloudflare-tunnel";
    const port = await freePort();
    const origin = `http://127.0.0.1:${port}`;
    const program = await placeStandIn(scratch, "cloudflared", {
      EDGE: edgeFile,
      HOST: host,
      ORIGIN: origin,
    });
    const running = await start(
      [
        "--tunnel",
        "cloudflared",
        "--cloudflared",
        program,
        "--cloudflared-hostname",
        host,
        "--port",
        String(port),
      ],
      { TUNNEL_TOKEN: tunnelToken },
    );
    await expect.poll(() => lines(running, "the tunnel is ready").length, PATIENCE).toBe(1);
    expect(await throughEdge(edgeFile)).toBe(200);
    const pid = Number(lines(running, "cloudflared started")[0]?.["pid"]);
    expect(await readFile(`/proc/${pid}/cmdline`, "utf8")).not.toContain(tunnelToken);
    expect(await readFile(`/proc/${pid}/environ`, "utf8")).toContain(`TUNNEL_TOKEN=${tunnelToken}`);
    const { stderr, stdout } = await running.stop();
    bridge = null;
    expect(stderr + stdout).not.toContain(tunnelToken);
  });

  async function throughEdge(edgeFile: string): Promise<number> {
    const edge = (await readFile(edgeFile, "utf8")).trim();
    return (await fetch(`${edge}/healthz`)).status;
  }
});

describe("a tunnel for a bridge that runs already", () => {
  const headerSecret = "a-header-secret-for-tests-of-40-characters";
  let tunnel: RunningDoor | null = null;
  afterEach(async () => {
    await tunnel?.stop();
    tunnel = null;
  });

  async function openTunnel(
    argv: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<RunningDoor> {
    tunnel = await startDoor({ argv: ["tunnel", ...argv, "--state-dir", join(scratch, "state")], env });
    return tunnel;
  }

  test("openai: calls pass with the secret that both know; one tunnel at a time; it ends with nothing left", async () => {
    const running = await start([], { CODEX_GPT_BRIDGE_HEADER_SECRET: headerSecret });
    const client = await placeStandIn(scratch, "tunnel-client");
    const argv = ["openai", "--tunnel-client", client, "--port", new URL(running.url).port];
    const env = { ...openaiEnv(), CODEX_GPT_BRIDGE_HEADER_SECRET: headerSecret };
    const door = await openTunnel(argv, env);
    const isReady = (): boolean => door.logLines.some(({ msg }) => msg === "the tunnel is ready");
    await expect.poll(isReady, PATIENCE).toBe(true);
    const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
    const outcome = await control.call(ping, { headers: { "mcp-protocol-version": "2025-11-25" } });
    expect(outcome).toMatchObject({ kind: "answered", status: 200 });

    const second = await runDoor({ argv: ["tunnel", ...argv, "--state-dir", join(scratch, "state")], env });
    expect(second.exitCode).toBe(1);
    expect(second.stderr).toContain("another tunnel of this state directory is open");

    const below = await descendants(door.pid);
    expect(below).toHaveLength(1);
    const { exitCode, stderr } = await door.stop();
    expect(exitCode).toBe(0);
    expect(stderr).not.toContain(headerSecret);
    for (const pid of below) expect(await isAlive(pid)).toBe(false);
  });

  test("a client that hears no SIGTERM is ended all the same, and the command ends well", async () => {
    const running = await start([], { CODEX_GPT_BRIDGE_HEADER_SECRET: headerSecret });
    const client = await placeStandIn(scratch, "tunnel-client", { MODE: "ignores-term" });
    const port = new URL(running.url).port;
    const door = await openTunnel(["openai", "--tunnel-client", client, "--port", port], {
      ...openaiEnv(),
      CODEX_GPT_BRIDGE_HEADER_SECRET: headerSecret,
    });
    const isReady = (): boolean => door.logLines.some(({ msg }) => msg === "the tunnel is ready");
    await expect.poll(isReady, PATIENCE).toBe(true);
    const below = await descendants(door.pid);
    expect((await door.stop()).exitCode).toBe(0);
    for (const pid of below) expect(await isAlive(pid)).toBe(false);
  });

  test("cloudflared: says that the running bridge does not know the host, and how it would", async () => {
    const running = await start([], {});
    const program = await placeStandIn(scratch, "cloudflared");
    const door = await openTunnel(
      ["cloudflared", "--cloudflared", program, "--port", new URL(running.url).port],
      {},
    );
    const message = "the running bridge does not serve this host name";
    await expect
      .poll(() => door.logLines.find(({ msg }) => msg === message)?.["advice"], PATIENCE)
      .toMatch(/--allowed-hosts stand-in-\d+\.trycloudflare\.com/);
  });

  test("no bridge where it should be: says so, and keeps trying", async () => {
    const program = await placeStandIn(scratch, "cloudflared");
    const door = await openTunnel(
      ["cloudflared", "--cloudflared", program, "--port", String(await freePort())],
      {},
    );
    const said = (): boolean =>
      door.logLines.some(({ msg }) => msg.startsWith("no bridge answers there yet"));
    await expect.poll(said, PATIENCE).toBe(true);
  });
});

/** What a request to the bridge that is addressed to `host` is answered. */
async function addressed(url: string, host: string): Promise<number> {
  const asking = request(`${url}/healthz`, { headers: { host } });
  asking.end();
  const [answer] = (await once(asking, "response")) as [{ statusCode: number; resume(): void }];
  answer.resume();
  return answer.statusCode;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
