/**
 * Who is let in how often: the check of the credential, with a limit for each caller and one for wrong credentials of
 * each address. A right credential is never held up by wrong ones, from wherever they come; one that is missing costs
 * nothing and is always told what to bring. Never looks at a credential itself.
 */
import { fail, type Result } from "../lib/result.ts";
import type { AuthFailure, Caller } from "./caller.ts";
import { createRateLimit } from "./rate-limit.ts";

export interface AdmissionParts {
  readonly authenticate: (request: Request) => Promise<Result<Caller, AuthFailure>>;
  /** Both 0: unlimited. */
  readonly requestsPerMinute: number;
  readonly failedAuthPerMinute: number;
  /** ms */
  readonly monotonic: () => number;
}

/** `peer` is the address at the other end of the socket: behind a tunnel, the tunnel's. */
export function createAdmission(
  parts: AdmissionParts,
): (request: Request, peer: string) => Promise<Result<Caller, AuthFailure>> {
  const { authenticate, monotonic } = parts;
  const requests = createRateLimit(parts.requestsPerMinute, monotonic);
  const failures = createRateLimit(parts.failedAuthPerMinute, monotonic);

  return async (request, peer) => {
    const verdict = await authenticate(request);
    if (!verdict.ok && verdict.failure.code !== "wrong_credential") return verdict;
    const retryAfterMs = verdict.ok ? requests.take(verdict.value.subject) : failures.take(networkOf(peer));
    return retryAfterMs === 0 ? verdict : fail({ code: "too_many_requests", retryAfterMs });
  };
}

/** An IPv6 host has a whole /64 to send from. */
function networkOf(address: string): string {
  const isV6 = address.includes(":") && !address.startsWith("::ffff:");
  return isV6 ? toFullV6(address).slice(0, 4).join(":") : address.replace("::ffff:", "");
}

function toFullV6(address: string): string[] {
  const [before = "", after] = address.split("::");
  const head = before === "" ? [] : before.split(":");
  if (after === undefined) return head;
  const tail = after === "" ? [] : after.split(":");
  return [...head, ...Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => "0"), ...tail];
}
