/** Makes the real bridge out of a Config: every adapter is constructed here and nowhere else. */
import type { McpServerFactory } from "@modelcontextprotocol/server";
import { knownSecrets } from "../audit/known-secrets.ts";
import { openFileAuditLog } from "../audit/file-audit-log.ts";
import { auditDirectoryOf } from "../audit/audit-directory.ts";
import { toRequestEntry } from "../audit/audit-entry.ts";
import { createRedactor } from "../audit/redact.ts";
import { createChallenges } from "../auth/challenge.ts";
import type { OAuth } from "../auth/oauth/oauth.ts";
import { createScannedSecrets, type ScannedSecrets } from "../audit/scanned-secrets.ts";
import type { Codex } from "../codex/codex.ts";
import type { BackendFacts } from "../codex/backend.ts";
import type { Config } from "../config/load.ts";
import { callOf, createApp, type BridgeApp } from "../http/app.ts";
import { JOB_ID_LENGTH } from "../jobs/job.ts";
import { createRunner } from "../jobs/runner.ts";
import { createWatchedBackend } from "../jobs/watched-backend.ts";
import { systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { isLoopback } from "../lib/loopback.ts";
import { plainIds } from "../lib/plain-id.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { version } from "../lib/version.ts";
import { createMeter } from "../metrics/meter.ts";
import type { Ceiling, Project } from "../policy/decide.ts";
import type { Failure } from "../policy/failure.ts";
import type { ToolRoom } from "../tools/room.ts";
import { FIRST_LOOK_MS } from "../workspace/workspace.ts";
import { createCodexDriver } from "./codex-driver.ts";
import { authName, createDoorCheck } from "./door-check.ts";
import { createDiskWatch, createDiskWorkspace } from "./disk-workspace.ts";
import { createFirstLook } from "./first-look.ts";
import { createJobEnds } from "./job-ends.ts";
import { createOwnProof } from "./own-proof.ts";
import { identifyProjects, recheckGrant } from "./projects.ts";
import { allowedHostsOf, openSignIn, ownSecrets } from "./sign-in-parts.ts";
import { readinessOf } from "./readiness.ts";
import { spendOf } from "./spend.ts";
import { takeState, type StartFailure } from "./state.ts";

export interface BridgeSurroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** Host names, besides the allowed ones, under which the bridge is reached at the moment: a tunnel's. */
  readonly currentHosts?: () => readonly string[];
  /** What looks through the projects see is put in here, for redactors outside. */
  readonly scanned?: ScannedSecrets;
}

export interface Bridge {
  readonly http: BridgeApp;
  readonly codex: Codex;
  readonly projects: readonly Project[];
  /** Starts Codex and proves its confinement, as the first call would; the bridge serves meanwhile. */
  makeReady(): Promise<Result<BackendFacts, Failure>>;
  /** Looks for secrets in all projects, so that the owner hears of them now and the first call need not wait. */
  lookThrough(): Promise<void>;
  /** Where clients sign in; null where they cannot. */
  readonly oauth: OAuth | null;
  /** Lets running jobs end within `graceMs`, then ends everything. */
  close(graceMs: number): Promise<void>;
}

const newJobId = plainIds(JOB_ID_LENGTH);

export async function createBridge(
  config: Config,
  surroundings: BridgeSurroundings,
): Promise<Result<Bridge, StartFailure>> {
  // Modules are most of the start: those that need Codex or a call are loaded after the port is open (makeReady).
  const { log, environment, scanned = createScannedSecrets() } = surroundings;
  const clock = systemClock;
  const projects = await identifyProjects(config);
  if (!projects.ok) return projects;
  const state = await takeState(config, projects.value, environment, clock, log);
  if (!state.ok) return state;
  const { storage, children: registry } = state.value;
  const { jobs, threads } = storage;
  const meter = createMeter(clock);
  const children = meter.children(registry);

  const ceiling: Ceiling = {
    allowWrite: config.allowWrite,
    defaultSandbox: config.defaultSandbox,
    approvalPolicy: config.approvalPolicy,
    network: config.network,
    mcpServers: config.mcpServers,
    models: config.models,
    confinement: config.confinement,
  };
  const codex = createCodexDriver(config, { environment, children, clock, log });
  const roots = projects.value.map(({ root }) => root.path);
  const workspace = meter.workspace(
    createDiskWorkspace(config, environment, {
      roots: async () => roots,
      onFindings: (root, paths) => {
        log.warn({ root, paths }, "secret files found in a project");
      },
      onSecrets: (root, values, isWhole) => {
        scanned.replace(root, values, isWhole);
      },
      onTrouble: (why) => {
        log.warn({ why }, "the exceptions are not honoured");
      },
    }),
  );
  const redactor = createRedactor({
    secrets: knownSecrets(ownSecrets(config), environment),
    scanned,
    roots: projects.value.map(({ name, root }) => ({ path: root.path, name })),
    ...(environment["HOME"] === undefined ? {} : { home: environment["HOME"] }),
  });
  const { redact } = redactor;
  const opened = await openFileAuditLog({
    directory: auditDirectoryOf(config.stateDir),
    prompts: config.auditPrompts,
    redact,
    clock,
    log,
    keepDays: config.auditKeepDays,
    keepBytes: config.auditKeepMb * 1024 * 1024,
  });
  if (!opened.ok) {
    await state.value.close();
    return fail([{ setting: "audit log", problem: opened.failure }]);
  }
  const audit = meter.audit(opened.value);
  const signIn = await openSignIn(config, { clock, log, audit });
  if (!signIn.ok) {
    await audit.close();
    await state.value.close();
    return signIn;
  }
  const oauth = signIn.value;
  audit.record({ type: "start", version, projects: projects.value.map(({ name }) => name) });
  const auditDirectory = auditDirectoryOf(config.stateDir);
  const jobEnds = createJobEnds({ audit, auditDirectory, ends: storage.ends, log });
  await jobEnds.recordMissing();
  const closing = new AbortController();
  const firstLook = createFirstLook(
    projects.value,
    async (root) => workspace.scan(root, { deadlineMs: FIRST_LOOK_MS, signal: closing.signal }),
    log,
    closing.signal,
  );
  const runner = createRunner({
    backend: createWatchedBackend(codex, createDiskWatch(), clock),
    jobs,
    threads,
    clock,
    log,
    maxConcurrent: config.maxConcurrent,
    maxQueue: config.queue,
    jobsPerHour: config.jobsPerHour,
    newId: newJobId,
    redact,
    recheck: async (grant, waitedMs) => {
      const project = projects.value.find(({ name }) => name === grant.project);
      const looks = project !== undefined && project.secrets !== "off";
      return recheckGrant(grant, looks ? waitedMs : 0, async (root) => workspace.scan(root));
    },
    rootOf: (name) => projects.value.find((project) => project.name === name)?.root.path ?? null,
    lookFirst: async (name) => firstLook.through(name),
    onEnd: (job) => {
      jobEnds.record(job);
    },
  });
  await runner.adopt();
  storage.hearOwner(runner);
  const { stateDir } = config;
  const confinement = createOwnProof({ stateDir, backend: codex, environment, clock, log });
  const recordedCalls = new Set<string>();
  let fingerprint = (): string => "";
  let mcpServer: Promise<McpServerFactory> | null = null;
  const challenges = createChallenges(oauth?.metadataUrl ?? null);
  const room: ToolRoom = {
    version,
    challenges,
    ceiling,
    projects: projects.value,
    limits: { fastReturnMs: config.fastReturnMs, jobMs: config.upstreamTimeoutMs },
    auth: authName(config),
    confinement,
    codex,
    runner,
    jobs,
    threads,
    storage: () => storage.state(),
    audit,
    redactions: () => redactor.count(),
    toolsFingerprint: () => fingerprint(),
    workspace,
    clock,
    log,
    home: environment["HOME"] ?? null,
    redact,
  };
  const door = createDoorCheck(config, oauth?.verify ?? null, clock, log);
  const http = createApp({
    version,
    allowedHosts: allowedHostsOf(config),
    authenticate: door.authenticate,
    challenges,
    oauth,
    currentHosts: surroundings.currentHosts ?? (() => []),
    mcpServer: async (context) => (await (mcpServer ??= loadMcpServer()))(context),
    readiness: () => {
      const readiness = readinessOf(codex, confinement);
      // Whoever asks while it is not ready makes it look again (at most every few seconds).
      if (!readiness.ok) {
        makeReady().catch((error: unknown) => {
          log.error({ error: String(error) }, "the bridge could not be made ready");
        });
      }
      return readiness;
    },
    metrics: async () =>
      meter.text({
        version,
        codexVersion: codex.status().facts?.codexVersion ?? null,
        backend: codex.status().backend,
        isReady: readinessOf(codex, confinement).ok,
        confinementIsProven: confinement.verdict().state === "proven",
        auditIsWritten: audit.health().ok,
        storageIsWritten: storage.state().startsWith("ok"),
        jobs: runner.counts(),
        limits: { running: config.maxConcurrent, queued: config.queue },
        redactions: redactor.count(),
        spendUsd: await spendOf(config.stateDir, clock, log),
      }),
    restoreHeaders: isLoopback(config.host),
    clock,
    log,
    onArrival: (arrival) => {
      // A tool call has its line already, with more in it.
      if (!recordedCalls.delete(arrival.requestId)) audit.record(toRequestEntry(arrival));
    },
  });
  async function loadMcpServer(): Promise<McpServerFactory> {
    const [{ createMcpServerFactory }, { tools }, { fingerprintOf, toWireTools }] = await Promise.all([
      import("../tools/mcp-server.ts"),
      import("../tools/index.ts"),
      import("../tools/tool-list.ts"),
    ]);
    let made: string | null = null;
    fingerprint = () => (made ??= fingerprintOf(toWireTools(tools)));
    return createMcpServerFactory(tools, room, callOf, recordedCalls);
  }

  async function makeReady(): Promise<Result<BackendFacts, Failure>> {
    const usable = await codex.ready();
    await Promise.all([http.load(), (mcpServer ??= loadMcpServer()), oauth?.load()]);
    if (usable.ok) await confinement.ensure(usable.value);
    return closing.signal.aborted
      ? fail({ code: "interrupted", reason: "The bridge was shut down." })
      : usable;
  }
  return ok({
    http,
    codex,
    projects: projects.value,
    oauth,
    makeReady,
    lookThrough: async () => firstLook.throughAll(),
    async close(graceMs) {
      closing.abort();
      const judged = confinement.close();
      await runner.close(graceMs);
      await codex.close();
      await judged;
      await http.close();
      door.close();
      oauth?.close();
      await jobEnds.settled();
      audit.record({ type: "stop" });
      await audit.close();
      await state.value.close();
    },
  });
}
