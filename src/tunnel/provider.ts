/**
 * The port of this room: one way for ChatGPT to reach a bridge that listens on loopback. An adapter opens its tunnel
 * once and says what happens to it; it never opens it again (the supervisor does) and never decides who may call.
 */
import type { Result } from "../lib/result.ts";

export const tunnelNames = ["openai", "ngrok", "cloudflared"] as const;
export type TunnelName = (typeof tunnelNames)[number];

export type TunnelEvent =
  /** Requests will be addressed to this host; absent where the tunnel speaks to loopback's own name. */
  | { readonly type: "host"; readonly host: string }
  /** `says`: what the other end answered, where it says more than yes. */
  | { readonly type: "ready"; readonly says?: string }
  /** It lives, and cannot carry calls at the moment. */
  | { readonly type: "unready"; readonly why: string };

export interface TunnelFailure {
  /** One plain line for the owner: what is wrong, and what to do. */
  readonly why: string;
  /** Trying again cannot help: the owner has to change something. */
  readonly isFinal: boolean;
}

export interface OpenTunnel {
  /** Settles with the reason, in plain words, once nothing of this tunnel runs any more. Never rejects. */
  readonly ended: Promise<string>;
  /** Ends the tunnel and waits until it has ended. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * `check` looks at this machine before anything is started, and starts nothing that stays. `open` gives back a tunnel
 * that lives (not yet one that is ready: that is an event) or a failure that left nothing running. Events come between
 * the call of `open` and the end; `ready` and `unready` may come any number of times. Neither throws for what the
 * owner or the other end did.
 */
export interface TunnelProvider {
  readonly name: TunnelName;
  check(signal: AbortSignal): Promise<Result<null, string>>;
  /** `url`: where the bridge listens, without a path. */
  open(
    url: string,
    hear: (event: TunnelEvent) => void,
    signal: AbortSignal,
  ): Promise<Result<OpenTunnel, TunnelFailure>>;
}
