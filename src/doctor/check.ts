/**
 * One link of the chain from ChatGPT to Codex, and what was found out about it. A check looks and never repairs; what
 * it finds is in words for the owner, with the one thing to do where something is wrong.
 */
import type { DoctorContext } from "./context.ts";

export interface Check {
  /** Stable: scripts read it. */
  readonly name: string;
  /** For people, at most 18 characters. */
  readonly title: string;
  /** May throw; that is a finding too. Aborted when nobody waits any longer. */
  run(context: DoctorContext, signal: AbortSignal): Promise<Finding>;
}

/** `skipped`: there is nothing to look at, because it is not used, or because an earlier link is missing. */
export type CheckStatus = "ok" | "warning" | "failed" | "skipped";

export interface Finding {
  readonly status: CheckStatus;
  /** One or two sentences. */
  readonly reason: string;
  /** The one thing to do; null where there is nothing. */
  readonly next: string | null;
}

export function fine(reason: string): Finding {
  return { status: "ok", reason, next: null };
}

export function doubtful(reason: string, next: string): Finding {
  return { status: "warning", reason, next };
}

export function broken(reason: string, next: string): Finding {
  return { status: "failed", reason, next };
}

export function skipped(reason: string): Finding {
  return { status: "skipped", reason, next: null };
}
