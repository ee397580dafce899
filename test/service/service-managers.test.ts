import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fail, ok } from "../../src/lib/result.ts";
import { createLaunchd } from "../../src/service/launchd.ts";
import type { RunCommand, ServiceManager } from "../../src/service/service-manager.ts";
import type { ServicePlan } from "../../src/service/service-plan.ts";
import { createSystemd } from "../../src/service/systemd.ts";

let home = "";
let calls: string[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "service-"));
  calls = [];
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

const plan = (): ServicePlan => ({
  command: ["/usr/bin/node", "/opt/bridge/dist/bridge.js", "serve"],
  environment: { PATH: "/usr/bin" },
  home,
});

/** launchd as `launchctl` shows it: one service, which can be loaded and runs then. */
function createFakeLaunchd(): { run: RunCommand; crash(): void } {
  let loaded = false;
  let isRunning = false;
  /** launchctl bootout does not wait: the service is seen a little longer. */
  let goingFor = 0;
  return {
    crash() {
      isRunning = false;
    },
    async run(command, args) {
      calls.push([command, ...args].join(" "));
      const [verb, target] = args;
      const missing = fail({ exitCode: 113, why: "Could not find service in domain for user gui: 501" });
      switch (verb) {
        case "print":
          if (goingFor > 0 && --goingFor === 0) loaded = false;
          if (!loaded) return missing;
          return ok(
            `${String(target)} = {\n\tactive count = 1\n\tpath = /x\n\tstate = ${isRunning ? "running" : "waiting"}\n\n\tprogram = /usr/bin/node\n` +
              (isRunning ? "\tpid = 4711\n" : "\tlast exit code = 1\n") +
              "}\n",
          );
        case "bootstrap":
          if (loaded) return fail({ exitCode: 5, why: "Bootstrap failed: 5: Input/output error" });
          loaded = isRunning = true;
          return ok("");
        case "bootout":
          if (!loaded) return missing;
          isRunning = false;
          goingFor = 2;
          return ok("");
        case "kickstart":
          if (!loaded) return missing;
          isRunning = true;
          return ok("");
        default:
          return ok("");
      }
    },
  };
}

const done = { ok: true, value: null };

describe("the LaunchAgent's life", () => {
  const unit = (): string => join(home, "Library", "LaunchAgents", "local.codex-gpt-bridge.plist");
  const log = (): string => join(home, "Library", "Logs", "codex-gpt-bridge", "bridge.log");
  const open = (run: RunCommand): ServiceManager => createLaunchd({ home, userId: 501, run });

  it("is installed, seen, stopped, started, and gone", async () => {
    const launchd = createFakeLaunchd();
    const manager = open(launchd.run);
    expect(await manager.status()).toEqual(
      ok({ installed: false, running: false, pid: null, state: "not installed" }),
    );
    expect(await manager.install(plan())).toEqual(done);
    expect(calls).toContain(`launchctl bootstrap gui/501 ${unit()}`);
    expect(statSync(unit()).mode & 0o777).toBe(0o600);
    expect(await manager.status()).toEqual(
      ok({ installed: true, running: true, pid: 4711, state: "running" }),
    );
    expect(await manager.stop()).toEqual(done);
    expect(await manager.stop()).toEqual(done);
    expect(await manager.status()).toEqual(
      ok({ installed: true, running: false, pid: null, state: "not loaded" }),
    );
    expect(await manager.start()).toEqual(done);
    expect(await manager.start()).toEqual(done);
    expect(calls.at(-1)).toBe("launchctl kickstart -k gui/501/local.codex-gpt-bridge");
    launchd.crash();
    expect(await manager.status()).toEqual(
      ok({ installed: true, running: false, pid: null, state: "ended with 1" }),
    );
    expect(await manager.uninstall()).toEqual(done);
    expect(existsSync(unit())).toBe(false);
    expect(await manager.uninstall()).toEqual(done);
  });

  it("is replaced by a new installation, while it runs", async () => {
    const manager = open(createFakeLaunchd().run);
    await manager.install(plan());
    expect(await manager.install({ ...plan(), environment: { PATH: "/changed" } })).toEqual(done);
    expect(readFileSync(unit(), "utf8")).toContain("/changed");
  });

  it("has a log that only its owner reads, and that does not grow for ever", async () => {
    const manager = open(createFakeLaunchd().run);
    await manager.install(plan());
    expect(statSync(join(log(), "..")).mode & 0o777).toBe(0o700);
    writeFileSync(log(), "old\n");
    truncateSync(log(), 11 * 1024 * 1024);
    await manager.stop();
    await manager.start();
    expect([existsSync(log()), existsSync(`${log()}.1`)]).toEqual([false, true]);
    expect(manager.logCommand(50, true)).toEqual(["tail", "-n", "50", "-F", log()]);
  });

  it("says why when launchd does not want it", async () => {
    const manager = open(async (_command, [verb]) =>
      fail({ exitCode: 5, why: `launchctl ${verb ?? ""}: no` }),
    );
    expect(await manager.install(plan())).toEqual({ ok: false, failure: "launchctl bootstrap: no" });
  });
});

describe("the systemd unit's life", () => {
  const unit = (): string => join(home, ".config", "systemd", "user", "codex-gpt-bridge.service");
  const open = (run: RunCommand): ServiceManager => createSystemd({ configHome: join(home, ".config"), run });
  const record: RunCommand = async (command, args) => {
    calls.push([command, ...args].join(" "));
    return ok("");
  };

  it("is installed, started, stopped and gone by systemctl --user alone", async () => {
    const manager = open(record);
    expect(await manager.install(plan())).toEqual(done);
    expect(existsSync(unit())).toBe(true);
    expect(await manager.stop()).toEqual(done);
    expect(await manager.start()).toEqual(done);
    expect(await manager.uninstall()).toEqual(done);
    expect(existsSync(unit())).toBe(false);
    expect(await manager.uninstall()).toEqual(done);
    expect(calls.map((call) => call.replace("codex-gpt-bridge.service", "U"))).toEqual([
      "systemctl --user daemon-reload",
      "systemctl --user enable U",
      "systemctl --user restart U",
      "systemctl --user stop U",
      "systemctl --user reset-failed",
      "systemctl --user restart U",
      "systemctl --user disable --now U",
      "systemctl --user daemon-reload",
    ]);
  });

  it.each([
    [
      "ActiveState=active\nSubState=running\nMainPID=99\nExecMainStatus=0\nResult=success\n",
      true,
      99,
      "running",
    ],
    [
      "ActiveState=failed\nSubState=failed\nMainPID=0\nExecMainStatus=2\nResult=exit-code\n",
      false,
      null,
      "failed (exit-code, ended with 2)",
    ],
    [
      "ActiveState=activating\nSubState=auto-restart\nMainPID=0\nExecMainStatus=1\nResult=exit-code\n",
      false,
      null,
      "auto-restart",
    ],
  ])("is read from what systemctl shows: %j", async (shown, running, pid, state) => {
    mkdirSync(join(unit(), ".."), { recursive: true });
    writeFileSync(unit(), "");
    expect(await open(async () => ok(shown)).status()).toEqual(ok({ installed: true, running, pid, state }));
  });

  it("says why when there is no user manager", async () => {
    const manager = open(async () => fail({ exitCode: 1, why: "Failed to connect to bus: No medium found" }));
    expect(await manager.status()).toEqual({
      ok: false,
      failure: expect.stringMatching(
        /^Failed to connect to bus: No medium found\. .*start the bridge by hand$/,
      ) as string,
    });
    expect((await manager.install(plan())).ok).toBe(false);
  });
});
