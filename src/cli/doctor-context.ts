/** What the doctor's checks look through: the same adapters as the bridge's own, made only when a check asks. */
import { existsSync } from "node:fs";
import { access, constants, stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { toCodexEnvironment } from "../codex/environment.ts";
import { askCodexDoctor } from "../codex/self-check.ts";
import { homeProblemOf } from "../codex/home-problem.ts";
import { findCodex } from "../codex/install.ts";
import type { Config, ConfigProblem } from "../config/load.ts";
import type { BridgeSight, CodexLook, DoctorContext, ServiceSight, StateFacts } from "../doctor/context.ts";
import { credentialOf } from "../doctor/credential.ts";
import { createProbe, jsonOf, type Probe } from "../doctor/probe.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import type { Result } from "../lib/result.ts";
import { packageRoot, version } from "../lib/version.ts";
import { createOwnProof } from "./own-proof.ts";
import { createCodexDriver } from "./codex-driver.ts";
import { hasAuth } from "./door-check.ts";
import { createDiskWorkspace } from "./disk-workspace.ts";
import { identifyProjects, judgePlaces } from "./projects.ts";
import { isStateLocked, makeStateDirectory } from "./state-lock.ts";
import type { Terminal } from "./terminal.ts";
import { projectPlaces } from "./trusted-path.ts";

export interface OpenDoctorContext extends DoctorContext {
  /** Ends the Codex that was started for the checks. */
  close(): Promise<void>;
}

export async function openDoctorContext(
  environment: Terminal["environment"],
  config: Result<Config, readonly ConfigProblem[]>,
  storeProblems: readonly string[],
): Promise<OpenDoctorContext> {
  const fixed = { version, nodeVersion: process.versions.node, config, storeProblems };
  if (!config.ok) return { ...fixed, ...NOTHING, close: async () => {} };
  const settings = config.value;
  const host = reachable(settings.host);
  const probe = createProbe(host, settings.port);
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${settings.port}`;
  const projects = once(async () => identifyProjects(settings));
  const state = once(async () => lookAtState(settings, environment));
  const { codex, close } = await lookAtCodex(settings, environment, state);
  return {
    ...fixed,
    projects,
    state,
    codex,
    probe,
    close,
    scan: async ({ root }, signal) => {
      const found = await projects();
      const roots = found.ok ? found.value.map((project) => project.root.path) : [];
      const nothing = (): void => {};
      const workspace = createDiskWorkspace(settings, environment, {
        roots: async () => roots,
        onFindings: nothing,
        onSecrets: nothing,
        onTrouble: nothing,
      });
      return workspace.scan(root, { signal });
    },
    tunnel: async (signal) => {
      const { lookAtTunnel } = await import("./doctor-tunnel.ts");
      return lookAtTunnel(settings, environment, signal);
    },
    service: async () => lookAtService(environment),
    mayAnybodyCall: async () => settings.tunnel === "openai" || hasAuth(settings, systemClock.now()),
    bridge: once(async () => (settings.port === 0 ? { kind: "unknown_port" } : sightOf(probe, url))),
    credential: credentialOf(settings),
    toolsFingerprint: once(async () => {
      const [{ tools }, { fingerprintOf, toWireTools }] = await Promise.all([
        import("../tools/index.ts"),
        import("../tools/tool-list.ts"),
      ]);
      return fingerprintOf(toWireTools(tools));
    }),
  };
}

async function unasked(): Promise<never> {
  throw new Error("this is not asked where the configuration is wrong");
}

const NOTHING = {
  projects: unasked,
  scan: unasked,
  state: unasked,
  codex: {
    find: unasked,
    homeProblem: unasked,
    connect: unasked,
    picked: () => ({ backend: null, why: "" }),
    prove: unasked,
    selfCheck: unasked,
  },
  tunnel: unasked,
  service: unasked,
  mayAnybodyCall: unasked,
  bridge: unasked,
  probe: { send: unasked },
  credential: null,
  toolsFingerprint: unasked,
};

async function lookAtService(environment: Terminal["environment"]): Promise<ServiceSight> {
  const { serviceManagerFor } = await import("./service-manager.ts");
  const manager = serviceManagerFor(process.platform, environment);
  if (manager === null)
    return { kind: "none", why: "there is no service manager here that the bridge knows" };
  // Nobody asks a service manager that may not even run for a service that was never installed.
  if (!existsSync(manager.unitPath)) return { kind: "none", why: "not installed" };
  const status = await manager.status();
  if (!status.ok) return { kind: "none", why: `not known: ${status.failure}` };
  const { installed, running, state } = status.value;
  return installed
    ? { kind: "installed", isRunning: running, state }
    : { kind: "none", why: "not installed" };
}

async function lookAtCodex(
  config: Config,
  environment: Terminal["environment"],
  state: () => Promise<StateFacts>,
): Promise<{ codex: CodexLook; close: () => Promise<void> }> {
  const env = await toCodexEnvironment(environment, config.mcpServers, silentLog);
  const path = environment["PATH"] ?? "";
  const children = { note: async () => {} };
  const driver = createCodexDriver(config, {
    environment,
    children,
    clock: systemClock,
    log: silentLog,
  });
  const closing = new AbortController();
  const proof = createOwnProof({
    stateDir: config.stateDir,
    backend: driver,
    environment,
    clock: systemClock,
    log: silentLog,
  });
  const codex: CodexLook = {
    find: once(async () =>
      findCodex(
        {
          codex: config.codex,
          path,
          env,
          skipUnder: packageRoot,
          isInProject: await projectPlaces(config.projects),
        },
        closing.signal,
      ),
    ),
    homeProblem: async () => homeProblemOf(env),
    connect: once(async () => {
      // Codex starts in it, and the canary plays in it.
      if ((await state()).kind === "missing") await makeStateDirectory(config.stateDir);
      return driver.ready();
    }),
    picked: () => driver.status(),
    prove: async (facts) => proof.ensure(facts),
    selfCheck: async ({ command }, signal) => askCodexDoctor(command, env, signal),
  };
  return {
    codex,
    async close() {
      closing.abort();
      await Promise.all([proof.close(), driver.close()]);
    },
  };
}

const LEAST_FREE_BYTES = 1024 * 1024;

async function lookAtState(config: Config, environment: Terminal["environment"]): Promise<StateFacts> {
  const directory = config.stateDir;
  const none = { directory, mode: null, isLocked: false };
  const found = await stat(directory).catch(() => null);
  if (found === null) {
    const problem = (await isWritable(dirname(directory))) ? null : `${directory} cannot be made here`;
    return { ...none, kind: "missing", problem };
  }
  if (!found.isDirectory()) return { ...none, kind: "unusable", problem: `${directory} is no directory` };
  const projects = await identifyProjects(config);
  const [misplaced] = projects.ok ? await judgePlaces(config, projects.value, environment) : [];
  const mode = found.mode & 0o777;
  const facts = { directory, kind: "directory", mode, isLocked: await isStateLocked(directory) } as const;
  if (misplaced !== undefined) return { ...facts, problem: `${misplaced.setting}: ${misplaced.problem}` };
  if (!(await isWritable(directory))) return { ...facts, problem: `${directory} cannot be written` };
  const { bavail, bsize } = await statfs(directory);
  const isFull = bavail * bsize < LEAST_FREE_BYTES;
  return { ...facts, problem: isFull ? `the disk of ${directory} is full` : null };
}

async function isWritable(path: string): Promise<boolean> {
  try {
    await access(path, constants.W_OK);
    return true;
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    return isMissing && dirname(path) !== path && isWritable(dirname(path));
  }
}

/** An address to listen on is not always one to connect to. */
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

const SIGHT_MS = 5_000;

async function sightOf(probe: Probe, url: string): Promise<BridgeSight> {
  try {
    const reply = await probe.send({ method: "GET", path: "/healthz" }, AbortSignal.timeout(SIGHT_MS));
    const { name, version: theirs } = jsonOf(reply);
    const isBridge = name === "codex-gpt-bridge" && typeof theirs === "string";
    return isBridge ? { kind: "running", version: theirs, url } : { kind: "stranger", url };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    if (code === "ECONNREFUSED") return { kind: "absent", url };
    // What does not speak HTTP is no bridge.
    if (typeof code === "string" && code.startsWith("HPE_")) return { kind: "stranger", url };
    const isLate = error instanceof Error && error.name === "AbortError";
    return { kind: "unreachable", url, reason: isLate ? "it does not answer" : String(code ?? error) };
  }
}

function once<T>(find: () => Promise<T>): () => Promise<T> {
  let found: Promise<T> | null = null;
  return async () => (found ??= find());
}
