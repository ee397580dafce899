/**
 * The environment that OpenAI's tunnel-client gets. The key, the tunnel's id and the secret header travel here and
 * nowhere else: not in its arguments, not in its profile.
 */
import { toProgramEnvironment } from "../program-environment.ts";

export interface ClientSecrets {
  readonly tunnelId: string;
  readonly headerSecret: string;
}

const SECRET_HEADER = "x-codex-gpt-bridge-secret";
/** tunnel-client reads the value of a header from the variable that `env:` names. */
const SECRET_VARIABLE = "CODEX_GPT_BRIDGE_HEADER_SECRET";

/** The control plane's settings and the limits. What would choose another profile, server or log is left out. */
const ALSO = [
  "CONTROL_PLANE_",
  "CA_BUNDLE",
  "TUNNEL_CLIENT_HTTP_PROXY",
  "MCP_MAX_CONCURRENT_REQUESTS",
  "MCP_CONNECTION_MAX_TTL",
  "MCP_EXTRA_HEADERS",
  "MCP_DISCOVERY_EXTRA_HEADERS",
  "LOG_LEVEL",
];

/** Calls that wait for Codex hold a place while they wait; the client's own 10 and 20 are used up by one busy chat. */
const PLACES = "100";

export function toClientEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  { tunnelId, headerSecret }: ClientSecrets,
  profileDirectory: string,
): Record<string, string> {
  const inherited = toProgramEnvironment(environment, ALSO);
  const withSecret = (headers: string | undefined): string =>
    [...(headers === undefined ? [] : [headers]), `${SECRET_HEADER}: env:${SECRET_VARIABLE}`].join(", ");
  const { MCP_EXTRA_HEADERS: extra, MCP_DISCOVERY_EXTRA_HEADERS: discovery } = inherited;
  return {
    MCP_MAX_CONCURRENT_REQUESTS: PLACES,
    CONTROL_PLANE_MAX_INFLIGHT_REQUESTS: PLACES,
    LOG_LEVEL: "info",
    ...inherited,
    LOG_FORMAT: "json",
    CONTROL_PLANE_TUNNEL_ID: tunnelId,
    TUNNEL_CLIENT_PROFILE_DIR: profileDirectory,
    MCP_EXTRA_HEADERS: withSecret(extra),
    MCP_DISCOVERY_EXTRA_HEADERS: withSecret(discovery),
    [SECRET_VARIABLE]: headerSecret,
  };
}
