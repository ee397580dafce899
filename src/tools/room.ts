/** What the tools work with. Made once by the door; holds no state of its own. */
import type { AuditLog } from "../audit/audit-log.ts";
import type { Challenges } from "../auth/challenge.ts";
import type { Codex } from "../codex/codex.ts";
import type { ConfinementProof } from "../codex/confinement-proof.ts";
import type { JobStore, ThreadStore } from "../jobs/store.ts";
import type { Runner } from "../jobs/runner.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Ceiling, Project, ScanVerdict } from "../policy/decide.ts";
import type { DirectoryIdentity, Grant } from "../policy/grant.ts";

export interface ToolRoom {
  readonly version: string;
  readonly ceiling: Ceiling;
  readonly projects: readonly Project[];
  readonly limits: RoomLimits;
  /** How callers prove who they are, in one word. */
  readonly auth: string;
  readonly challenges: Challenges;
  readonly confinement: ConfinementProof;
  readonly codex: Codex;
  readonly runner: Runner;
  readonly jobs: JobStore;
  readonly threads: ThreadStore;
  /** "ok", or what keeps jobs from being kept, in plain words. */
  readonly storage: () => string;
  readonly audit: AuditLog;
  /** How many secrets were taken out of texts so far. */
  readonly redactions: () => number;
  /** Changes when the tool list changes: the user has to refresh the connector then. */
  readonly toolsFingerprint: () => string;
  readonly workspace: Workspace;
  readonly clock: Clock;
  readonly log: Log;
  readonly home: string | null;
  readonly redact: (text: string) => string;
}

export interface RoomLimits {
  /** Longest that a call waits before it answers `running`. */
  readonly fastReturnMs: number;
  /** Longest that a job may run. */
  readonly jobMs: number;
}

/** Facts from disk, as the policy wants them. */
export interface Workspace {
  identifyRoot(project: Project): Promise<DirectoryIdentity | null>;
  identifyCwd(root: DirectoryIdentity, wanted: string | null): Promise<DirectoryIdentity | null>;
  scan(root: DirectoryIdentity): Promise<ScanVerdict>;
  /** Names of STEERING_DIRECTORIES that are symbolic links there. */
  steeringLinks(root: DirectoryIdentity): Promise<string[]>;
  relativeToRoot(root: DirectoryIdentity, path: string): string;
  /** The project's own AGENTS.md, or null. */
  instructions(grant: Grant, cwd: string): Promise<string | null>;
}
