/** The secrets that may be kept for the owner: what each is called in a store, and the variable that it stands in for. */

export interface SecretItem {
  /** In the macOS Keychain and the Secret Service the service is `codex-gpt-bridge:<name>`. */
  readonly name: string;
  readonly variable: string;
  /** For the owner. */
  readonly title: string;
}

export const secretItems = {
  token: { name: "token", variable: "CODEX_GPT_BRIDGE_TOKEN", title: "the bridge's token" },
  headerSecret: {
    name: "header-secret",
    variable: "CODEX_GPT_BRIDGE_HEADER_SECRET",
    title: "the secret that the tunnel client adds to each request",
  },
  oauthPasscode: {
    name: "oauth-passcode",
    variable: "CODEX_GPT_BRIDGE_OAUTH_PASSCODE",
    title: "the passcode that you type when ChatGPT signs in",
  },
  controlPlaneApiKey: {
    name: "control-plane-api-key",
    variable: "CONTROL_PLANE_API_KEY",
    title: "the API key of OpenAI's tunnel",
  },
  controlPlaneTunnelId: {
    name: "control-plane-tunnel-id",
    variable: "CONTROL_PLANE_TUNNEL_ID",
    title: "the id of OpenAI's tunnel",
  },
  ngrokAuthtoken: { name: "ngrok-authtoken", variable: "NGROK_AUTHTOKEN", title: "ngrok's authtoken" },
  cloudflareTunnelToken: {
    name: "cloudflare-tunnel-token",
    variable: "TUNNEL_TOKEN",
    title: "the token of Cloudflare's tunnel",
  },
  openaiApiKey: { name: "openai-api-key", variable: "OPENAI_API_KEY", title: "the OpenAI API key" },
} as const satisfies Readonly<Record<string, SecretItem>>;

export type SecretItemName = keyof typeof secretItems;

export const secretItemNames = Object.keys(secretItems) as SecretItemName[];

export function serviceOf(item: SecretItem): string {
  return `codex-gpt-bridge:${item.name}`;
}

const LONGEST = 1_500;

/** What every store takes and gives back unchanged: one line of visible ASCII without space around it. */
export function isStorable(value: string): boolean {
  return value.length <= LONGEST && /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value);
}
