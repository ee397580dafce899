/** The bridge as a user unit of systemd. Never as a system service, never as root's. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fail, ok, type Result } from "../lib/result.ts";
import type { RunCommand, ServiceManager } from "./service-manager.ts";
import { SYSTEMD_UNIT } from "./service-plan.ts";
import { toSystemdUnit } from "./unit-file.ts";
import { removeUnit, writeUnit } from "./write-unit.ts";

export interface SystemdParts {
  /** XDG config home. */
  readonly configHome: string;
  readonly run: RunCommand;
}

export function createSystemd({ configHome, run }: SystemdParts): ServiceManager {
  const unitPath = join(configHome, "systemd", "user", SYSTEMD_UNIT);

  async function all(...commands: readonly (readonly string[])[]): Promise<Result<null, string>> {
    for (const args of commands) {
      const done = await run("systemctl", ["--user", ...args]);
      if (!done.ok) return fail(toProblem(done.failure.why));
    }
    return ok(null);
  }
  const isInstalled = async (): Promise<boolean> => (await stat(unitPath).catch(() => null)) !== null;

  return {
    title: "a systemd user unit",
    unitPath,
    hint: "It runs while you are logged in. To let it run without: loginctl enable-linger",
    unitText: toSystemdUnit,
    async install(plan) {
      const written = await writeUnit(unitPath, await toSystemdUnit(plan));
      if (!written.ok) return written;
      return all(["daemon-reload"], ["enable", SYSTEMD_UNIT], ["restart", SYSTEMD_UNIT]);
    },
    async uninstall() {
      if (!(await isInstalled())) return ok(null);
      const disabled = await all(["disable", "--now", SYSTEMD_UNIT]);
      if (!disabled.ok) return disabled;
      const removed = await removeUnit(unitPath);
      return removed.ok ? all(["daemon-reload"]) : removed;
    },
    // A unit that failed too often has to be told that it may start again.
    start: async () => all(["reset-failed"], ["restart", SYSTEMD_UNIT]),
    stop: async () => all(["stop", SYSTEMD_UNIT]),
    async status() {
      const installed = await isInstalled();
      const shown = await run("systemctl", [
        "--user",
        "show",
        SYSTEMD_UNIT,
        "--property=ActiveState,SubState,MainPID,ExecMainStatus,Result",
      ]);
      if (!shown.ok) return fail(toProblem(shown.failure.why));
      const field = (name: string): string => new RegExp(`^${name}=(.*)$`, "m").exec(shown.value)?.[1] ?? "";
      const running = field("SubState") === "running";
      const pid = Number(field("MainPID"));
      const failed = field("ActiveState") === "failed";
      const state = failed
        ? `failed (${field("Result")}, ended with ${field("ExecMainStatus")})`
        : installed
          ? field("SubState")
          : "not installed";
      return ok({ installed, running, pid: running && pid > 0 ? pid : null, state });
    },
    logCommand: (lines, follow) => [
      "journalctl",
      "--user",
      "--unit",
      SYSTEMD_UNIT,
      "--lines",
      String(lines),
      "--output",
      "cat",
      ...(follow ? ["--follow"] : ["--no-pager"]),
    ],
  };
}

function toProblem(why: string): string {
  if (!why.includes("Failed to connect to bus")) return why;
  return `${why}. No user session of systemd runs here, as in a container or a shell of su or sudo: log in as the user itself, or start the bridge by hand`;
}
