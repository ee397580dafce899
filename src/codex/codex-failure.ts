/** Codex's own error kinds, as a Failure. The kind is passed on as Codex names it; unknown kinds are kept. */
import type { FailureOf } from "../policy/failure.ts";

/** Worth another try as it is: the fault was the model's service or the way to it. */
const RETRYABLE = new Set([
  "internalServerError",
  "serverOverloaded",
  "rateLimitExceeded",
  "flexUnavailable",
  "httpConnectionFailed",
  "responseStreamConnectionFailed",
  "responseStreamDisconnected",
  "responseTooManyFailedAttempts",
  "noAnswer",
  "other",
]);

/** `info` is codexErrorInfo: a string, an object with one key (`{httpConnectionFailed: {...}}`), or nothing. */
export function toCodexFailure(message: string, info: unknown): FailureOf<"codex_failed"> {
  const kind = kindOf(info);
  const retryable = RETRYABLE.has(kind) && !isRefusedByProvider(info);
  return { code: "codex_failed", kind, message, retryable };
}

function kindOf(info: unknown): string {
  if (typeof info === "string") return toCamelCase(info);
  if (typeof info === "object" && info !== null) return toCamelCase(Object.keys(info)[0] ?? "other");
  return "other";
}

/** 401, 403 and the like: the same call fails again until the owner has done something. */
function isRefusedByProvider(info: unknown): boolean {
  if (typeof info !== "object" || info === null) return false;
  const detail: unknown = Object.values(info)[0];
  if (typeof detail !== "object" || detail === null || !("httpStatusCode" in detail)) return false;
  const status = detail.httpStatusCode;
  return typeof status === "number" && status >= 400 && status < 500 && status !== 408 && status !== 429;
}

/** codex mcp-server says `context_window_exceeded` where app-server says `contextWindowExceeded`. */
function toCamelCase(kind: string): string {
  return kind.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}
