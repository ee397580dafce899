import { describe, expect, test } from "vitest";
import { toCodexFailure } from "../../src/codex/codex-failure.ts";
import { toRpcFailure } from "../../src/codex/app-server/rpc-failure.ts";
import { ConnectionLost, RpcError } from "../../src/codex/app-server/rpc.ts";

describe("Codex's own error kind", () => {
  test.each<{ info: unknown; kind: string; retryable: boolean }>([
    { info: "contextWindowExceeded", kind: "contextWindowExceeded", retryable: false },
    { info: "context_window_exceeded", kind: "contextWindowExceeded", retryable: false },
    { info: "usageLimitExceeded", kind: "usageLimitExceeded", retryable: false },
    { info: "serverOverloaded", kind: "serverOverloaded", retryable: true },
    { info: "internal_server_error", kind: "internalServerError", retryable: true },
    { info: "unauthorized", kind: "unauthorized", retryable: false },
    { info: "somethingNew", kind: "somethingNew", retryable: false },
    {
      info: { httpConnectionFailed: { httpStatusCode: null } },
      kind: "httpConnectionFailed",
      retryable: true,
    },
    {
      info: { httpConnectionFailed: { httpStatusCode: 503 } },
      kind: "httpConnectionFailed",
      retryable: true,
    },
    {
      info: { httpConnectionFailed: { httpStatusCode: 401 } },
      kind: "httpConnectionFailed",
      retryable: false,
    },
    {
      info: { httpConnectionFailed: { httpStatusCode: 408 } },
      kind: "httpConnectionFailed",
      retryable: true,
    },
    {
      info: { httpConnectionFailed: { httpStatusCode: 429 } },
      kind: "httpConnectionFailed",
      retryable: true,
    },
    { info: { responseStreamDisconnected: {} }, kind: "responseStreamDisconnected", retryable: true },
    {
      info: { activeTurnNotSteerable: { turnKind: "review" } },
      kind: "activeTurnNotSteerable",
      retryable: false,
    },
    { info: null, kind: "other", retryable: true },
    { info: undefined, kind: "other", retryable: true },
    { info: {}, kind: "other", retryable: true },
    { info: 42, kind: "other", retryable: true },
  ])("$info is $kind, worth another try: $retryable", ({ info, kind, retryable }) => {
    expect(toCodexFailure("why", info)).toEqual({ code: "codex_failed", kind, message: "why", retryable });
  });
});

describe("a call that Codex refused", () => {
  test.each([
    { message: "no rollout found for thread id 01a1", code: "unknown_thread" },
    { message: "thread not found: 01a1", code: "unknown_thread" },
    { message: "invalid session id: x", code: "unknown_thread" },
    { message: "Invalid thread id", code: "unknown_thread" },
    { message: "thread has an active writer", code: "thread_busy" },
    { message: "Argument list too long (os error 7)", code: "confinement_unavailable" },
    { message: "default_permissions requires a permission profile", code: "confinement_unavailable" },
    { message: "anything else", code: "codex_failed" },
  ])("$message is $code", ({ message, code }) => {
    expect(toRpcFailure(new RpcError("thread/start", -32600, message)).code).toBe(code);
  });

  test("a lost connection is an interruption", () => {
    expect(toRpcFailure(new ConnectionLost("Codex ended (SIGKILL)", true))).toEqual({
      code: "interrupted",
      reason: "Codex ended (SIGKILL)",
    });
  });

  test("an answer in an unknown shape is Codex's failure, without its details", () => {
    const failure = toRpcFailure(new Error("expected string at thread.id"));
    expect(failure).toMatchObject({ code: "codex_failed", kind: "protocolMismatch", retryable: false });
    expect(JSON.stringify(failure)).not.toContain("thread.id");
  });
});
