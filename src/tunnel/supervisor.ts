/**
 * Keeps one tunnel open: opens it, says in the log what became of it and why, and opens it again after a pause that
 * grows while it does not get ready. Gives up only where trying again cannot help. Never ends the bridge.
 */
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { TunnelEvent, TunnelProvider } from "./provider.ts";

export interface SupervisorParts {
  readonly provider: TunnelProvider;
  /** Where the bridge listens, without a path. */
  readonly url: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Called each time the tunnel learns or changes the host that requests will be addressed to. */
  readonly onHost: (host: string) => void;
}

export interface SupervisedTunnel {
  /** Settles with the reason where the supervisor gives up; never, otherwise. */
  readonly gaveUp: Promise<string>;
  /** Ends the tunnel and waits for its end. Safe to call twice. */
  close(): Promise<void>;
}

/** After the first death; doubled after each further one that came before the tunnel was ready. */
export const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

export function superviseTunnel(parts: SupervisorParts): SupervisedTunnel {
  const { provider, url, clock, log, onHost } = parts;
  const tunnel = provider.name;
  const gaveUp = Promise.withResolvers<string>();
  const closing = new AbortController();
  let host: string | null = null;
  let isReady = false;
  let wasReady = false;
  let lastWhy = "";

  function hear(event: TunnelEvent): void {
    if (closing.signal.aborted) return;
    switch (event.type) {
      case "host":
        if (event.host !== host)
          log.info({ tunnel, url: `https://${event.host}/mcp` }, "the tunnel has an address");
        host = event.host;
        onHost(event.host);
        return;
      case "ready":
        if (!isReady) {
          const { says } = event;
          log.info({ tunnel, ...(says === undefined ? {} : { says }) }, "the tunnel is ready");
        }
        isReady = true;
        wasReady = true;
        lastWhy = "";
        return;
      case "unready":
        // Before it was ready for the first time, that is how every start looks.
        if (isReady) log.warn({ tunnel, why: event.why }, "the tunnel is not ready any more");
        else if (event.why !== lastWhy) log.info({ tunnel, why: event.why }, "the tunnel is not ready yet");
        isReady = false;
        lastWhy = event.why;
        return;
    }
  }

  /** One life; null where there is no sense in another one. */
  async function live(): Promise<string | null> {
    const opened = await provider.open(url, hear, closing.signal);
    if (!opened.ok) {
      if (!opened.failure.isFinal || closing.signal.aborted) return opened.failure.why;
      log.error({ tunnel, why: opened.failure.why }, "the tunnel cannot be opened");
      gaveUp.resolve(opened.failure.why);
      return null;
    }
    const stop = (): void => void opened.value.close();
    closing.signal.addEventListener("abort", stop, { once: true });
    if (closing.signal.aborted) stop();
    const why = await opened.value.ended;
    closing.signal.removeEventListener("abort", stop);
    return why;
  }

  async function pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const stopTimer = clock.after(ms, done);
      closing.signal.addEventListener("abort", done, { once: true });
      function done(): void {
        stopTimer();
        closing.signal.removeEventListener("abort", done);
        resolve();
      }
    });
  }

  async function keepOpen(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!closing.signal.aborted) {
      wasReady = false;
      isReady = false;
      lastWhy = "";
      // oxlint-disable-next-line no-await-in-loop -- one life after the other
      const why = await live();
      if (why === null || closing.signal.aborted) return;
      if (wasReady) pauseMs = FIRST_PAUSE_MS;
      log.warn({ tunnel, why, again: `in ${pauseMs} ms` }, "the tunnel ended; it will be opened again");
      // oxlint-disable-next-line no-await-in-loop -- as above
      await pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }

  const keeping = keepOpen().catch((error: unknown) => {
    log.error({ tunnel, err: error }, "the tunnel cannot be kept open");
    gaveUp.resolve(String(error));
  });
  return {
    gaveUp: gaveUp.promise,
    async close() {
      closing.abort();
      await keeping;
    },
  };
}
