/**
 * The bridge as a service: what `service print` and `install` make really runs, with secrets from a keychain alone, and
 * no secret ever shows where others could look.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createConnector } from "../../src/demo/connector.ts";
import { writeScriptedCodexHome } from "../../src/demo/scripted-model/codex-home.ts";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { say } from "../../src/demo/scripted-model/steps.ts";
import { buildClone, makeCleanClone, plainPath } from "../support/clean-clone.ts";
import { installSecretTool, type StandIn } from "../support/keychain-stand-ins.ts";
import { countStart, leaksIn, noteCredential, searchWritten } from "../support/leak-search.ts";
import { codexBinaries } from "../support/scripted-codex.ts";

const PATIENCE_MS = 60_000;
/** Planted where each may lie: in the environment when it is set up, or in an old config file. */
const planted = {
  CODEX_GPT_BRIDGE_HEADER_SECRET: "planted-header-secret-4f5e6d7c8b9a0f1e2d3c",
  CONTROL_PLANE_API_KEY: "planted-control-plane-key-0a1b2c3d4e5f",
  CONTROL_PLANE_TUNNEL_ID: "tunnel_9f8e7d6c5b4a39281706f5e4d3c2b1a0",
  NGROK_AUTHTOKEN: "planted-ngrok-authtoken-77665544332211",
  OPENAI_API_KEY: "planted-openai-key-aabbccddeeff00112233",
};
const TOKEN = "planted-token-in-an-old-config-file-123456";
const values = [...Object.values(planted), TOKEN];
for (const [name, value] of Object.entries({ ...planted, TOKEN })) noteCredential(name, value);
const QUESTION = "Say what you know.";

let scratch = "";
let clone = "";
let home = "";
let keyring: StandIn;
let model: ScriptedModel;
const config = (): string => join(home, ".config", "codex-gpt-bridge", "config.toml");

beforeAll(async () => {
  const base = join(homedir(), ".cache", "codex-gpt-bridge-tests");
  mkdirSync(base, { recursive: true });
  scratch = realpathSync(mkdtempSync(join(base, "service-")));
  // What a person may call a directory, and what systemd would make of it.
  home = join(scratch, "h o%me $HOME");
  clone = join(scratch, "clone");
  for (const name of ["bin", "app"]) mkdirSync(join(home, name), { recursive: true });
  writeFileSync(join(home, "app", "README.md"), "An app.\n");
  symlinkSync(codexBinaries["0.169.0"], join(home, "bin", "codex"));
  keyring = installSecretTool(join(home, "bin"));
  makeCleanClone(clone);
  buildClone(clone);
  model = await startScriptedModel();
  model.script(QUESTION, [say(values.join(" and "))]);
  await writeScriptedCodexHome(join(home, ".codex"), model.url);
  mkdirSync(join(home, ".config", "codex-gpt-bridge"), { recursive: true, mode: 0o700 });
  writeFileSync(config(), `# mine\ntoken = "${TOKEN}"\nlog_level = "debug"\nport = 0\n`, { mode: 0o600 });
}, 120_000);

afterAll(async () => {
  await model?.close();
  rmSync(scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
});

const session = (): Record<string, string> => ({ HOME: home, XDG_RUNTIME_DIR: home, LANG: "C.UTF-8" });

/** Runs the built door to its end; `more` is its environment besides the session. */
function door(argv: readonly string[], more: Record<string, string> = {}) {
  const env = { ...session(), PATH: plainPath(join(home, "bin")), ...more };
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(clone, "dist", "bridge.js"), ...argv],
    { env, cwd: home },
  );
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}

describe.runIf(process.platform === "linux")("secrets that are planted everywhere", () => {
  it("are kept in the keyring by setup, and are in no argument, no output and no config file", async () => {
    const watch = watchArguments();
    const child = spawn(
      process.execPath,
      [join(clone, "dist", "bridge.js"), "setup", "--yes", "--root", join(home, "app")],
      {
        env: { ...session(), PATH: plainPath(join(home, "bin")), ...planted },
        cwd: home,
      },
    );
    const said = collect(child);
    const [code] = (await once(child, "close")) as [number | null];
    const seen = await watch.stop();
    expect([code, said()]).toEqual([0, expect.stringContaining("Wrote") as string]);
    expect(new Set(Object.values(keyring.items()))).toEqual(
      new Set([TOKEN, planted.CODEX_GPT_BRIDGE_HEADER_SECRET]),
    );
    expect(leaksIn({ seen, said: said(), argv: JSON.stringify(keyring.argvs()), ...configFiles() })).toEqual(
      [],
    );
    expect(seen).toContain("secret-tool");
  });

  it("serve a bridge from the keyring, and are in no argument and no log", async () => {
    // The keys that a tunnel would need lie in the keyring, too.
    for (const [name, value] of [
      ["control-plane-api-key", planted.CONTROL_PLANE_API_KEY],
      ["control-plane-tunnel-id", planted.CONTROL_PLANE_TUNNEL_ID],
      ["openai-api-key", planted.OPENAI_API_KEY],
      ["ngrok-authtoken", planted.NGROK_AUTHTOKEN],
    ] as const) {
      const attributes = ["service", `codex-gpt-bridge:${name}`, "account", accountOf(keyring)];
      execFileSync(keyring.command, ["store", "--label=x", ...attributes], { input: value });
    }
    const watch = watchArguments();
    const bridge = await startBridge(process.execPath, [join(clone, "dist", "bridge.js"), "serve"], {
      ...session(),
      PATH: plainPath(join(home, "bin")),
    });
    try {
      const answer = await createConnector(`${bridge.url}/mcp`, TOKEN).call("codex_read", {
        prompt: QUESTION,
      });
      expect(answer["status"]).toBe("completed");
      expect(values.filter((value) => JSON.stringify(answer).includes(value))).toEqual([]);
      expect(
        (await fetch(`${bridge.url}/mcp`, { method: "POST", headers: { authorization: "Bearer wrong" } }))
          .status,
      ).toBe(401);
    } finally {
      expect(await bridge.stop()).toBe(0);
    }
    const seen = await watch.stop();
    expect(seen).toContain("app-server");
    const state = everyFileIn(join(home, ".local", "state", "codex-gpt-bridge"));
    expect(Object.keys(state).length).toBeGreaterThan(0);
    expect(
      leaksIn({
        seen,
        log: bridge.said(),
        argv: JSON.stringify(keyring.argvs()),
        ...configFiles(),
        ...state,
      }),
    ).toEqual([]);
  });
});

describe.runIf(process.platform === "linux")("a bridge whose keyring does not help it", () => {
  it("ends with 2 when nothing is kept, and with 1 when the keyring cannot be read: then a service tries again", () => {
    const elsewhere = join(scratch, "elsewhere");
    mkdirSync(join(elsewhere, "bin"), { recursive: true });
    const tool = installSecretTool(join(elsewhere, "bin"));
    const environment = { HOME: elsewhere, PATH: plainPath(join(elsewhere, "bin")) };
    const flags = ["serve", "--keychain", "--port", "0", "--root", join(home, "app")];
    const empty = door(flags, environment);
    expect([empty.status, empty.stderr]).toEqual([
      2,
      expect.stringContaining("say how callers prove") as string,
    ]);
    tool.break();
    const locked = door(flags, environment);
    expect([locked.status, locked.stderr]).toEqual([
      1,
      expect.stringContaining("Cannot autolaunch D-Bus") as string,
    ]);
  });
});

describe.runIf(process.platform === "linux")("the service's unit", () => {
  it("starts the bridge by its ExecStart line alone, in an environment that is empty but for its own", async () => {
    const printed = door(["service", "print"]);
    expect([printed.status, printed.stderr]).toEqual([0, ""]);
    const unit = printed.stdout;
    expect(leaksIn({ unit })).toEqual([]);
    const [command = "", ...args] = words(/^ExecStart=:(.*)$/m.exec(unit)?.[1] ?? "");
    const environment = [...unit.matchAll(/^Environment=(.*)$/gm)].flatMap(([, line = ""]) => words(line));
    const env = Object.fromEntries(
      environment.map((entry) => entry.split(/=(.*)/s).slice(0, 2) as [string, string]),
    );
    const bridge = await startBridge(command, args, { ...env, HOME: home, XDG_RUNTIME_DIR: home });
    try {
      const status = await createConnector(`${bridge.url}/mcp`, TOKEN).call("bridge_status");
      expect(status).toMatchObject({ codexVersion: "0.169.0", confinement: { state: "proven" } });
    } finally {
      expect(await bridge.stop()).toBe(0);
    }
  });

  it.runIf(canRunUserManager())(
    "runs under a real `systemd --user`: installed, ready, stopped, started, taken away",
    { timeout: 240_000 },
    async () => {
      const script = join(scratch, "manager.sh");
      const port = await freePort();
      writeFileSync(script, USER_MANAGER);
      writeFileSync(config(), readFileSync(config(), "utf8").replace("port = 0", `port = ${port}`));
      const { status, stdout } = spawnSync(
        "unshare",
        ["--mount", "--propagation", "private", "bash", script],
        {
          env: {
            ...session(),
            PATH: plainPath(join(home, "bin")),
            NODE: process.execPath,
            DOOR: join(clone, "dist", "bridge.js"),
            SCRATCH: scratch,
          },
          timeout: 180_000,
        },
      );
      const said = stdout.toString();
      expect(said).toContain(`The bridge answers at http://127.0.0.1:${port} (ready).\ninstall 0`);
      expect(said).toMatch(/service {2}running, pid \d+\n[^]*: ready\nstatus 0/);
      expect(said).toContain("stop 0");
      expect(said).toMatch(/: no answer\nstatus 1/);
      expect(said).toContain("start 0");
      expect(said).toMatch(/ready\nagain 0/);
      expect(said).toMatch(/uninstall 0\nleft 0/);
      expect(leaksIn({ said })).toEqual([]);
      expect(status).toBe(0);
    },
  );
});

/** A service has to know its port beforehand. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A user manager of its own: as root, in a mount namespace with its own /run and control groups. */
function canRunUserManager(): boolean {
  const tools = ["/lib/systemd/systemd", "/usr/bin/dbus-daemon", "/usr/bin/unshare", "/usr/bin/systemctl"];
  if (process.platform !== "linux" || process.getuid?.() !== 0 || !tools.every((path) => existsSync(path)))
    return false;
  const tried = spawnSync("unshare", [
    "--mount",
    "--propagation",
    "private",
    "sh",
    "-c",
    "mount -t tmpfs none /run && mount -t cgroup2 none /sys/fs/cgroup",
  ]);
  return tried.status === 0 && !existsSync("/run/systemd/system");
}

const USER_MANAGER = String.raw`
mount -t tmpfs none /run && mkdir -p /run/systemd/system /run/user/0 && chmod 700 /run/user/0
mount -t cgroup2 none /sys/fs/cgroup || exit 3
group=/sys/fs/cgroup/codex-gpt-bridge-test-$$
mkdir "$group" && echo $$ > "$group/cgroup.procs"
export XDG_RUNTIME_DIR=/run/user/0 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/0/bus
dbus-daemon --session --address=$DBUS_SESSION_BUS_ADDRESS --nofork --nopidfile >/dev/null 2>&1 & bus=$!
for i in $(seq 100); do [ -S /run/user/0/bus ] && break; sleep 0.1; done
/lib/systemd/systemd --user >"$SCRATCH/manager.log" 2>&1 & manager=$!
for i in $(seq 100); do systemctl --user is-system-running >/dev/null 2>&1 && break; sleep 0.1; done
service() { "$NODE" "$DOOR" service "$@" 2>&1; }
service install; echo "install $?"
service status; echo "status $?"
service stop; echo "stop $?"
service status; echo "status $?"
service start; echo "start $?"
for i in $(seq 100); do service status >/dev/null && break; sleep 0.1; done
for i in $(seq 100); do service status | grep -q ': ready' && break; sleep 0.1; done
service status; echo "again $?"
service uninstall; echo "uninstall $?"
echo "left $(systemctl --user list-units --all --no-legend 'codex-gpt-bridge*' | wc -l)"
kill $manager; wait $manager
kill $bus; wait $bus
echo $$ > /sys/fs/cgroup/cgroup.procs
find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
exit 0
`;

/** As systemd reads a line: words in double quotes, backslash escapes, a doubled percent sign. */
function words(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = ""]) =>
    word.replaceAll(/\\(.)/g, "$1").replaceAll("%%", "%"),
  );
}

async function startBridge(command: string, args: readonly string[], env: Record<string, string>) {
  countStart();
  const child = spawn(command, args, { env, cwd: home });
  const said = collect(child);
  const deadline = Date.now() + PATIENCE_MS;
  let url: string | undefined;
  for (let isReady = false; !isReady;) {
    if (Date.now() > deadline || child.exitCode !== null)
      throw new Error(`the bridge is not ready: ${said()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    url ??= /"url":"(http:\/\/[^"]+)\/mcp"/.exec(said())?.[1];
    isReady = url !== undefined && (await fetch(`${url}/readyz`)).status === 200;
  }
  return {
    url: url ?? "",
    said,
    async stop(): Promise<number | null> {
      const closed = once(child, "close");
      child.kill("SIGTERM");
      const [code] = (await closed) as [number | null];
      const directories = [join(home, ".local", "state", "codex-gpt-bridge")];
      await searchWritten({ process: "a service", texts: { log: said() }, directories });
      return code;
    },
  };
}

function collect(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  return () => text;
}

/** Reads the command line of every process of the machine, over and over, as any other user could. */
function watchArguments(): { stop(): Promise<string> } {
  const seen = new Set<string>();
  const stopping = new AbortController();
  async function watch(): Promise<void> {
    while (!stopping.signal.aborted) {
      for (const pid of readdirSync("/proc").filter(
        (name) => /^\d+$/.test(name) && Number(name) !== process.pid,
      )) {
        try {
          seen.add(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
        } catch {
          continue; // it ended since it was listed
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
  const watching = watch();
  return {
    async stop() {
      stopping.abort();
      await watching;
      return [...seen].join("\n");
    },
  };
}

function configFiles(): Record<string, string> {
  return everyFileIn(join(home, ".config", "codex-gpt-bridge"));
}

function everyFileIn(directory: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files[path] = readFileSync(path, "latin1");
  }
  return files;
}

function accountOf(tool: StandIn): string {
  const [first = ""] = Object.keys(tool.items());
  return first.split("/").at(-1) ?? "";
}
