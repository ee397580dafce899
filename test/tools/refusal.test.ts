import { describe, expect, test } from "vitest";
import type { Failure, FailureCode, FailureOf } from "../../src/policy/failure.ts";
import { toRefusal } from "../../src/tools/refusal.ts";
import { golden, inFull } from "../golden/golden.ts";

/** The compiler asks for each code; every field holds what it may hold at worst. */
const samples: { [C in FailureCode]: FailureOf<C>[] } = {
  invalid_argument: [{ code: "invalid_argument", argument: "prompt", reason: "must not be blank" }],
  unknown_project: [
    { code: "unknown_project", known: ["app", "site"] },
    { code: "unknown_project", known: [] },
  ],
  insufficient_scope: [
    { code: "insufficient_scope", needs: "write" },
    { code: "insufficient_scope", needs: "read" },
  ],
  cwd_not_allowed: [{ code: "cwd_not_allowed" }],
  cwd_required: [{ code: "cwd_required", known: ["app", "site"] }],
  secrets_found: [
    { code: "secrets_found", kinds: { dotenv: 2, "private-key": 1 }, more: false },
    { code: "secrets_found", kinds: { dotenv: 2 }, more: true },
  ],
  scan_incomplete: [{ code: "scan_incomplete", reason: '"/srv/app/private" cannot be read: EACCES' }],
  sandbox_not_allowed: [{ code: "sandbox_not_allowed", asked: "workspace-write" }],
  model_not_allowed: [{ code: "model_not_allowed" }],
  unknown_thread: [{ code: "unknown_thread" }],
  thread_busy: [{ code: "thread_busy" }],
  unknown_job: [{ code: "unknown_job" }],
  busy: [{ code: "busy", running: 4, waiting: 16 }],
  rate_limited: [{ code: "rate_limited", retryAfterMs: 1_500 }],
  codex_not_found: [{ code: "codex_not_found" }],
  codex_not_logged_in: [{ code: "codex_not_logged_in" }],
  codex_unsupported: [{ code: "codex_unsupported", reason: "Codex 0.1.0 is older than 0.153.0" }],
  confinement_unavailable: [
    { code: "confinement_unavailable", reason: "/srv/app is not hidden; see CODEX_GPT_BRIDGE_CONFINEMENT" },
  ],
  timeout: [
    { code: "timeout", limitMs: 60_000, what: "job" },
    { code: "timeout", limitMs: 999, what: "model" },
  ],
  cancelled: [
    { code: "cancelled", by: "caller" },
    { code: "cancelled", by: "owner" },
    { code: "cancelled", by: "shutdown" },
  ],
  interrupted: [{ code: "interrupted", reason: "The Codex process ended." }],
  codex_failed: [
    { code: "codex_failed", kind: "serverOverloaded", message: "try later", retryable: true },
    { code: "codex_failed", kind: "contextWindowExceeded", message: "too long", retryable: false },
  ],
  internal: [{ code: "internal" }],
};
const all: Failure[] = Object.values(samples).flat();

test("the codes are those that users and scripts know", () => {
  const codes = Object.keys(samples).toSorted();
  expect(inFull(codes)).toBe(golden("refusal-codes.json", codes));
});

describe.each(all.map((failure) => ({ code: failure.code, failure })))("$code", ({ failure }) => {
  const { error, nextAction } = toRefusal(failure);
  const words = `${error.message} ${nextAction}`;

  test("has a message and a next step in whole sentences", () => {
    expect(error.code).toBe(failure.code);
    expect(error.message).toMatch(/^[A-Z].*[.!]$|^Codex failed \(.+\): /);
    expect(nextAction).toMatch(/^[A-Z].*\.$/);
    expect(words).not.toMatch(/undefined|null|NaN|\[object/);
  });

  test("names no path, no variable, no switch", () => {
    expect(words).not.toMatch(/(?:^|[\s"'(])[/~]\w/);
    expect(words).not.toMatch(/[A-Z]{2,}_[A-Z]+/);
    expect(words).not.toMatch(/(?:^|\s)--\w/);
    expect(words).not.toMatch(/allow_write|no_auth|disable_secret|best-effort|danger/i);
  });
});

test.each<{ failure: Failure; retryable: boolean }>([
  { failure: { code: "invalid_argument", argument: "x", reason: "y" }, retryable: false },
  { failure: { code: "cwd_not_allowed" }, retryable: false },
  { failure: { code: "busy", running: 1, waiting: 0 }, retryable: true },
  { failure: { code: "thread_busy" }, retryable: true },
  { failure: { code: "rate_limited", retryAfterMs: 1 }, retryable: true },
  { failure: { code: "interrupted", reason: "x" }, retryable: true },
  { failure: { code: "cancelled", by: "caller" }, retryable: false },
  { failure: { code: "codex_failed", kind: "k", message: "m", retryable: true }, retryable: true },
  { failure: { code: "codex_failed", kind: "k", message: "m", retryable: false }, retryable: false },
])("$failure.code is worth another try: $retryable", ({ failure, retryable }) => {
  expect(toRefusal(failure).error.retryable).toBe(retryable);
});

test.each([
  [1, "1 second"],
  [1_000, "1 second"],
  [1_001, "2 seconds"],
  [60_000, "60 seconds"],
])("%d ms are told as %s", (retryAfterMs, words) => {
  expect(toRefusal({ code: "rate_limited", retryAfterMs }).nextAction).toContain(words);
});
