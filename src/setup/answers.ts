/** What `setup` learned from the owner. Plain values; the secrets among them go to a store and nowhere else. */
import type { SecretItemName } from "../keychain/secret-items.ts";

/** How ChatGPT reaches the bridge. */
export type Reach = "openai" | "ngrok" | "cloudflared" | "quick" | "local";
export type SecretsPolicy = "refuse" | "mask" | "off";

export interface ProjectAnswer {
  /** Which of the tables in the config file it was; null for a new one. */
  readonly index: number | null;
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly write: boolean;
}

export interface Answers {
  readonly projects: readonly ProjectAnswer[];
  readonly secrets: SecretsPolicy;
  readonly reach: Reach;
  /** The host name under which the bridge is reached over ngrok or Cloudflare; null where it is not known before. */
  readonly host: string | null;
  /** A named tunnel of Cloudflare's; null where a token says which it is. */
  readonly cloudflaredTunnel: string | null;
  /** To be kept. What is kept already and stays is not among them. */
  readonly keep: ReadonlyMap<SecretItemName, string>;
}
