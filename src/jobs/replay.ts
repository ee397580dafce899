/** When a call is one that was made before. Pure. */
import { fail, ok, type Result } from "../lib/result.ts";
import type { Failure } from "../policy/failure.ts";
import type { CallIdentity } from "./job-request.ts";
import type { JobRecord } from "./job.ts";

export function isSameCall(job: JobRecord, call: CallIdentity): boolean {
  if (job.caller !== call.caller) return false;
  if (call.requestId !== null) return job.requestId === call.requestId;
  return job.conversation === call.conversation && job.fingerprint === call.fingerprint;
}

/** The same id again is the same call, or a mistake of the caller. */
export function asReplay(twin: JobRecord, call: CallIdentity): Result<JobRecord, Failure> {
  if (twin.fingerprint === call.fingerprint) return ok(twin);
  return fail({
    code: "invalid_argument",
    argument: "requestId",
    reason: "was used before with other arguments",
  });
}
