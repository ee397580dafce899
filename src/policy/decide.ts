/**
 * May this turn run, and as what? Facts in, a Grant or a refusal out. The only maker of a Grant.
 * No I/O: what lies on disk was looked up before (workspace/), what happens next is not its business.
 */
import { fail, ok, type Result } from "../lib/result.ts";
import type { Failure } from "./failure.ts";
import type { ApprovalPolicy, DirectoryIdentity, Grant, GrantTerms, Sandbox } from "./grant.ts";

/** What the owner set, for all callers. */
export interface Ceiling {
  readonly allowWrite: boolean;
  readonly defaultSandbox: Sandbox;
  readonly approvalPolicy: ApprovalPolicy;
  readonly network: boolean;
  readonly mcpServers: readonly string[];
  /** Models that a caller may ask for besides the default. */
  readonly models: readonly string[];
}

export interface Project {
  readonly name: string;
  /** As it was when the bridge started. */
  readonly root: DirectoryIdentity;
  /** The owner's say for this project alone; null follows the ceiling. */
  readonly write: boolean | null;
  readonly model: string | null;
  readonly effort: string | null;
}

/** What a scan of the project said. */
export type ScanVerdict =
  | { readonly kind: "clean" }
  | { readonly kind: "secrets"; readonly kinds: Readonly<Record<string, number>>; readonly more: boolean }
  | { readonly kind: "incomplete"; readonly reason: string };

export interface TurnFacts {
  readonly ceiling: Ceiling;
  readonly project: Project;
  /** The root as it is now; null when it is gone or no directory. */
  readonly rootNow: DirectoryIdentity | null;
  /** The wanted working directory as it is now; null when it may not be used, for whatever reason. */
  readonly cwd: DirectoryIdentity | null;
  readonly scan: ScanVerdict;
  /** null: what the project or the ceiling says. */
  readonly sandbox: Sandbox | null;
  readonly model: string | null;
  readonly effort: string | null;
}

export function decideTurn(facts: TurnFacts): Result<Grant, Failure> {
  const { ceiling, project, rootNow, cwd, scan } = facts;
  if (rootNow === null || cwd === null || !isSameDirectory(rootNow, project.root)) {
    return fail({ code: "cwd_not_allowed" });
  }
  const mayWrite = mayWriteTo(project, ceiling);
  const sandbox = facts.sandbox ?? defaultSandboxOf(project, ceiling);
  if (sandbox === "workspace-write" && !mayWrite)
    return fail({ code: "sandbox_not_allowed", asked: sandbox });
  const model = decideModel(facts);
  if (!model.ok) return model;
  if (scan.kind === "incomplete") return fail({ code: "scan_incomplete", reason: scan.reason });
  if (scan.kind === "secrets") return fail({ code: "secrets_found", kinds: scan.kinds, more: scan.more });
  return ok(
    grant({
      project: project.name,
      root: project.root,
      cwd,
      sandbox,
      approvalPolicy: ceiling.approvalPolicy,
      network: ceiling.network,
      mcpServers: ceiling.mcpServers,
      model: model.value,
      effort: facts.effort ?? project.effort,
      deniedPaths: [],
    }),
  );
}

/** What a thread may go on doing: what it was granted, as far as today's ceiling still allows it. */
export function decideSandboxOfReply(
  granted: Sandbox,
  project: Project,
  ceiling: Ceiling,
): Result<Sandbox, Failure> {
  if (granted === "workspace-write" && !mayWriteTo(project, ceiling)) {
    return fail({ code: "sandbox_not_allowed", asked: granted });
  }
  return ok(granted);
}

export function mayWriteTo(project: Project, ceiling: Ceiling): boolean {
  return project.write ?? ceiling.allowWrite;
}

/** The sandbox of `codex_run` when the caller names none. */
export function defaultSandboxOf(project: Project, ceiling: Ceiling): Sandbox {
  return mayWriteTo(project, ceiling) ? ceiling.defaultSandbox : "read-only";
}

export function isSameDirectory(a: DirectoryIdentity, b: DirectoryIdentity): boolean {
  return a.path === b.path && a.device === b.device && a.inode === b.inode;
}

function decideModel(facts: TurnFacts): Result<string | null, Failure> {
  const { model, project, ceiling } = facts;
  if (model === null || model === project.model) return ok(project.model);
  return ceiling.models.includes(model) ? ok(model) : fail({ code: "model_not_allowed" });
}

function grant(terms: GrantTerms): Grant {
  return terms as Grant; // the brand exists for the compiler alone, and only here
}
