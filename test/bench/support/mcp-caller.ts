/** A lean MCP client of revision 2026-07-28 over kept-alive sockets, so that little of what is measured is its own. */
import { once } from "node:events";
import { Agent, request, type IncomingMessage } from "node:http";

export type Answer = Readonly<Record<string, unknown>>;

export interface McpCaller {
  /** `structuredContent` of a tool call. Throws on an HTTP or JSON-RPC error. */
  call(tool: string, args?: Readonly<Record<string, unknown>>): Promise<Answer>;
  /** The raw answer to a call without arguments, unread. Throws on an HTTP error. */
  send(tool: string): Promise<void>;
  close(): void;
}

const PROTOCOL = "2026-07-28";

export function createMcpCaller(port: number, token: string, connections = 256): McpCaller {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });

  async function post(tool: string, args: Readonly<Record<string, unknown>>): Promise<IncomingMessage> {
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: {
        name: tool,
        arguments: args,
        _meta: {
          "io.modelcontextprotocol/protocolVersion": PROTOCOL,
          "io.modelcontextprotocol/clientInfo": { name: "bench", version: "0" },
          "io.modelcontextprotocol/clientCapabilities": {},
        },
      },
    });
    const outgoing = request({
      agent,
      port,
      host: "127.0.0.1",
      path: "/mcp",
      method: "POST",
      headers: {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        accept: "application/json, text/event-stream",
        authorization: `Bearer ${token}`,
        "mcp-protocol-version": PROTOCOL,
        "mcp-method": "tools/call",
        "mcp-name": tool,
      },
    });
    outgoing.end(body);
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    if (response.statusCode !== 200) throw new Error(`${tool} was answered ${String(response.statusCode)}`);
    return response;
  }

  return {
    async call(tool, args = {}) {
      const response = await post(tool, args);
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      const text = Buffer.concat(chunks).toString("utf8");
      const { result } = JSON.parse(text) as { result?: { structuredContent?: Answer } };
      if (result?.structuredContent === undefined) throw new Error(`${tool} answered ${text.slice(0, 500)}`);
      return result.structuredContent;
    },
    async send(tool) {
      const response = await post(tool, {});
      response.resume();
      await once(response, "end");
    },
    close() {
      agent.destroy();
    },
  };
}

export function mustBeCompleted(answer: Answer): Answer {
  if (answer["status"] === "completed") return answer;
  throw new Error(`a job ended as ${String(answer["status"])}: ${JSON.stringify(answer)}`);
}
