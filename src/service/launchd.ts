/** The bridge as a LaunchAgent of the user's own session. Never as a daemon, never as root. */
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fail, ok, type Result } from "../lib/result.ts";
import type { RunCommand, ServiceManager, ServiceStatus } from "./service-manager.ts";
import { LAUNCHD_LABEL } from "./service-plan.ts";
import { toLaunchAgent } from "./unit-file.ts";
import { removeUnit, writeUnit } from "./write-unit.ts";

export interface LaunchdParts {
  readonly home: string;
  readonly userId: number;
  readonly run: RunCommand;
}

/** Longer than launchd waits before it kills (`ExitTimeOut`). */
const GONE_MS = 25_000;
const PAUSE_MS = 200;
/** launchd appends for ever; what is older than this is kept once more and then gone. */
const MAX_LOG_BYTES = 10 * 1024 * 1024;

export function createLaunchd({ home, userId, run }: LaunchdParts): ServiceManager {
  const unitPath = join(home, "Library", "LaunchAgents", `${LAUNCHD_LABEL}.plist`);
  const logFile = join(home, "Library", "Logs", "codex-gpt-bridge", "bridge.log");
  const domain = `gui/${userId}`;
  const service = `${domain}/${LAUNCHD_LABEL}`;

  const isLoaded = async (): Promise<boolean> => (await run("launchctl", ["print", service])).ok;

  async function unload(): Promise<Result<null, string>> {
    if (!(await isLoaded())) return ok(null);
    const out = await run("launchctl", ["bootout", service]);
    // launchctl does not wait for the end, and what is not gone yet cannot be loaded again.
    for (const deadline = performance.now() + GONE_MS; performance.now() < deadline;) {
      if (!(await isLoaded())) return ok(null);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    return fail(out.ok ? "launchctl bootout: the service does not end" : out.failure.why);
  }

  async function load(): Promise<Result<null, string>> {
    await prepareLog(logFile);
    // A service that was disabled once stays so until it is enabled.
    await run("launchctl", ["enable", service]);
    const loaded = await run("launchctl", ["bootstrap", domain, unitPath]);
    return loaded.ok ? ok(null) : fail(loaded.failure.why);
  }

  return {
    title: "a LaunchAgent",
    unitPath,
    hint: null,
    unitText: async (plan) => toLaunchAgent(plan, logFile),
    async install(plan) {
      const written = await writeUnit(unitPath, await toLaunchAgent(plan, logFile));
      if (!written.ok) return written;
      const stopped = await unload();
      return stopped.ok ? load() : stopped;
    },
    async uninstall() {
      const stopped = await unload();
      return stopped.ok ? removeUnit(unitPath) : stopped;
    },
    async start() {
      if (!(await isLoaded())) return load();
      const started = await run("launchctl", ["kickstart", "-k", service]);
      return started.ok ? ok(null) : fail(started.failure.why);
    },
    stop: unload,
    async status() {
      const installed = await exists(unitPath);
      const printed = await run("launchctl", ["print", service]);
      if (printed.ok) return ok({ installed, ...parsePrint(printed.value) });
      return ok({ installed, running: false, pid: null, state: installed ? "not loaded" : "not installed" });
    },
    logCommand: (lines, follow) => ["tail", "-n", String(lines), ...(follow ? ["-F"] : []), logFile],
  };
}

/** `launchctl print` is for people; these lines have been the same since macOS 10.10. */
function parsePrint(text: string): Omit<ServiceStatus, "installed"> {
  const field = (name: string): string | null =>
    new RegExp(String.raw`^\s*${name} = (.+)$`, "m").exec(text)?.[1] ?? null;
  const running = field("state") === "running";
  const lastExit = field("last exit code");
  const state = running || lastExit === null ? (field("state") ?? "loaded") : `ended with ${lastExit}`;
  const pid = field("pid");
  return { running, pid: pid === null ? null : Number(pid), state };
}

async function prepareLog(logFile: string): Promise<void> {
  await mkdir(dirname(logFile), { recursive: true, mode: 0o700 });
  const size = (await stat(logFile).catch(() => null))?.size ?? 0;
  if (size > MAX_LOG_BYTES) {
    await rm(`${logFile}.1`, { force: true });
    await rename(logFile, `${logFile}.1`);
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}
