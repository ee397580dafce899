import { isAbsolute, relative, sep } from "node:path";
import { z } from "zod";
import { mayWriteTo, type Project } from "../policy/decide.ts";
import { toRefusal } from "./refusal.ts";
import { defineTool } from "./tool.ts";

const output = z.object({
  status: z.enum(["ready", "not_ready", "refused"]),
  nextAction: z.string(),
  version: z.string().optional(),
  allowedRoots: z.array(z.object({ name: z.string(), path: z.string() })).optional(),
  projects: z
    .array(
      z.object({ name: z.string(), write: z.boolean(), secrets: z.string(), model: z.string().nullable() }),
    )
    .optional(),
  defaultCwd: z.string().nullish(),
  defaultSandbox: z.string().optional(),
  allowWorkspaceWrite: z.boolean().optional(),
  allowDangerFullAccess: z.boolean().optional(),
  defaultApprovalPolicy: z.string().optional(),
  fastReturnMs: z.number().int().optional(),
  auth: z.string().optional(),
  backend: z.string().nullish(),
  backendReason: z.string().optional(),
  codexVersion: z.string().nullish(),
  codexLoggedIn: z.boolean().nullish(),
  upstreamTools: z.array(z.string()).optional(),
  confinement: z.object({ state: z.string(), reason: z.string().nullable() }).optional(),
  secrets: z.string().optional(),
  trackedSessions: z.number().int().optional(),
  trackedJobs: z.number().int().optional(),
  jobsRunning: z.number().int().optional(),
  jobsQueued: z.number().int().optional(),
  storage: z.string().optional(),
  audit: z.string().optional(),
  recentCalls: z
    .array(z.object({ at: z.string(), tool: z.string(), outcome: z.string(), requestId: z.string() }))
    .optional(),
  toolsFingerprint: z.string().optional(),
  error: z.object({ code: z.string(), message: z.string(), retryable: z.boolean() }).nullish(),
  ref: z.string().optional(),
});

/** What each driver calls on Codex; nothing else of Codex is reachable. */
const UPSTREAM = {
  "app-server": ["thread/start", "thread/resume", "thread/fork", "turn/start", "turn/interrupt"],
  "mcp-server": ["codex", "codex-reply"],
} as const;

/** Says what this bridge is and allows, from memory alone: it never waits for Codex. */
export const bridgeStatus = defineTool({
  name: "bridge_status",
  title: "Status of the bridge",
  description:
    "Which projects there are, what is allowed in them, whether Codex is ready, and which calls reached the bridge " +
    "lately. Changes nothing.",
  hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  scope: "read",
  input: z.strictObject({}),
  output,

  async run(_args, call, room) {
    const codex = room.codex.status();
    const refusal = codex.failure === null ? null : toRefusal(codex.failure);
    const { running, queued } = room.runner.counts();
    const [only] = room.projects;
    const health = room.audit.health();
    const verdict = room.confinement.verdict();
    const content: z.input<typeof output> = {
      status: codex.facts !== null && refusal === null ? "ready" : "not_ready",
      nextAction: refusal?.nextAction ?? NEXT,
      version: room.version,
      allowedRoots: room.projects.map((project) => ({
        name: project.name,
        path: shownPath(project, room.home),
      })),
      projects: room.projects.map((project) => ({
        name: project.name,
        write: mayWriteTo(project, room.ceiling),
        secrets: project.secrets,
        model: project.model,
      })),
      defaultCwd: only === undefined || room.projects.length > 1 ? null : shownPath(only, room.home),
      defaultSandbox: room.ceiling.defaultSandbox,
      allowWorkspaceWrite: room.projects.some((project) => mayWriteTo(project, room.ceiling)),
      allowDangerFullAccess: false,
      defaultApprovalPolicy: room.ceiling.approvalPolicy,
      fastReturnMs: room.limits.fastReturnMs,
      auth: room.auth,
      backend: codex.backend,
      backendReason: codex.why,
      codexVersion: codex.facts?.codexVersion ?? null,
      codexLoggedIn: codex.facts?.loggedIn ?? null,
      upstreamTools: codex.backend === null ? [] : [...UPSTREAM[codex.backend]],
      confinement: { state: verdict.state, reason: verdict.state === "proven" ? null : verdict.reason },
      secrets: secretsOf(room.projects),
      trackedSessions: await room.threads.count(),
      trackedJobs: await room.jobs.count(),
      jobsRunning: running,
      jobsQueued: queued,
      storage: room.storage(),
      audit: health.ok ? "ok" : health.reason,
      recentCalls: room.audit.recent(call.caller.subject, RECENT_CALLS),
      toolsFingerprint: room.toolsFingerprint(),
      error: refusal?.error ?? null,
    };
    return { kind: "answer", content, text: null };
  },
});

const RECENT_CALLS = 20;
const NEXT = "Use codex_read to ask about the project, codex_run to let Codex work on it.";

/** The strictest mode that all projects share, or "mixed". */
function secretsOf(projects: readonly Project[]): string {
  const modes = new Set(projects.map(({ secrets }) => secrets));
  return modes.size === 1 ? [...modes].join("") : "mixed";
}

/** `~/...` under the home directory, else the last folder's name: nobody outside needs the whole path. */
function shownPath(project: Project, home: string | null): string {
  const { path } = project.root;
  if (home !== null) {
    const below = relative(home, path);
    if (below === "") return "~";
    if (below.split(sep)[0] !== ".." && !isAbsolute(below)) return `~/${below.split(sep).join("/")}`;
  }
  return path.split(sep).findLast((part) => part !== "") ?? "/";
}
