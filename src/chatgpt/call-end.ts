/**
 * Why a call stops waiting, and the signal for it: its own limit, its client, or the end of the process. The first cause
 * counts. A client that merely lost patience ends nothing that can still be collected.
 */
import type { Clock } from "../lib/clock.ts";

export type EndCause = "timeout" | "cancelled" | "shutdown";

export interface CallEnd {
  readonly signal: AbortSignal;
  cause(): EndCause | null;
  release(): void;
}

export interface CallEndParts {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly client: AbortSignal;
  readonly shutdown: AbortSignal;
  readonly background: boolean;
}

/** Has to be released. */
export function createCallEnd({ clock, timeoutMs, client, shutdown, background }: CallEndParts): CallEnd {
  const controller = new AbortController();
  let first: EndCause | null = null;
  const end = (cause: EndCause): void => {
    first ??= cause;
    controller.abort();
  };
  const onClient = (): void => {
    if (isCancel(client.reason, background)) end("cancelled");
  };
  const onShutdown = (): void => {
    end("shutdown");
  };
  const stopTimer = clock.after(timeoutMs, () => {
    end("timeout");
  });
  if (shutdown.aborted) onShutdown();
  if (client.aborted) onClient();
  client.addEventListener("abort", onClient, { once: true });
  shutdown.addEventListener("abort", onShutdown, { once: true });
  return {
    signal: controller.signal,
    cause: () => first,
    release() {
      stopTimer();
      client.removeEventListener("abort", onClient);
      shutdown.removeEventListener("abort", onShutdown);
    },
  };
}

/** MCP's SDKs say so when their own time limit ends a call. */
const LOST_PATIENCE = /time[sd]?[ -]?out/i;
/** Codex 0.169.0 says the same for its time limit and for its user's interruption. */
const CODEX = /cancelled by caller/i;

/** False for a client that is gone: the end of the process follows, and says so itself. */
function isCancel(reason: unknown, background: boolean): boolean {
  if (reason instanceof Error && /clos/i.test(reason.message)) return false;
  const text = reason instanceof Error ? reason.message : String(reason);
  return !LOST_PATIENCE.test(text) && !(background && CODEX.test(text));
}
