/** How the bridge describes itself as a protected resource (RFC 9728), and where that can be read. */
import { scopeNames } from "../caller.ts";

export interface ResourceMetadata {
  /** What tokens have to be made for: the address of /mcp. */
  readonly resource: string;
  /** The document itself. */
  readonly json: string;
  /** Both well-known forms: with the resource's path, and bare. */
  readonly paths: readonly string[];
  /** Where the document is; sent with a 401 (RFC 9728 5.1). */
  readonly url: string;
}

const WELL_KNOWN = "/.well-known/oauth-protected-resource";
const RESOURCE_PATH = "/mcp";

/** `publicUrl` is an origin; `issuer` the authorization server that is to be asked. */
export function createResourceMetadata(publicUrl: string, issuer: string): ResourceMetadata {
  const resource = `${publicUrl}${RESOURCE_PATH}`;
  const document = {
    resource,
    authorization_servers: [issuer],
    scopes_supported: scopeNames,
    bearer_methods_supported: ["header"],
    resource_name: "codex-gpt-bridge",
  };
  return {
    resource,
    json: JSON.stringify(document),
    paths: [`${WELL_KNOWN}${RESOURCE_PATH}`, WELL_KNOWN],
    url: `${publicUrl}${WELL_KNOWN}${RESOURCE_PATH}`,
  };
}
