/**
 * What a handshake that failed says about Codex: that this program cannot be spoken to, or that it was killed under
 * us. Who was killed is started once more; who is killed at each start is no program to speak to. Pure but for a count.
 */
import { fail, type Result } from "../lib/result.ts";
import type { FailureOf } from "../policy/failure.ts";
import type { ChildExit } from "../lib/child.ts";

export type HandshakeFailure = FailureOf<"codex_unsupported"> | FailureOf<"interrupted">;

/** What a shell in between makes of its child's death by signal: 128 and the signal's number. */
const BY_SIGNAL = { from: 129, to: 159 };

/** `ended`: how the process ended by itself, or null while it lived when we gave it up. */
export function toHandshakeFailure(program: string, ended: ChildExit | null): HandshakeFailure {
  const code = ended?.code ?? 0;
  const wasKilled =
    ended !== null && (ended.signal !== null || (code >= BY_SIGNAL.from && code <= BY_SIGNAL.to));
  return wasKilled
    ? { code: "interrupted", reason: "Codex was killed while it started." }
    : { code: "codex_unsupported", reason: `${program} did not answer its handshake` };
}

/** So many deaths without an answer in between are the program's own doing (a wrong processor, a bad signature). */
const DEATHS_OF_A_STRANGER = 2;
/** Of one that has answered before, somebody may really be killing it: four calls' worth. */
const DEATHS_OF_AN_ACQUAINTANCE = 8;

export function insistOnStart<T>(
  start: (signal: AbortSignal) => Promise<Result<T, HandshakeFailure>>,
): (signal: AbortSignal) => Promise<Result<T, HandshakeFailure>> {
  let hasAnswered = false;
  let deaths = 0;
  return async (signal) => {
    for (let attempt = 1; ; attempt += 1) {
      const started = await start(signal);
      if (started.ok) [hasAnswered, deaths] = [true, 0];
      if (started.ok || started.failure.code !== "interrupted" || signal.aborted) return started;
      deaths += 1;
      if (deaths >= (hasAnswered ? DEATHS_OF_AN_ACQUAINTANCE : DEATHS_OF_A_STRANGER)) {
        return fail({ code: "codex_unsupported", reason: "it is killed each time it starts" });
      }
      if (attempt === 2) return started;
    }
  };
}
