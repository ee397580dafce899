/**
 * May this turn run, and as what? Facts in, a Grant or a refusal out. The only maker of a Grant.
 * No I/O: what lies on disk was looked up before (workspace/), what happens next is not its business.
 */
import { fail, ok, type Result } from "../lib/result.ts";
import { decideDenied, type Denied } from "./deny.ts";
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
  /** `required`: no turn starts whose confinement is not proven on this machine. */
  readonly confinement: "required" | "best-effort";
}

/** What to do with secret files in a project: start nothing, hide them from Codex, or not look. */
export type SecretsMode = "refuse" | "mask" | "off";

export interface Project {
  readonly name: string;
  /** As it was when the bridge started. */
  readonly root: DirectoryIdentity;
  /** The owner's say for this project alone; null follows the ceiling. */
  readonly write: boolean | null;
  readonly secrets: SecretsMode;
  readonly model: string | null;
  readonly effort: string | null;
}

/** What a scan of the project said. */
export type ScanVerdict =
  | { readonly kind: "clean" }
  | {
      readonly kind: "secrets";
      readonly kinds: Readonly<Record<string, number>>;
      /** The scan ended before it had seen everything. */
      readonly more: boolean;
      /** Relative to the root. */
      readonly paths: readonly string[];
    }
  | { readonly kind: "incomplete"; readonly reason: string };

export interface TurnFacts {
  readonly ceiling: Ceiling;
  readonly project: Project;
  /** The root as it is now; null when it is gone or no directory. */
  readonly rootNow: DirectoryIdentity | null;
  /** The wanted working directory as it is now; null when it may not be used, for whatever reason. */
  readonly cwd: DirectoryIdentity | null;
  readonly scan: ScanVerdict;
  /** Those of STEERING_DIRECTORIES that are symbolic links in the root: Codex's sandbox cannot hold one. */
  readonly steeringLinks: readonly string[];
  /** The machine's canary has tried the confinement, and it held. */
  readonly confinementIsProven: boolean;
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
  const unproven = decideUnproven(facts, sandbox);
  if (unproven !== null) return fail(unproven);
  if (scan.kind === "incomplete") return fail({ code: "scan_incomplete", reason: scan.reason });
  const [link] = facts.steeringLinks;
  if (sandbox === "workspace-write" && link !== undefined) {
    const plain = `${link} of the project is a symbolic link, with which Codex's sandbox runs no command that may write.`;
    return fail({ code: "confinement_unavailable", reason: plain, plain });
  }
  const denied = decideSecrets(facts, cwd.path, sandbox);
  if (!denied.ok) return denied;
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
      deniedPaths: denied.value.paths,
      deniedPatterns: denied.value.patterns,
      heldDirectories: denied.value.held,
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

/** What is not proven is not used for writing, nor to hide secrets; reading goes on only if the owner says so. */
function decideUnproven(facts: TurnFacts, sandbox: Sandbox): Failure | null {
  if (facts.confinementIsProven) return null;
  const mayGoOn =
    facts.ceiling.confinement === "best-effort" &&
    sandbox === "read-only" &&
    facts.project.secrets !== "mask";
  return mayGoOn ? null : { code: "confinement_unavailable", reason: "it is not proven on this machine" };
}

function decideSecrets(facts: TurnFacts, cwd: string, sandbox: Sandbox): Result<Denied, Failure> {
  const { scan, project } = facts;
  if (project.secrets === "off") return ok({ paths: [], patterns: [], held: [] });
  if (scan.kind === "secrets" && (project.secrets === "refuse" || scan.more)) {
    return fail({ code: "secrets_found", kinds: scan.kinds, more: scan.more });
  }
  const secretPaths = scan.kind === "secrets" ? scan.paths : [];
  return decideDenied({ root: project.root.path, cwd, sandbox, secretPaths });
}

function decideModel(facts: TurnFacts): Result<string | null, Failure> {
  const { model, project, ceiling } = facts;
  if (model === null || model === project.model) return ok(project.model);
  return ceiling.models.includes(model) ? ok(model) : fail({ code: "model_not_allowed" });
}

function grant(terms: GrantTerms): Grant {
  return terms as Grant; // the brand exists for the compiler alone, and only here
}
