import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planService } from "../../src/service/plan-service.ts";
import type { ServicePlan } from "../../src/service/service-plan.ts";
import { toLaunchAgent, toSystemdUnit } from "../../src/service/unit-file.ts";

let scratch = "";
beforeAll(() => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), "unit-file-")));
});
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

/** What a path may hold, and what XML and systemd make of it when nobody takes care. */
const NASTY = `a b&c<d>e"f'g%h$HOME\\x %i \${PATH} é;#`;

const nasty = (): ServicePlan => ({
  command: [process.execPath, `/srv/${NASTY}/dist/bridge.js`, "serve", "--models", NASTY],
  environment: { PATH: `/usr/bin:/srv/${NASTY}`, LANG: "C.UTF-8" },
  home: "/",
});

/** Python's reader of property lists, which knows the whole format. */
function readPlist(text: string): unknown {
  const program = "import json,plistlib,sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))";
  return JSON.parse(execFileSync("python3", ["-c", program], { input: text }).toString());
}

describe("the LaunchAgent", () => {
  it("is a property list that says exactly what was planned, whatever is in the paths", async () => {
    const plan = nasty();
    expect(readPlist(await toLaunchAgent(plan, `/logs/${NASTY}.log`))).toEqual({
      Label: "local.codex-gpt-bridge",
      ProgramArguments: plan.command,
      WorkingDirectory: "/",
      EnvironmentVariables: plan.environment,
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
      ThrottleInterval: 30,
      ExitTimeOut: 20,
      Umask: 0o077,
      LimitLoadToSessionType: "Aqua",
      StandardOutPath: `/logs/${NASTY}.log`,
      StandardErrorPath: `/logs/${NASTY}.log`,
    });
  });

  it.runIf(existsSync("/usr/bin/plutil"))("passes plutil", async () => {
    const path = join(scratch, "agent.plist");
    writeFileSync(path, await toLaunchAgent(nasty(), "/tmp/log"));
    expect(execFileSync("plutil", ["-lint", path]).toString()).toContain("OK");
  });
});

const systemdAnalyze = ["/usr/bin/systemd-analyze", "/bin/systemd-analyze"].find((path) => existsSync(path));

describe("the systemd unit", () => {
  it.runIf(systemdAnalyze !== undefined)("passes systemd-analyze verify without a word", async () => {
    for (const [name, plan] of Object.entries({
      plain: { ...nasty(), command: [process.execPath, "serve"] },
      nasty: nasty(),
    })) {
      const directory = join(scratch, name);
      mkdirSync(directory, { recursive: true });
      const path = join(directory, "codex-gpt-bridge.service");
      writeFileSync(path, await toSystemdUnit(plan));
      const { status, stdout, stderr } = spawnSync(systemdAnalyze ?? "", ["--user", "verify", path], {
        env: { HOME: scratch, XDG_RUNTIME_DIR: scratch },
      });
      expect([name, status, `${stdout.toString()}${stderr.toString()}`]).toEqual([name, 0, ""]);
    }
  });

  it("has nothing in it that keeps Codex from its sandbox, or Node from running", async () => {
    const settings = (await toSystemdUnit(nasty())).split("\n").filter((line) => !line.startsWith("#"));
    const forbidden =
      /^(NoNewPrivileges|Restrict|SystemCall|Protect|Private|MemoryDeny|LockPersonality|CapabilityBounding|ProcSubset|User|DynamicUser|RootDirectory|(ReadOnly|Inaccessible|Temporary)\w+)/;
    expect(settings.filter((line) => forbidden.test(line))).toEqual([]);
    expect(settings).toContain("UMask=0077");
    expect(settings).toContain("Restart=on-failure");
  });
});

describe("the plan of a service", () => {
  const plan = async (environment: Record<string, string>, node = process.execPath): Promise<ServicePlan> =>
    planService({ environment, home: scratch, node, packageRoot: "/opt/bridge", flags: ["--port", "9000"] });

  it("runs the built bridge with this Node, by absolute paths", async () => {
    expect((await plan({})).command).toEqual([
      process.execPath,
      "/opt/bridge/dist/bridge.js",
      "serve",
      "--port",
      "9000",
    ]);
  });

  it("names Node by the link on PATH, which outlives an update", async () => {
    const bin = join(scratch, "homebrew-bin");
    mkdirSync(bin, { recursive: true });
    symlinkSync(process.execPath, join(bin, "node"));
    const { command, environment } = await plan({ PATH: `/usr/bin:${bin}` });
    expect(command[0]).toBe(join(bin, "node"));
    expect(environment["PATH"]?.split(":")).toContain(bin);
  });

  it("takes the owner's PATH along, without this package's own and without what is not absolute", async () => {
    const { environment } = await plan({
      PATH: "/home/ada/bin:.:bin:/opt/bridge/node_modules/.bin:/usr/bin:/home/ada/bin",
    });
    const directories = environment["PATH"]?.split(":") ?? [];
    expect(directories.slice(0, 2)).toEqual(["/home/ada/bin", "/usr/bin"]);
    expect(new Set(directories).size).toBe(directories.length);
    for (const directory of [".", "bin", "/opt/bridge/node_modules/.bin"])
      expect(directories).not.toContain(directory);
  });

  it("takes along what tells where things are, and nothing that could be a secret", async () => {
    const { environment } = await plan({
      CODEX_HOME: "/srv/codex",
      HTTPS_PROXY: "http://proxy:3128",
      HTTP_PROXY: "http://ada:pass@proxy:3128",
      LANG: "de_DE.UTF-8\nEvil=1",
      OPENAI_API_KEY: "sk-planted",
      CODEX_GPT_BRIDGE_TOKEN: "planted",
      CONTROL_PLANE_API_KEY: "planted",
      AWS_SECRET_ACCESS_KEY: "planted",
    });
    expect(Object.keys(environment).toSorted()).toEqual(["CODEX_HOME", "HTTPS_PROXY", "PATH"]);
  });
});
