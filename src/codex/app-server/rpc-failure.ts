/**
 * What a failed call to app-server means. Codex answers nearly every error with the same code and tells them apart
 * by words alone; this is the one place that reads those words (as of 0.153.4 and 0.169.0).
 */
import type { Failure } from "../../policy/failure.ts";
import { toCodexFailure } from "../codex-failure.ts";
import { ConnectionLost, RpcError } from "./rpc.ts";

export function toRpcFailure(error: unknown): Failure {
  if (error instanceof ConnectionLost) return { code: "interrupted", reason: error.message };
  if (!(error instanceof RpcError)) {
    return toCodexFailure("Codex answered in a shape that this version does not know", "protocolMismatch");
  }
  const { message } = error;
  if (/no rollout found|thread not (found|loaded)|invalid (session|thread) id/i.test(message)) {
    return { code: "unknown_thread" };
  }
  if (/active writer/i.test(message)) return { code: "thread_busy" };
  if (/argument list too long|permission profile|default_permissions/i.test(message)) {
    return { code: "confinement_unavailable", reason: message };
  }
  return toCodexFailure(message, "requestRefused");
}
