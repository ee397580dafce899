/**
 * Every way in which the bridge says no, or a job ends badly. The codes are API (docs/tools.md lists them);
 * the words for them are made in one place, tools/refusal.ts. Data here may be shown to the owner only:
 * the wire text never carries paths or values.
 */
export type Failure =
  | { code: "invalid_argument"; argument: string; reason: string }
  | { code: "unknown_project"; known: readonly string[] }
  | { code: "insufficient_scope"; needs: "read" | "write" }
  | { code: "cwd_not_allowed" }
  | { code: "cwd_required"; known: readonly string[] }
  | { code: "secrets_found"; kinds: Readonly<Record<string, number>>; more: boolean }
  | { code: "scan_incomplete"; reason: string }
  | { code: "sandbox_not_allowed"; asked: string }
  | { code: "model_not_allowed" }
  | { code: "unknown_thread" }
  | { code: "thread_busy" }
  | { code: "unknown_job" }
  | { code: "busy"; running: number; waiting: number }
  | { code: "rate_limited"; retryAfterMs: number }
  | { code: "codex_not_found" }
  | { code: "codex_not_logged_in" }
  | { code: "codex_unsupported"; reason: string }
  | { code: "confinement_unavailable"; reason: string; /** What callers may hear of it. */ plain?: string }
  | { code: "timeout"; limitMs: number; what: "job" | "model" }
  | { code: "cancelled"; by: "caller" | "owner" | "shutdown" }
  | { code: "interrupted"; reason: string }
  | { code: "codex_failed"; kind: string; message: string; retryable: boolean }
  | { code: "internal" };

export type FailureCode = Failure["code"];
export type FailureOf<C extends FailureCode> = Extract<Failure, { code: C }>;
