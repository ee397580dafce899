/**
 * The way of every call that starts a turn: same call before? → facts → decision → job → a short wait → answer.
 * Gathers and hands on; what is allowed is decided in policy/, what runs is run in jobs/.
 */
import { createHash } from "node:crypto";
import { fail, ok, type Result } from "../lib/result.ts";
import { decideTurn, type Project } from "../policy/decide.ts";
import type { Failure } from "../policy/failure.ts";
import type { Grant, Sandbox } from "../policy/grant.ts";
import type { TurnRequest } from "../codex/backend.ts";
import type { CallIdentity } from "../jobs/job-request.ts";
import type { JobTool } from "../jobs/job.ts";
import { toJobOutcome } from "./job-answer.ts";
import type { ToolRoom } from "./room.ts";
import { refused, type ToolCall, type ToolOutcome } from "./tool.ts";

/** What all three starting tools share. */
export interface TurnArguments {
  readonly prompt: string;
  readonly outputSchema: unknown;
  readonly timeoutMs: number | null;
  readonly requestId: string | null;
}

/** What the caller wants to be done, and where. */
export interface Wish {
  readonly project: Project;
  readonly cwd: string | null;
  readonly sandbox: Sandbox | null;
  readonly model: string | null;
  readonly effort: string | null;
  readonly thread: TurnRequest["thread"];
}

/** Refuses, or does not, what only the tool can know; called after the twin was looked for. */
export type MakeWish = () => Promise<Result<Wish, Failure>>;

export async function startTurn(
  tool: JobTool,
  args: TurnArguments,
  fingerprintOf: object,
  makeWish: MakeWish,
  call: ToolCall,
  room: ToolRoom,
): Promise<ToolOutcome> {
  const identity: CallIdentity = {
    caller: call.caller.subject,
    conversation: call.conversation,
    requestId: args.requestId,
    fingerprint: createHash("sha256")
      .update(JSON.stringify([tool, { ...fingerprintOf, outputSchema: withSortedKeys(args.outputSchema) }]))
      .digest("hex"),
  };
  const twin = await room.runner.findTwin(identity);
  if (!twin.ok) return refused(twin.failure);
  if (twin.value !== null) return answerSoon(twin.value.jobId, true, call, room);

  const limitMs = decideLimit(args.timeoutMs, room.limits.jobMs);
  if (!limitMs.ok) return refused(limitMs.failure);
  const wish = await makeWish();
  if (!wish.ok) return refused(wish.failure);
  const prepared = await inTime(prepare(room), call, room);
  if (!prepared.ok) return refused(prepared.failure);
  const granted = await authorize(wish.value, prepared.value.isProven, room);
  if (!granted.ok) return refused(granted.failure);
  const grant = granted.value;

  const cwd = room.workspace.relativeToRoot(grant.root, grant.cwd.path);
  const submitted = await room.runner.submit({
    ...identity,
    tool,
    grant,
    cwd,
    thread: wish.value.thread,
    prompt: args.prompt,
    outputSchema: args.outputSchema,
    projectInstructions: await room.workspace.instructions(grant, cwd),
    limitMs: limitMs.value,
  });
  if (!submitted.ok) return refused(submitted.failure);
  return answerSoon(submitted.value.job.jobId, submitted.value.deduplicated, call, room);
}

/** A Codex that can be used, and whether its confinement was proven. */
async function prepare(room: ToolRoom): Promise<Result<{ isProven: boolean }, Failure>> {
  const usable = await room.codex.ready();
  if (!usable.ok) return usable;
  const { state } = await room.confinement.ensure(usable.value);
  return ok({ isProven: state === "proven" });
}

/** What takes longer than a call may last goes on without it; the next call finds what came of it. */
async function inTime<T>(
  work: Promise<Result<T, Failure>>,
  call: ToolCall,
  room: ToolRoom,
): Promise<Result<T, Failure>> {
  const { promise: late, resolve } = Promise.withResolvers<Result<T, Failure>>();
  const spentMs = room.clock.monotonic() - call.arrivedAt;
  const stopTimer = room.clock.after(Math.max(0, room.limits.fastReturnMs - spentMs), () => {
    resolve(fail({ code: "codex_unsupported", reason: "it does not answer" }));
  });
  return Promise.race([work, late]).finally(stopTimer);
}

async function authorize(
  wish: Wish,
  confinementIsProven: boolean,
  room: ToolRoom,
): Promise<Result<Grant, Failure>> {
  const { project, sandbox, model, effort } = wish;
  const rootNow = await room.workspace.identifyRoot(project);
  const cwd = rootNow === null ? null : await room.workspace.identifyCwd(rootNow, wish.cwd);
  const { ceiling } = room;
  const steeringLinks = rootNow === null ? [] : await room.workspace.steeringLinks(rootNow);
  const facts = {
    steeringLinks,
    ceiling,
    project,
    rootNow,
    cwd,
    sandbox,
    model,
    effort,
    confinementIsProven,
  };
  // Whatever is refused without a look at the files is refused before it.
  const withoutScan = decideTurn({ ...facts, scan: { kind: "clean" } });
  if (!withoutScan.ok || rootNow === null || project.secrets === "off") return withoutScan;
  return decideTurn({ ...facts, scan: await room.workspace.scan(rootNow) });
}

/** The job's end if it comes within the fast-return limit, else how far it has come. */
export async function answerSoon(
  jobId: string,
  deduplicated: boolean,
  call: ToolCall,
  room: ToolRoom,
): Promise<ToolOutcome> {
  const spentMs = room.clock.monotonic() - call.arrivedAt;
  await room.runner.wait(jobId, null, Math.max(0, room.limits.fastReturnMs - spentMs), call.signal);
  const found = await room.runner.look(jobId, 0);
  if (found === null) return refused({ code: "unknown_job" });
  return toJobOutcome(found.job, room.clock.now(), { deduplicated });
}

/** The only project when there is one, else the one that the caller names. */
export function pickProject(name: string | null, projects: readonly Project[]): Result<Project, Failure> {
  const known = projects.map((project) => project.name);
  const [only] = projects;
  if (name === null) {
    return projects.length === 1 && only !== undefined ? ok(only) : fail({ code: "cwd_required", known });
  }
  const project = projects.find((candidate) => candidate.name === name);
  return project === undefined ? fail({ code: "unknown_project", known }) : ok(project);
}

/** The same schema has the same fingerprint, whatever order its keys came in. */
function withSortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withSortedKeys);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, withSortedKeys(inner)]));
}

function decideLimit(asked: number | null, ownersLimitMs: number): Result<number, Failure> {
  if (asked === null) return ok(ownersLimitMs);
  if (asked <= ownersLimitMs) return ok(asked);
  return fail({ code: "invalid_argument", argument: "timeoutMs", reason: `may be at most ${ownersLimitMs}` });
}
