/**
 * ngrok, through its own agent inside this process (the optional package `@ngrok/ngrok`). Lets in everybody only where
 * the bridge asks for OAuth; otherwise ngrok's edge lets in OpenAI's published addresses alone. Never lets ngrok's edge
 * ask for a login: ChatGPT could not answer it.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { fail, ok, type Result } from "../../lib/result.ts";
import type { TunnelEvent, TunnelFailure, TunnelProvider } from "../provider.ts";
import { readOpenaiRanges, RANGES_URL } from "./openai-ranges.ts";

/** What this adapter uses of `@ngrok/ngrok`. */
export interface NgrokAgent {
  forward(config: {
    addr: string;
    authtoken: string;
    domain?: string;
    traffic_policy?: string;
    onStatusChange?: (status: string) => void;
  }): Promise<NgrokListener>;
}

export interface NgrokListener {
  url(): string | null;
  /** Settles when it forwards no more. */
  join(): Promise<void>;
  close(): Promise<void>;
}

export interface NgrokParts {
  readonly authtoken: string;
  /** The owner's reserved domain; absent: ngrok gives one. */
  readonly domain: string | undefined;
  /** The bridge itself asks every caller for OAuth. */
  readonly hasOauth: boolean;
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly rangesUrl?: string;
  readonly loadAgent?: () => Promise<NgrokAgent>;
}

export function createNgrokTunnel(parts: NgrokParts): TunnelProvider {
  const { authtoken, domain, hasOauth, directory, clock, log, rangesUrl = RANGES_URL } = parts;
  const loadAgent = parts.loadAgent ?? loadPackage;
  const ranges = { url: rangesUrl, file: join(directory, "openai-ranges.json"), now: () => clock.now() };

  /** Null: everybody may knock. */
  async function whoMayKnock(signal: AbortSignal): Promise<Result<string[] | null, TunnelFailure>> {
    if (hasOauth) return ok(null);
    const read = await readOpenaiRanges(ranges, signal);
    if (!read.ok) {
      const why = `OpenAI's addresses are not known, so nobody is let in: ${read.failure}`;
      return fail({ why, isFinal: false });
    }
    log.info({ ranges: read.value.length }, "ngrok lets in OpenAI's published addresses alone");
    return read;
  }

  /** OpenAI's list changes now and then; the edge learns of it by a new opening. */
  function lookDaily(allowed: readonly string[], life: Life): void {
    const stopTimer = clock.after(LOOK_EVERY_MS, () => {
      void readOpenaiRanges(ranges, life.signal).then((read) => {
        if (read.ok && read.value.join() !== allowed.join()) life.end("OpenAI's addresses have changed");
        else if (!life.signal.aborted) lookDaily(allowed, life);
      });
    });
    life.signal.addEventListener("abort", stopTimer, { once: true });
  }

  return {
    name: "ngrok",

    async check() {
      try {
        await loadAgent();
        return ok(null);
      } catch (error) {
        log.debug({ error: String(error) }, "@ngrok/ngrok cannot be loaded");
        return fail(
          "@ngrok/ngrok is not installed; run: npm install -g @ngrok/ngrok (beside codex-gpt-bridge)",
        );
      }
    },

    async open(url, hear, signal) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const allowed = await whoMayKnock(signal);
      if (signal.aborted) return fail({ why: "it is not wanted any more", isFinal: false });
      if (!allowed.ok) return allowed;
      const over = new AbortController();
      const config = {
        addr: url,
        authtoken,
        ...(domain === undefined ? {} : { domain }),
        ...(allowed.value === null ? {} : { traffic_policy: toTrafficPolicy(allowed.value) }),
        onStatusChange(status: string) {
          if (!over.signal.aborted) hear(toEvent(status));
        },
      };
      try {
        const listener = await (await loadAgent()).forward(config);
        const life = liveOn(listener, over);
        const address = listener.url();
        if (address !== null) hear({ type: "host", host: new URL(address).hostname });
        hear({ type: "ready" });
        if (allowed.value !== null) lookDaily(allowed.value, life);
        return ok({
          ended: life.ended,
          async close() {
            life.end("ngrok's listener was closed");
            await life.ended;
          },
        });
      } catch (error) {
        over.abort();
        return fail(toFailure(error, authtoken));
      }
    },
  };
}

const LOOK_EVERY_MS = 86_400_000;

function toTrafficPolicy(allow: readonly string[]): string {
  const config = { enforce: true, allow };
  return JSON.stringify({ on_http_request: [{ actions: [{ type: "restrict-ips", config }] }] });
}

/** ngrok's agent finds its way back by itself; it tells when it has lost it. */
function toEvent(status: string): TunnelEvent {
  if (status === "connected") return { type: "ready" };
  return { type: "unready", why: "the connection to ngrok is lost; its agent connects again" };
}

interface Life {
  readonly ended: Promise<string>;
  /** Aborted once it is over. */
  readonly signal: AbortSignal;
  /** Closes the listener; the first reason counts. */
  end(why: string): void;
}

/** Closing is a call to ngrok, which may be out of reach. */
const CLOSE_WITHIN_MS = 3_000;

function liveOn(listener: NgrokListener, over: AbortController): Life {
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  let reason: string | null = null;
  listener.join().then(
    () => {
      finish(reason ?? "ngrok's listener was closed by the other end");
    },
    (error: unknown) => {
      finish(reason ?? `ngrok's listener failed: ${toText(error)}`);
    },
  );
  function finish(why: string): void {
    over.abort();
    resolve(why);
  }
  return {
    ended,
    signal: over.signal,
    end(why) {
      if (reason !== null) return;
      reason = why;
      over.abort();
      const late = setTimeout(() => {
        finish(why);
      }, CLOSE_WITHIN_MS);
      void ended.then(() => {
        clearTimeout(late);
      });
      listener.close().catch(() => {}); // it is closed already, or `late` ends the wait
    },
  };
}

/** ngrok's codes (ngrok.com/docs/errors): a wrong or missing authtoken, an account or a domain that may not do this. */
const FINAL = /ERR_NGROK_(?:105|107|120|121|319|320|4018)\b/;

function toFailure(error: unknown, authtoken: string): TunnelFailure {
  // The edge quotes a token that it does not like.
  const text = toText(error).replaceAll(authtoken, "[authtoken]");
  return { why: `ngrok opens no tunnel: ${text}`, isFinal: FINAL.test(text) };
}

function toText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s+/g, " ").trim().slice(0, 400);
}

async function loadPackage(): Promise<NgrokAgent> {
  const { forward } = await import("@ngrok/ngrok");
  return { forward: async (config) => forward(config) };
}
