import { getEventListeners } from "node:events";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as OldClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as OldTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEchoServer, echoTools, Waiting } from "./fixture/echo-server.ts";
import {
  authorized,
  callTool,
  envelope,
  headerSecret,
  rpc,
  send,
  standardHeaders,
  startBridge,
  token,
  type Answer,
  type RunningBridge,
} from "./fixture/start-bridge.ts";

const waiting = new Waiting();
let bridge: RunningBridge;
let strict: RunningBridge;
beforeAll(async () => {
  bridge = await startBridge({ mcpServer: createEchoServer(waiting) });
  strict = await startBridge({ restoreHeaders: false });
});
afterAll(async () => {
  await bridge.stop();
  await strict.stop();
});

const toolNames = echoTools.map(({ name }) => name);
const requestInit = { headers: { authorization: `Bearer ${token}` } };

/** The JSON-RPC messages of an answer, whichever form it has. */
function messagesOf(answer: Answer): Record<string, unknown>[] {
  const isStream = answer.headers["content-type"] === "text/event-stream";
  const parts = isStream
    ? [...answer.body.matchAll(/^data: (.+)$/gm)].map((match) => match[1] ?? "")
    : [answer.body];
  return parts.map((part) => JSON.parse(part) as Record<string, unknown>);
}

/** The text of the first content block of a tool's answer, parsed as JSON. */
function told(answer: Answer): Record<string, unknown> {
  const last = messagesOf(answer).at(-1) as { result: { content: { text: string }[] } };
  return JSON.parse(last.result.content[0]?.text ?? "null") as Record<string, unknown>;
}

describe("a client walks through", () => {
  it.each([
    ["the new era", "2026-07-28", { mode: { pin: "2026-07-28" } }],
    ["the old era", "2025-11-25", { mode: "legacy" }],
    ["whichever it finds", "2026-07-28", { mode: "auto" }],
  ] as const)("%s with the current SDK", async (_name, version, versionNegotiation) => {
    const client = new Client({ name: "walker", version: "1" }, { versionNegotiation });
    await client.connect(new StreamableHTTPClientTransport(new URL(bridge.url), { requestInit }));
    expect(client.getNegotiatedProtocolVersion()).toBe(version);
    expect(client.getServerVersion()).toMatchObject({ name: "fixture" });
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(toolNames);
    const result = await client.callTool({ name: "status", arguments: {} });
    expect(result.content).toEqual([{ type: "text", text: "fine" }]);
    await client.close();
  });

  it("the old era with the old SDK, which probes for a stream first", async () => {
    const client = new OldClient({ name: "walker", version: "1" });
    const transport = new OldTransport(new URL(bridge.url), { requestInit });
    await client.connect(transport);
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(toolNames);
    const result = await client.callTool({ name: "status", arguments: {} });
    expect(result.content).toEqual([{ type: "text", text: "fine" }]);
    await client.close();
  });

  it.each([
    ["the new era", { mode: { pin: "2026-07-28" } }],
    ["the old era", { mode: "legacy" }],
  ] as const)("%s and hears of the progress it asked for", async (_name, versionNegotiation) => {
    const client = new Client({ name: "walker", version: "1" }, { versionNegotiation });
    await client.connect(new StreamableHTTPClientTransport(new URL(bridge.url), { requestInit }));
    const heard: number[] = [];
    await client.callTool(
      { name: "progress", arguments: {} },
      { onprogress: ({ progress }) => heard.push(progress) },
    );
    expect(heard).toEqual([1]);
    await client.close();
  });
});

describe("ChatGPT's own sequence", () => {
  const userAgent = { "user-agent": "openai-mcp/1.0.0 (ChatGPT)" };
  const capabilities = {
    extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } },
  };
  const post = (headers: Record<string, string>, body: string): Promise<Answer> =>
    send(bridge.listening.port, { headers: { ...authorized, ...userAgent, ...headers }, body });

  it("discovers the new era first and is then served in it, without a session", async () => {
    const meta = { ...envelope, "io.modelcontextprotocol/clientCapabilities": capabilities };
    const discover = await post(
      standardHeaders("server/discover"),
      rpc("server/discover", { _meta: meta }, "openai-mcp-discover"),
    );
    expect(discover.status).toBe(200);
    expect(discover.headers["content-type"]).toBe("application/json");
    expect(discover.headers["mcp-session-id"]).toBeUndefined();
    expect(JSON.parse(discover.body)).toMatchObject({
      id: "openai-mcp-discover",
      result: { resultType: "complete", supportedVersions: ["2026-07-28"], capabilities: { tools: {} } },
    });
    const list = await post(standardHeaders("tools/list"), rpc("tools/list", { _meta: meta }));
    expect(messagesOf(list)[0]).toMatchObject({ result: { tools: echoTools } });
    const call = await post(standardHeaders("tools/call", "status"), callTool("status", { _meta: meta }));
    expect(messagesOf(call)[0]).toMatchObject({ result: { content: [{ text: "fine" }] } });
  });

  it("falls back to initialize, goes on without a session id, and is not held up by a GET", async () => {
    const params = {
      protocolVersion: "2025-11-25",
      capabilities,
      clientInfo: { name: "openai-mcp", version: "1.0.0" },
    };
    const initialize = await post({}, rpc("initialize", params, 0));
    expect(messagesOf(initialize)[0]).toMatchObject({ id: 0, result: { protocolVersion: "2025-11-25" } });
    expect(initialize.headers["mcp-session-id"]).toBeUndefined();
    const initialized = await post(
      {},
      JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }),
    );
    expect([initialized.status, initialized.body]).toEqual([202, ""]);
    const version = { "mcp-protocol-version": "2025-11-25" };
    const probe = await send(bridge.listening.port, {
      method: "GET",
      headers: {
        ...userAgent,
        ...version,
        accept: "text/event-stream",
        authorization: authorized.authorization,
      },
    });
    expect([probe.status, probe.headers.allow]).toEqual([405, "POST"]);
    const list = await post(version, rpc("tools/list"));
    expect(messagesOf(list)[0]).toMatchObject({ result: { tools: echoTools } });
    const call = await post({ ...version, "mcp-session-id": "dropped-by-us" }, callTool("status"));
    expect(messagesOf(call)[0]).toMatchObject({ result: { content: [{ text: "fine" }] } });
  });

  it.each(["2025-11-25", "2025-06-18", "2025-03-26"])(
    "negotiates %s when asked for it",
    async (protocolVersion) => {
      const clientInfo = { name: "x", version: "1" };
      const answer = await post({}, rpc("initialize", { protocolVersion, capabilities: {}, clientInfo }));
      expect(messagesOf(answer)[0]).toMatchObject({ result: { protocolVersion } });
    },
  );
});

describe("the form of an answer", () => {
  const json = "application/json";
  const stream = "text/event-stream";
  const plain = callTool("status");
  const modern = callTool("status", { _meta: envelope });
  const progress = callTool("progress", { _meta: { progressToken: "p" } });
  const modernProgress = callTool("progress", { _meta: { ...envelope, progressToken: "p" } });
  it.each([
    ["plain", "old", json, plain, json, 1],
    ["plain", "old", stream, plain, stream, 1],
    ["plain", "old", `${json}, ${stream}`, plain, json, 1],
    ["plain", "old", "*/*", plain, json, 1],
    ["plain", "old", undefined, plain, json, 1],
    ["plain", "new", json, modern, json, 1],
    ["plain", "new", stream, modern, stream, 1],
    ["plain", "new", `${json}, ${stream}`, modern, json, 1],
    ["plain", "new", "*/*", modern, json, 1],
    ["plain", "new", undefined, modern, json, 1],
    ["progress", "old", json, progress, json, 1],
    ["progress", "old", stream, progress, stream, 2],
    ["progress", "old", `${json}, ${stream}`, progress, stream, 2],
    ["progress", "new", json, modernProgress, json, 1],
    ["progress", "new", stream, modernProgress, stream, 2],
    ["progress", "new", `${json}, ${stream}`, modernProgress, stream, 2],
  ])("to a %s call of the %s era that accepts %s", async (_kind, _era, accept, body, form, messages) => {
    const { "content-type": type, authorization } = authorized;
    const headers = { "content-type": type, authorization, ...(accept === undefined ? {} : { accept }) };
    const answer = await send(bridge.listening.port, { headers, body });
    expect([answer.status, answer.headers["content-type"]]).toEqual([200, form]);
    expect(messagesOf(answer)).toHaveLength(messages);
    expect(messagesOf(answer).at(-1)).toMatchObject({ id: 1, result: { content: [{ type: "text" }] } });
    expect(answer.headers["x-request-id"]).toMatch(/^[\w-]{21}$/);
  });
});

describe("what reaches a tool", () => {
  const session = { "openai/session": "v1/abc", "openai/locale": "de" };
  it.each([
    ["old", callTool("whoami", { _meta: session }), {}, null],
    [
      "new",
      callTool("whoami", { _meta: { ...envelope, ...session } }),
      standardHeaders("tools/call", "whoami"),
      envelope["io.modelcontextprotocol/clientInfo"],
    ],
  ] as const)(
    "in the %s era: caller, request id, the conversation and the client",
    async (era, body, headers, client) => {
      const answer = await send(bridge.listening.port, {
        headers: {
          ...authorized,
          ...headers,
          "x-request-id": "chosen-by-the-client",
          "user-agent": "tester",
        },
        body,
      });
      expect(told(answer)).toEqual({
        era: era === "old" ? "legacy" : "modern",
        requestId: answer.headers["x-request-id"],
        caller: { subject: "owner", scopes: ["read", "write"], via: "static-token" },
        session: "v1/abc",
        client,
        metaKeys: ["openai/session", "openai/locale"],
        userAgent: "tester",
      });
      expect(answer.headers["x-request-id"]).not.toBe("chosen-by-the-client");
    },
  );

  it("is the same caller through the header secret", async () => {
    const { "content-type": type } = authorized;
    const headers = { "content-type": type, "x-codex-gpt-bridge-secret": headerSecret };
    const answer = await send(bridge.listening.port, { headers, body: callTool("whoami") });
    expect(told(answer)).toMatchObject({ caller: { subject: "owner", via: "header-secret" } });
  });

  it("keeps what is harmless in a body: a prototype's name in a value, keys like constructor, escapes", async () => {
    const args =
      '{"text":"__proto__ \\u00e9 \\ud83d\\ude00","constructor":{"prototype":{"x":1}},"prototype":1}';
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":${args}}}`;
    const answer = await send(bridge.listening.port, { headers: authorized, body });
    expect(told(answer)).toEqual(JSON.parse(args));
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });

  it.each([
    ["32 levels", `${"[".repeat(29)}${"]".repeat(29)}`],
    ["brackets behind a quotation mark in a string", JSON.stringify(`"${"[".repeat(100)}`)],
    ["900 KiB of brackets in a string", JSON.stringify("[{".repeat(450 * 1024))],
  ])("may be %s", async (_name, value) => {
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"value":${value}}}}`;
    const answer = await send(bridge.listening.port, { headers: authorized, body });
    expect(answer.status).toBe(200);
    expect(told(answer)).toEqual({ value: JSON.parse(value) as unknown });
  });

  it.each([
    { "transfer-encoding": "chunked" },
    { expect: "100-continue" },
    { "content-type": "application/json; charset=UTF-8" },
    { "content-encoding": "identity" },
  ])("arrives with %o", async (headers) => {
    const answer = await send(bridge.listening.port, {
      headers: { ...authorized, ...headers },
      body: callTool("status"),
    });
    expect(messagesOf(answer)[0]).toMatchObject({ result: { content: [{ text: "fine" }] } });
  });
});

describe("a proxy that drops the new era's headers", () => {
  const body = callTool("status", { _meta: envelope });
  const all = standardHeaders("tools/call", "status");
  const but = (name: string): Record<string, string> =>
    Object.fromEntries(Object.entries(all).filter(([header]) => header !== name));

  it.each([["all of them", {}], ...Object.keys(all).map((name) => [name, but(name)] as const)] as const)(
    "does no harm on loopback: %s",
    async (_name, headers) => {
      const answer = await send(bridge.listening.port, { headers: { ...authorized, ...headers }, body });
      expect([answer.status, messagesOf(answer)[0]?.["error"]]).toEqual([200, undefined]);
    },
  );

  it.each(["ünïcode", " spaced ", "=?base64?eA==?=", "line\nbreak"])(
    "does no harm to a tool named %j",
    async (name) => {
      const answer = await send(bridge.listening.port, {
        headers: authorized,
        body: callTool(name, { _meta: envelope }),
      });
      expect(answer.status).toBe(200);
      expect(messagesOf(answer)[0]).toMatchObject({ result: { isError: true } });
    },
  );

  it("is refused elsewhere", async () => {
    const answer = await send(strict.listening.port, { headers: authorized, body });
    expect([answer.status, messagesOf(answer)[0]]).toMatchObject([400, { error: { code: -32020 } }]);
  });

  it("is told what it did, not answered, when a method or version cannot stand in a header", async () => {
    const odd = rpc("tools/ call\n", { _meta: envelope });
    const answer = await send(bridge.listening.port, { headers: authorized, body: odd });
    expect([answer.status, messagesOf(answer)[0]]).toMatchObject([400, { error: { code: -32020 } }]);
  });
});

describe("a client that goes away while a tool waits", () => {
  it.each([
    ["old, as JSON", { accept: "application/json" }, callTool("wait")],
    ["old, as a stream", { accept: "text/event-stream" }, callTool("wait")],
    ["new, as JSON", { accept: "application/json" }, callTool("wait", { _meta: envelope })],
    ["new, as either", {}, callTool("wait", { _meta: envelope })],
    ["new, as a stream", { accept: "text/event-stream" }, callTool("wait", { _meta: envelope })],
  ])("aborts the tool's signal (%s era)", async (_name, headers, body) => {
    const { signals, aborted } = { signals: waiting.signals.length, aborted: waiting.aborted };
    const controller = new AbortController();
    const call = fetch(bridge.url, {
      method: "POST",
      headers: { ...authorized, ...headers },
      body,
      signal: controller.signal,
    }).then((response) => response.text());
    await expect.poll(() => waiting.signals.length).toBe(signals + 1);
    controller.abort();
    await expect(call).rejects.toThrow("abort");
    await expect.poll(() => waiting.aborted).toBe(aborted + 1);
    expect(waiting.signals.at(-1)?.aborted).toBe(true);
  });

  it.each([callTool("wait"), callTool("wait", { _meta: envelope })])(
    "does not disturb one that stays, and the answered request has no listener left",
    async (body) => {
      const signals = waiting.signals.length;
      const call = send(bridge.listening.port, { headers: authorized, body });
      await expect.poll(() => waiting.signals.length).toBe(signals + 1);
      waiting.release();
      expect(messagesOf(await call)[0]).toMatchObject({ result: { content: [{ text: "released" }] } });
      const signal = waiting.requests.at(-1)?.signal;
      expect(signal?.aborted).toBe(false);
      expect(signal === undefined ? null : getEventListeners(signal, "abort")).toEqual([]);
    },
  );
});
