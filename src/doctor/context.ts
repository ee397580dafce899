/** What the checks look through. The command line makes it; each answer is found once and shared by all checks. */
import type { BackendFacts, BackendKind } from "../codex/backend.ts";
import type { CanaryVerdict } from "../codex/canary.ts";
import type { HomeProblem } from "../codex/home-problem.ts";
import type { CodexInstall } from "../codex/install.ts";
import type { SelfCheck } from "../codex/self-check.ts";
import type { Config, ConfigProblem } from "../config/load.ts";
import type { Result } from "../lib/result.ts";
import type { Project, ScanVerdict } from "../policy/decide.ts";
import type { Failure } from "../policy/failure.ts";
import type { Credential } from "./credential.ts";
import type { Probe } from "./probe.ts";

export interface DoctorContext {
  readonly version: string;
  readonly nodeVersion: string;
  readonly config: Result<Config, readonly ConfigProblem[]>;
  /** Why a store of secrets could not be read, in words. */
  readonly storeProblems: readonly string[];
  /** The rest is only asked where the configuration is right. */
  readonly projects: () => Promise<Result<Project[], readonly ConfigProblem[]>>;
  readonly scan: (project: Project, signal: AbortSignal) => Promise<ScanVerdict>;
  readonly state: () => Promise<StateFacts>;
  readonly codex: CodexLook;
  readonly tunnel: (signal: AbortSignal) => Promise<TunnelSight>;
  readonly service: () => Promise<ServiceSight>;
  /** By a token that was created, say, of which only the hash is kept. */
  readonly mayAnybodyCall: () => Promise<boolean>;
  readonly bridge: () => Promise<BridgeSight>;
  readonly probe: Probe;
  /** What a caller of this configuration would send; null where the bridge hands out its own credentials. */
  readonly credential: Credential | null;
  /** Of the tool list in this version. */
  readonly toolsFingerprint: () => Promise<string>;
}

export interface CodexLook {
  find(): Promise<Result<CodexInstall, Failure>>;
  /** Of the CODEX_HOME that the owner has set. */
  homeProblem(): Promise<HomeProblem | null>;
  connect(): Promise<Result<BackendFacts, Failure>>;
  /** Which driver, and why; after `connect`. */
  picked(): { readonly backend: BackendKind | null; readonly why: string };
  prove(facts: BackendFacts): Promise<CanaryVerdict>;
  /** null: it gave no answer that can be read. */
  selfCheck(install: CodexInstall, signal: AbortSignal): Promise<ReadonlyMap<string, SelfCheck> | null>;
}

export interface StateFacts {
  readonly directory: string;
  readonly kind: "missing" | "directory" | "unusable";
  /** Permission bits; null where there is none. */
  readonly mode: number | null;
  /** A bridge works on it now. */
  readonly isLocked: boolean;
  /** What keeps it from being used, or null. */
  readonly problem: string | null;
}

/** `closed`: it could be opened. `ready` is null where the tunnel's program does not tell. */
export type TunnelSight =
  | { readonly kind: "none" }
  | { readonly kind: "impossible"; readonly problems: readonly string[] }
  | { readonly kind: "closed" }
  | { readonly kind: "open"; readonly ready: boolean | null };

export type ServiceSight =
  | { readonly kind: "none"; readonly why: string }
  | { readonly kind: "installed"; readonly isRunning: boolean; readonly state: string };

/** What is seen at the address that the configuration names. */
export type BridgeSight =
  | { readonly kind: "running"; readonly version: string; readonly url: string }
  | { readonly kind: "absent"; readonly url: string }
  | { readonly kind: "stranger"; readonly url: string }
  | { readonly kind: "unreachable"; readonly url: string; readonly reason: string }
  /** `port = 0` takes another port at each start. */
  | { readonly kind: "unknown_port" };
