/**
 * ChatGPT's way in, step by step, as it was seen on the wire: `server/discover` in revision 2026-07-28, the list of
 * tools, one call; then the same in the era of `initialize`, without ever sending a session id; the GET that asks for a
 * stream; the OAuth documents. Calls `bridge_status` and nothing else.
 */
import { fail, ok, type Result } from "../lib/result.ts";
import type { Credential } from "./credential.ts";
import { isRecord, jsonOf, type Probe, type ProbeReply } from "./probe.ts";

export interface Connection {
  readonly steps: number;
  readonly toolNames: readonly string[];
  /** As `bridge_status` names it; null where it did not. */
  readonly fingerprint: string | null;
}

interface Stuck {
  readonly step: string;
  readonly reason: string;
}

const MODERN = "2026-07-28";
const LEGACY = "2025-11-25";
const CLIENT = { name: "openai-mcp", version: "1.0.0" };
const CAPABILITIES = {
  experimental: { "openai/visibility": {} },
  extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } },
};
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": MODERN,
  "io.modelcontextprotocol/clientInfo": CLIENT,
  "io.modelcontextprotocol/clientCapabilities": CAPABILITIES,
};

class Wrong extends Error {}

export async function playConnection(
  probe: Probe,
  credential: Credential,
  signal: AbortSignal,
): Promise<Result<Connection, Stuck>> {
  let step = "";
  let steps = 0;
  const take = async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    step = name;
    const value = await run();
    steps += 1;
    return value;
  };
  const say = async (message: Message, headers: Readonly<Record<string, string>>): Promise<ProbeReply> =>
    probe.send(
      {
        method: "POST",
        path: "/mcp",
        headers: {
          accept: "application/json, text/event-stream",
          "user-agent": "openai-mcp/1.0.0",
          ...credential.headers,
          ...headers,
        },
        body: { jsonrpc: "2.0", ...message },
      },
      signal,
    );
  const modern = async (id: string | number, method: string, params: Params = {}) => {
    const name = typeof params["name"] === "string" ? { "mcp-name": params["name"] } : {};
    const headers = { "mcp-protocol-version": MODERN, "mcp-method": method, ...name };
    return resultOf(await say({ id, method, params: { ...params, _meta: ENVELOPE } }, headers));
  };
  const legacy = async (id: number, method: string, params: Params = {}) =>
    resultOf(await say({ id, method, params }, { "mcp-protocol-version": LEGACY }));

  try {
    const discovered = await take(`server/discover (${MODERN})`, async () =>
      modern("openai-mcp-discover", "server/discover"),
    );
    demand(listOf(discovered["supportedVersions"]).includes(MODERN), `the answer leaves out ${MODERN}`);
    const toolNames = await take(`tools/list (${MODERN})`, async () =>
      namesOf(await modern(1, "tools/list")),
    );
    const status = await take(`bridge_status (${MODERN})`, async () =>
      statusOf(await modern(2, "tools/call", { name: "bridge_status", arguments: {} })),
    );
    await take(`initialize (${LEGACY})`, async () => {
      const params = { protocolVersion: LEGACY, clientInfo: CLIENT, capabilities: CAPABILITIES };
      const { protocolVersion } = resultOf(await say({ id: 3, method: "initialize", params }, {}));
      demand(protocolVersion === LEGACY, `the bridge chose ${String(protocolVersion)}`);
    });
    await take("notifications/initialized", async () => {
      const reply = await say({ method: "notifications/initialized" }, { "mcp-protocol-version": LEGACY });
      demand(reply.status === 202, `HTTP ${reply.status}`);
    });
    await take(`tools/list (${LEGACY})`, async () => {
      const names = namesOf(await legacy(4, "tools/list"));
      demand(names.join() === toolNames.join(), "the two eras show different tools");
    });
    await take(`bridge_status (${LEGACY})`, async () => {
      statusOf(await legacy(5, "tools/call", { name: "bridge_status", arguments: {} }));
    });
    await take("GET /mcp", async () => {
      const headers = { accept: "text/event-stream", ...credential.headers };
      const reply = await probe.send({ method: "GET", path: "/mcp", headers }, signal);
      demand(reply.status === 405 && reply.headers["allow"] === "POST", `HTTP ${reply.status}`);
    });
    await take("OAuth documents", async () => {
      const path = "/.well-known/oauth-protected-resource";
      const reply = await probe.send({ method: "GET", path }, signal);
      const isJson = reply.headers["content-type"]?.startsWith("application/json") === true;
      demand(isJson && (reply.status === 200 || reply.status === 404), `HTTP ${reply.status}, and no JSON`);
    });
    const { toolsFingerprint } = status;
    const fingerprint = typeof toolsFingerprint === "string" ? toolsFingerprint : null;
    return ok({ steps, toolNames, fingerprint });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return fail({ step, reason: error.message });
  }
}

type Params = Readonly<Record<string, unknown>>;

interface Message {
  readonly id?: string | number;
  readonly method: string;
  readonly params?: Params;
}

function demand(holds: boolean, otherwise: string): void {
  if (!holds) throw new Wrong(otherwise);
}

function resultOf(reply: ProbeReply): Readonly<Record<string, unknown>> {
  const { result, error } = jsonOf(reply);
  if (isRecord(error)) throw new Wrong(`HTTP ${reply.status}, ${String(error["message"])}`);
  if (reply.status !== 200 || !isRecord(result)) throw new Wrong(`HTTP ${reply.status} without a result`);
  demand(reply.headers["mcp-session-id"] === undefined, "the bridge hands out a session id");
  return result;
}

function namesOf({ tools }: Readonly<Record<string, unknown>>): string[] {
  const names = listOf(tools).map((tool) => (isRecord(tool) ? String(tool["name"]) : ""));
  demand(names.includes("bridge_status"), "there is no bridge_status among the tools");
  return names;
}

function statusOf({ structuredContent, isError }: Params): Readonly<Record<string, unknown>> {
  demand(isError !== true && isRecord(structuredContent), "bridge_status gave no structured answer");
  return isRecord(structuredContent) ? structuredContent : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
