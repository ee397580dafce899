/**
 * The whole house in process, from MCP to a scripted Codex: real policy, real workspace on a real directory, real
 * runner, real HTTP room without a socket. Callers are told apart by their bearer token, which is their name; "alice/read"
 * is alice with a credential that may only read, "alice/none" with one that may nothing.
 */
import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { scopesFor } from "../../src/auth/caller.ts";
import { createChallenges } from "../../src/auth/challenge.ts";
import { createMemoryAuditLog } from "../../src/audit/memory-audit-log.ts";
import { createCodex } from "../../src/codex/codex.ts";
import type { ConfinementProof } from "../../src/codex/confinement-proof.ts";
import { callOf, createApp } from "../../src/http/app.ts";
import { createMemoryJobStore, createMemoryThreadStore } from "../../src/jobs/memory-store.ts";
import { createRunner } from "../../src/jobs/runner.ts";
import { systemClock, type Clock } from "../../src/lib/clock.ts";
import type { Log, LogFields } from "../../src/lib/log.ts";
import { fail, ok, type Result } from "../../src/lib/result.ts";
import type { CodexInstall } from "../../src/codex/install.ts";
import type { Ceiling, Project } from "../../src/policy/decide.ts";
import type { Failure } from "../../src/policy/failure.ts";
import { tools } from "../../src/tools/index.ts";
import { createMcpServerFactory } from "../../src/tools/mcp-server.ts";
import type { ToolRoom } from "../../src/tools/room.ts";
import { fingerprintOf, toWireTools } from "../../src/tools/tool-list.ts";
import { createWorkspace } from "../../src/workspace/workspace.ts";
import { identityOf, openCeiling } from "../support/grant.ts";
import { createScriptedBackend } from "../support/scripted-backend.ts";

export interface HouseOptions {
  readonly ceiling?: Partial<Ceiling>;
  /** Names of projects below the house's own directory; the first exists with a directory `sub`. */
  readonly projects?: readonly (Partial<Omit<Project, "root">> & { readonly name: string })[];
  readonly fastReturnMs?: number;
  readonly jobMs?: number;
  readonly maxConcurrent?: number;
  readonly maxQueue?: number;
  readonly jobsPerHour?: number;
  readonly proven?: boolean;
  readonly redact?: (text: string) => string;
  readonly room?: Partial<ToolRoom>;
  /** The HTTP room's time; a fast one lets a crowd of refusals out at once. */
  readonly httpClock?: Clock;
}

export interface Answer {
  readonly isError: boolean;
  readonly text: string;
  /** The structured content; a field that is not there is undefined. */
  readonly content: Record<string, unknown>;
}

const install: CodexInstall = {
  command: "/opt/codex/bin/codex",
  version: "0.169.0",
  programDirectories: [],
  hasMcpServer: false,
};

export async function startHouse(options: HouseOptions = {}) {
  const base = await realpath(await mkdtemp(join(tmpdir(), "house-")));
  const projects: Project[] = [];
  for (const project of options.projects ?? [{ name: "sample" }]) {
    await mkdir(join(base, project.name, "sub"), { recursive: true });
    const root = await identityOf(join(base, project.name));
    projects.push({ write: null, secrets: "refuse", model: null, effort: null, ...project, root });
  }
  const backend = createScriptedBackend();
  const logLines: { fields: LogFields; message: string }[] = [];
  const write = (fields: LogFields, message: string): void => void logLines.push({ fields, message });
  const log: Log = { debug: write, info: write, warn: write, error: write };
  const clock = systemClock;
  const redact = options.redact ?? ((text: string) => text);
  let found: Result<CodexInstall, Failure> = ok(install);
  let ahead = 0;
  const codex = createCodex({
    choice: "auto",
    find: async () => found,
    drivers: { "app-server": () => backend, "mcp-server": () => backend },
    clock: { ...clock, monotonic: () => clock.monotonic() + ahead },
    log,
  });
  const jobs = createMemoryJobStore();
  const threads = createMemoryThreadStore();
  let ids = 0;
  const runner = createRunner({
    backend: codex,
    jobs,
    threads,
    clock,
    log,
    maxConcurrent: options.maxConcurrent ?? 4,
    maxQueue: options.maxQueue ?? 16,
    jobsPerHour: options.jobsPerHour ?? 0,
    newId: () => `job-${(ids += 1)}`,
    redact,
    onEnd() {},
    recheck: async () => null,
    rootOf: () => null,
    async lookFirst() {},
  });
  const verdict = options.proven === false ? unproven : ({ state: "proven" } as const);
  const confinement: ConfinementProof = {
    verdict: () => verdict,
    isJudged: () => true,
    ensure: async () => verdict,
  };
  const challenges = createChallenges(null);
  const room: ToolRoom = {
    version: "1.2.3",
    ceiling: { ...openCeiling, allowWrite: false, ...options.ceiling },
    projects,
    limits: { fastReturnMs: options.fastReturnMs ?? 5_000, jobMs: options.jobMs ?? 60_000 },
    auth: "token",
    challenges,
    confinement,
    codex,
    runner,
    jobs,
    threads,
    audit: createMemoryAuditLog({ prompts: "hash", redact }, clock),
    redactions: () => 0,
    storage: () => "ok",
    toolsFingerprint: () => fingerprintOf(toWireTools(tools)),
    workspace: createWorkspace({
      exceptions: async () => [],
      now: () => clock.now(),
      scanDeadlineMs: 5_000,
      onFindings() {},
      onSecrets() {},
    }),
    clock,
    log,
    home: base,
    redact,
    ...options.room,
  };
  const { app, close } = createApp({
    version: "1.2.3",
    allowedHosts: [],
    authenticate(request) {
      const sent = request.headers.get("authorization")?.replace("Bearer ", "") ?? "";
      const [subject = "", scope] = sent.split("/");
      if (subject === "") return fail({ code: "no_credential" });
      const scopes = scope === "none" ? [] : scopesFor(scope === "read" ? "read" : "write");
      return ok({ subject, scopes, via: "static-token" });
    },
    challenges,
    mcpServer: createMcpServerFactory(tools, room, callOf, new Set()),
    readiness: () => ({ ok: true }),
    metrics: null,
    restoreHeaders: false,
    clock: options.httpClock ?? clock,
    log,
  });

  const clients = new Map<string, Client>();
  async function clientOf(caller: string): Promise<Client> {
    const known = clients.get(caller);
    if (known !== undefined) return known;
    const client = new Client({ name: "tester", version: "1" }, { versionNegotiation: { mode: "auto" } });
    const transport = new StreamableHTTPClientTransport(new URL("http://localhost/mcp"), {
      requestInit: { headers: { authorization: `Bearer ${caller}` } },
      fetch: async (url, init) => app.fetch(new Request(url, init)),
    });
    await client.connect(transport);
    await client.listTools(); // the client checks structured content against the schemas that it knows
    clients.set(caller, client);
    return client;
  }

  async function call(
    name: string,
    args: Record<string, unknown> = {},
    from: { caller?: string; conversation?: string } = {},
  ): Promise<Answer> {
    const client = await clientOf(from.caller ?? "alice");
    const meta = from.conversation === undefined ? {} : { _meta: { "openai/session": from.conversation } };
    const result = await client.callTool({ name, arguments: args, ...meta });
    const [block] = result.content;
    if (block?.type !== "text") throw new Error("no text");
    return {
      isError: result.isError === true,
      text: block.text,
      content: result.structuredContent as Record<string, unknown>,
    };
  }

  return {
    base,
    app,
    backend,
    runner,
    room,
    logLines,
    call,
    clientOf,
    /** What the search for Codex finds from now on, and that it is time to search again. */
    becomeInstalled: (next: Result<CodexInstall, Failure>): void => {
      found = next;
      ahead += 60_000;
    },
    async stop() {
      for (const client of clients.values()) await client.close();
      await runner.close(0);
      await close();
      await rm(base, { recursive: true, force: true });
    },
  };
}

export type House = Awaited<ReturnType<typeof startHouse>>;

const unproven = { state: "unproven", reason: "it was not tried yet" } as const;
