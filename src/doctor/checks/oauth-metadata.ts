/** Can ChatGPT find out from the running bridge where to sign in, and does what it finds fit together? */
import { broken, doubtful, fine, skipped, type Check, type Finding } from "../check.ts";
import { isRecord, jsonOf, type Probe, type ProbeReply } from "../probe.ts";

const RESOURCE = "/.well-known/oauth-protected-resource";
const SERVER = "/.well-known/oauth-authorization-server";
const RESTART = "restart the bridge, then remove the plugin in ChatGPT and add it again";

export const oauthMetadata: Check = {
  name: "oauth_metadata",
  title: "sign-in (OAuth)",

  async run({ config, bridge, probe }, signal) {
    if (!config.ok) return skipped("the configuration has to be right first");
    const { publicUrl, authIssuer } = config.value;
    if (publicUrl === undefined) return skipped("not used; it comes with public_url");
    if ((await bridge()).kind !== "running") return skipped("no bridge is running");
    const { host } = new URL(publicUrl);
    const get = async (path: string): Promise<ProbeReply> =>
      probe.send({ method: "GET", path, headers: { host } }, signal);
    const refused = await challenge(probe, host, signal);
    if (refused.status !== 401)
      return broken(`a call without a token was answered ${refused.status}`, RESTART);
    if (refused.headers["www-authenticate"]?.includes("resource_metadata=") !== true) {
      return broken("a refused call does not say where to sign in", RESTART);
    }
    for (const path of [`${RESOURCE}/mcp`, RESOURCE]) {
      const wrong = judgeResource(await get(path), path, `${publicUrl}/mcp`, authIssuer ?? publicUrl);
      if (wrong !== null) return wrong;
    }
    if (authIssuer !== undefined) return fine(`callers sign in at ${authIssuer}`);
    return judgeServer(await get(SERVER), publicUrl);
  },
};

async function challenge(probe: Probe, host: string, signal: AbortSignal): Promise<ProbeReply> {
  return probe.send(
    {
      method: "POST",
      path: "/mcp",
      headers: { host, accept: "application/json, text/event-stream" },
      body: { jsonrpc: "2.0", id: 1, method: "tools/list" },
    },
    signal,
  );
}

function judgeResource(reply: ProbeReply, path: string, resource: string, issuer: string): Finding | null {
  const document = jsonOf(reply);
  if (reply.status !== 200) return broken(`${path} was answered ${reply.status}`, RESTART);
  if (document["resource"] !== resource) {
    return broken(`${path} names ${String(document["resource"])}, and not ${resource}`, RESTART);
  }
  const servers = document["authorization_servers"];
  const [first] = Array.isArray(servers) ? servers : [];
  return isSameUrl(first, issuer) ? null : broken(`${path} names another place to sign in`, RESTART);
}

function judgeServer(reply: ProbeReply, publicUrl: string): Finding {
  const document = jsonOf(reply);
  if (reply.status !== 200 || !isRecord(document))
    return broken(`${SERVER} was answered ${reply.status}`, RESTART);
  if (!isSameUrl(document["issuer"], publicUrl)) return broken(`${SERVER} names another issuer`, RESTART);
  const outside = ["authorization_endpoint", "token_endpoint"].filter(
    (name) => !String(document[name]).startsWith(`${publicUrl}/`),
  );
  if (outside.length > 0) return broken(`${SERVER}: ${outside.join(" and ")} lie elsewhere`, RESTART);
  const methods = document["code_challenge_methods_supported"];
  if (!Array.isArray(methods) || !methods.includes("S256"))
    return broken("PKCE with S256 is not offered", RESTART);
  const offersClients =
    document["client_id_metadata_document_supported"] === true ||
    document["registration_endpoint"] !== undefined;
  return offersClients
    ? fine("ChatGPT finds where to sign in, and what it finds fits together")
    : doubtful(
        "ChatGPT can only sign in as a client that was named beforehand",
        "set oauth_clients, and enter the client in ChatGPT",
      );
}

function isSameUrl(value: unknown, url: string): boolean {
  return typeof value === "string" && value.replace(/\/$/, "") === url.replace(/\/$/, "");
}
