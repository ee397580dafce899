/** Speaks to the bridge as ChatGPT's connector does: plain POSTs of protocol revision 2026-07-28, no session. */

const PROTOCOL = "2026-07-28";

export interface Connector {
  /** The JSON-RPC result. Throws on a JSON-RPC error or an HTTP failure. */
  request(method: string, params?: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** `structuredContent` of a tool call, refusals included. */
  call(tool: string, args?: Record<string, unknown>): Promise<Record<string, unknown>>;
}

export function createConnector(url: string, token: string): Connector {
  let lastId = 0;

  async function request(
    method: string,
    params: Record<string, unknown> = {},
  ): Promise<Record<string, unknown>> {
    const name = typeof params["name"] === "string" ? { "mcp-name": params["name"] } : {};
    const response = await fetch(url, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "user-agent": "openai-mcp/1.0.0",
        "mcp-protocol-version": PROTOCOL,
        "mcp-method": method,
        ...name,
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: method === "server/discover" ? "openai-mcp-discover" : ++lastId,
        method,
        params: {
          ...params,
          _meta: {
            "io.modelcontextprotocol/protocolVersion": PROTOCOL,
            "io.modelcontextprotocol/clientInfo": { name: "openai-mcp", version: "1.0.0" },
            "io.modelcontextprotocol/clientCapabilities": {},
          },
        },
      }),
    });
    const { result, error } = (await response.json()) as {
      result?: Record<string, unknown>;
      error?: { message: string };
    };
    if (result === undefined) throw new Error(error?.message ?? `HTTP ${response.status}`);
    return result;
  }

  return {
    request,
    async call(tool, args = {}) {
      const { structuredContent } = await request("tools/call", { name: tool, arguments: args });
      return structuredContent as Record<string, unknown>;
    },
  };
}
