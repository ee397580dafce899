/** Makes the real bridge out of a Config: every adapter is constructed here and nowhere else. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { McpServerFactory } from "@modelcontextprotocol/server";
import { nanoid } from "nanoid";
import { knownSecrets } from "../audit/known-secrets.ts";
import { createRecentCalls } from "../audit/recent-calls.ts";
import { createRedactor } from "../audit/redact.ts";
import { createAuthenticate } from "../auth/bearer.ts";
import { createCodex, type Codex } from "../codex/codex.ts";
import { codexHome, toCodexEnvironment } from "../codex/environment.ts";
import { findCodex, type CodexInstall } from "../codex/install.ts";
import type { BackendFacts, BackendParts } from "../codex/backend.ts";
import type { CanaryTerms } from "../codex/canary.ts";
import { createConfinementProof, type ConfinementProof } from "../codex/confinement-proof.ts";
import type { Config, ConfigProblem } from "../config/load.ts";
import { callOf, createApp, type BridgeApp } from "../http/app.ts";
import { createMemoryJobStore, createMemoryThreadStore } from "../jobs/memory-store.ts";
import { createRunner } from "../jobs/runner.ts";
import { systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { packageRoot, version } from "../lib/version.ts";
import { decideTurn, isSameDirectory, type Ceiling, type Project } from "../policy/decide.ts";
import type { Failure } from "../policy/failure.ts";
import type { Grant } from "../policy/grant.ts";
import { tools } from "../tools/index.ts";
import type { ToolRoom } from "../tools/room.ts";
import { fingerprintOf, toWireTools } from "../tools/tool-list.ts";
import { identifyDirectory } from "../workspace/directory.ts";
import { createWorkspace } from "../workspace/workspace.ts";

export interface BridgeSurroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

export interface Bridge {
  readonly http: BridgeApp;
  readonly codex: Codex;
  readonly projects: readonly Project[];
  /** Starts Codex and proves its confinement, as the first call would; the bridge serves meanwhile. */
  makeReady(): Promise<Result<BackendFacts, Failure>>;
  /** Lets running jobs end within `graceMs`, then ends everything. */
  close(graceMs: number): Promise<void>;
}

export async function createBridge(
  config: Config,
  surroundings: BridgeSurroundings,
): Promise<Result<Bridge, ConfigProblem[]>> {
  // Modules are most of the start: those that need Codex or a call are loaded after the port is open (makeReady).
  const { log, environment } = surroundings;
  const clock = systemClock;
  const projects = await identifyProjects(config);
  if (!projects.ok) return projects;
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 });

  const ceiling: Ceiling = {
    allowWrite: config.allowWrite,
    defaultSandbox: config.defaultSandbox,
    approvalPolicy: config.approvalPolicy,
    network: config.network,
    mcpServers: config.mcpServers,
    models: config.models,
    confinement: config.confinement,
  };
  const env = await toCodexEnvironment(environment, config.mcpServers, log);
  const partsOf = (install: CodexInstall): BackendParts => ({
    install,
    env,
    cwd: config.stateDir,
    clock,
    log,
    silenceMs: config.modelSilenceMs,
  });
  const codex = createCodex({
    choice: config.backend === "exec" ? "auto" : config.backend,
    find: async () =>
      findCodex({
        codex: config.codex,
        path: environment["PATH"] ?? "",
        env,
        skipUnder: packageRoot,
      }),
    drivers: {
      "app-server": async (install) => {
        const { createAppServerBackend } = await import("../codex/app-server/backend.ts");
        return createAppServerBackend(partsOf(install), version);
      },
      "mcp-server": async (install) => {
        const { createAppServerBackend } = await import("../codex/app-server/backend.ts");
        const { createMcpServerBackend } = await import("../codex/mcp-server/backend.ts");
        const parts = partsOf(install);
        return createMcpServerBackend(parts, createAppServerBackend(parts, version), version);
      },
    },
    clock,
    log,
  });
  const workspace = createWorkspace({
    scanDeadlineMs: config.scanDeadlineMs,
    onFindings: (root, paths) => {
      log.warn({ root, paths }, "secret files found; nothing was started");
    },
  });
  const { redact } = createRedactor({
    secrets: knownSecrets([config.token, config.headerSecret], environment),
    roots: projects.value.map(({ name, root }) => ({ path: root.path, name })),
    ...(environment["HOME"] === undefined ? {} : { home: environment["HOME"] }),
  });
  const jobs = createMemoryJobStore();
  const threads = createMemoryThreadStore();
  const runner = createRunner({
    backend: codex,
    jobs,
    threads,
    clock,
    log,
    maxConcurrent: config.maxConcurrent,
    maxQueue: config.queue,
    newId: () => nanoid(),
    redact,
    recheck: async (grant) => recheckDirectories(grant),
  });
  const confinement = createConfinementProof({
    run: async () => {
      const { runCanary } = await import("../codex/canary.ts");
      return runCanary({
        backend: codex,
        scratch: join(config.stateDir, "canary"),
        grantFor: grantForCanary,
      });
    },
    cacheFile: join(config.stateDir, "confinement.json"),
    codexHome: codexHome(env),
    clock,
    log,
  });
  let fingerprint: string | null = null;
  let mcpServer: Promise<McpServerFactory> | null = null;
  const room: ToolRoom = {
    version,
    ceiling,
    projects: projects.value,
    limits: { fastReturnMs: config.fastReturnMs, jobMs: config.upstreamTimeoutMs },
    auth: authName(config),
    confinement,
    codex,
    runner,
    jobs,
    threads,
    recentCalls: createRecentCalls(),
    toolsFingerprint: () => (fingerprint ??= fingerprintOf(toWireTools(tools))),
    workspace,
    clock,
    log,
    home: environment["HOME"] ?? null,
    redact,
  };
  const http = createApp({
    version,
    allowedHosts: config.allowedHosts,
    authenticate: createAuthenticate({
      token: config.token ?? null,
      noAuth: config.noAuth,
      headerSecret: config.headerSecret ?? null,
    }),
    mcpServer: async (context) => (await (mcpServer ??= loadMcpServer(room)))(context),
    readiness: () => readinessOf(codex, confinement),
    metrics: null,
    restoreHeaders: isLoopback(config.host),
    clock,
    log,
  });
  return ok({
    http,
    codex,
    projects: projects.value,
    async makeReady() {
      const usable = await codex.ready();
      await Promise.all([http.load(), (mcpServer ??= loadMcpServer(room))]);
      if (usable.ok) await confinement.ensure(usable.value);
      return usable;
    },
    async close(graceMs) {
      await runner.close(graceMs);
      await codex.close();
      await http.close();
    },
  });
}

async function loadMcpServer(room: ToolRoom): Promise<McpServerFactory> {
  const { createMcpServerFactory } = await import("../tools/mcp-server.ts");
  return createMcpServerFactory(tools, room, callOf);
}

async function identifyProjects(config: Config): Promise<Result<Project[], ConfigProblem[]>> {
  const problems: ConfigProblem[] = [];
  const projects: Project[] = [];
  for (const {
    name,
    path,
    write = null,
    secrets = config.secrets,
    model = null,
    effort = null,
  } of config.projects) {
    const root = await identifyDirectory(path);
    if (root === null)
      problems.push({ setting: `project ${name}`, problem: `${path} is no directory that can be read` });
    else projects.push({ name, root, write, secrets, model, effort });
  }
  return problems.length === 0 ? ok(projects) : fail(problems);
}

/** A root or a working directory that was swapped since it was judged is not worked in. */
async function recheckDirectories(grant: Grant): Promise<Failure | null> {
  for (const granted of [grant.root, grant.cwd]) {
    const now = await identifyDirectory(granted.path);
    if (now === null || !isSameDirectory(now, granted)) return { code: "cwd_not_allowed" };
  }
  return null;
}

function readinessOf(
  codex: Codex,
  confinement: ConfinementProof,
): { ok: true } | { ok: false; reason: string } {
  const { facts, failure } = codex.status();
  if (failure !== null) return { ok: false, reason: failure.code };
  if (facts === null || !confinement.isJudged()) return { ok: false, reason: "starting" };
  return { ok: true };
}

/** The canary's own small project, decided by the same policy as every other. */
async function grantForCanary(terms: CanaryTerms): Promise<Grant> {
  const root = await identifyDirectory(terms.root);
  if (root === null) throw new Error("the canary's directory is gone");
  const decision = decideTurn({
    ceiling: {
      allowWrite: true,
      defaultSandbox: "read-only",
      approvalPolicy: "never",
      network: false,
      mcpServers: [],
      models: [],
      confinement: "required",
    },
    project: { name: "canary", root, write: true, secrets: "mask", model: null, effort: null },
    rootNow: root,
    cwd: root,
    scan: { kind: "secrets", kinds: {}, more: false, paths: terms.secretPaths },
    confinementIsProven: true,
    sandbox: terms.sandbox,
    model: null,
    effort: null,
  });
  if (!decision.ok) throw new Error(`the policy refuses the canary: ${decision.failure.code}`);
  return decision.value;
}

function authName(config: Config): string {
  if (config.noAuth) return "none";
  if (config.token !== undefined)
    return config.headerSecret === undefined ? "token" : "token or header secret";
  return "header secret";
}

export function isLoopback(host: string): boolean {
  return host === "127.0.0.1" || host === "::1" || host === "localhost";
}
