/**
 * ngrok, through its own agent inside this process (the optional package `@ngrok/ngrok`). Lets in everybody only where
 * the bridge asks for OAuth; otherwise ngrok's edge lets in OpenAI's published addresses alone. Never lets ngrok's edge
 * ask for a login: ChatGPT could not answer it.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../../lib/log.ts";
import { fail, ok, type Result } from "../../lib/result.ts";
import type { OpenTunnel, TunnelEvent, TunnelFailure, TunnelProvider } from "../provider.ts";
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
  readonly now: () => number;
  readonly log: Log;
  readonly rangesUrl?: string;
  readonly loadAgent?: () => Promise<NgrokAgent>;
}

export function createNgrokTunnel(parts: NgrokParts): TunnelProvider {
  const { authtoken, domain, hasOauth, directory, now, log, rangesUrl = RANGES_URL } = parts;
  const loadAgent = parts.loadAgent ?? loadPackage;

  /** Null: everybody may knock. */
  async function trafficPolicy(signal: AbortSignal): Promise<Result<string | null, TunnelFailure>> {
    if (hasOauth) return ok(null);
    const file = join(directory, "openai-ranges.json");
    const ranges = await readOpenaiRanges({ url: rangesUrl, file, now }, signal);
    if (!ranges.ok) {
      return fail({
        why: `OpenAI's addresses are not known, so nobody is let in: ${ranges.failure}`,
        isFinal: false,
      });
    }
    log.info({ ranges: ranges.value.length }, "ngrok lets in OpenAI's published addresses alone");
    const config = { enforce: true, allow: ranges.value };
    return ok(JSON.stringify({ on_http_request: [{ actions: [{ type: "restrict-ips", config }] }] }));
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
      const policy = await trafficPolicy(signal);
      if (signal.aborted) return fail({ why: "it is not wanted any more", isFinal: false });
      if (!policy.ok) return policy;
      const state = { isOver: false };
      const config = {
        addr: url,
        authtoken,
        ...(domain === undefined ? {} : { domain }),
        ...(policy.value === null ? {} : { traffic_policy: policy.value }),
        onStatusChange(status: string) {
          if (!state.isOver) hear(toEvent(status));
        },
      };
      try {
        const listener = await (await loadAgent()).forward(config);
        return ok(toOpenTunnel(listener, hear, state));
      } catch (error) {
        state.isOver = true;
        return fail(toFailure(error, authtoken));
      }
    },
  };
}

/** ngrok's agent finds its way back by itself; it tells when it has lost it. */
function toEvent(status: string): TunnelEvent {
  if (status === "connected") return { type: "ready" };
  return { type: "unready", why: "the connection to ngrok is lost; its agent connects again" };
}

function toOpenTunnel(
  listener: NgrokListener,
  hear: (event: TunnelEvent) => void,
  state: { isOver: boolean },
): OpenTunnel {
  const url = listener.url();
  if (url !== null) hear({ type: "host", host: new URL(url).hostname });
  hear({ type: "ready" });
  const ended = listener
    .join()
    .then(
      () => "ngrok's listener was closed",
      (error: unknown) => `ngrok's listener failed: ${toText(error)}`,
    )
    .finally(() => {
      state.isOver = true;
    });
  let closing: Promise<void> | null = null;
  return {
    ended,
    async close() {
      state.isOver = true;
      closing ??= listener.close().catch(() => {}); // it is closed already
      await closing;
      await ended;
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
