import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  authorized,
  callTool,
  envelope,
  headerSecret,
  rpc,
  send,
  sendRaw,
  standardHeaders,
  startBridge,
  token,
  type RunningBridge,
} from "./fixture/start-bridge.ts";

let bridge: RunningBridge;
beforeAll(async () => {
  bridge = await startBridge({
    limits: { headersTimeout: 700, requestTimeout: 900, connectionsCheckingInterval: 100 },
  });
});
afterAll(async () => {
  await bridge.stop();
});

const call = callTool("status");
const nested = (depth: number): string =>
  `{"jsonrpc":"2.0","id":1,"method":"x","params":${"[".repeat(depth)}${"]".repeat(depth)}}`;
const without = (name: string): Record<string, string> =>
  Object.fromEntries(Object.entries(authorized).filter(([header]) => header !== name));
const modern = (params: object): string => callTool("status", { _meta: envelope, ...params });

const headAnswer = '{"jsonrpc":"2.0","error":{"message":"a HEAD answer has no body"}}';
const rpcError = { jsonrpc: "2.0", error: { message: expect.any(String) } };
const headersOf: Record<number, object> = {
  401: { "www-authenticate": expect.stringMatching(/^Bearer realm="codex-gpt-bridge"/) },
  405: { allow: "POST" },
};

interface Attack {
  readonly name: string;
  readonly status: number;
  readonly rpcCode?: number;
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Buffer;
}

const attacks: readonly Attack[] = [
  // Host
  { name: "a foreign Host", status: 403, headers: { ...authorized, host: "evil.example" } },
  {
    name: "a foreign Host that begins like ours",
    status: 403,
    headers: { ...authorized, host: "localhost.evil.example" },
  },
  {
    name: "a foreign Host that ends like ours",
    status: 403,
    headers: { ...authorized, host: "evil-bridge.example" },
  },
  { name: "the any-address as Host", status: 403, headers: { ...authorized, host: "0.0.0.0:8765" } },
  { name: "another loopback address as Host", status: 403, headers: { ...authorized, host: "127.0.0.2" } },
  { name: "loopback as one number", status: 403, headers: { ...authorized, host: "2130706433" } },
  { name: "a Host with user info", status: 400, headers: { ...authorized, host: "localhost@evil.example" } },
  { name: "a Host with a path", status: 400, headers: { ...authorized, host: "localhost/evil" } },
  { name: "a Host with a space", status: 400, headers: { ...authorized, host: "localhost evil" } },
  { name: "a Host with a comma", status: 400, headers: { ...authorized, host: "localhost,evil.example" } },
  { name: "a Host with a trailing dot", status: 400, headers: { ...authorized, host: "localhost." } },
  { name: "a Host with a word as port", status: 400, headers: { ...authorized, host: "localhost:evil" } },
  { name: "an empty Host", status: 400, headers: { ...authorized, host: "" } },
  {
    name: "a foreign Host on /healthz",
    status: 403,
    method: "GET",
    path: "/healthz",
    headers: { host: "evil.example" },
  },
  {
    name: "a foreign Host on /readyz",
    status: 403,
    method: "GET",
    path: "/readyz",
    headers: { host: "evil.example" },
  },
  {
    name: "a foreign Host on no route at all",
    status: 403,
    method: "GET",
    path: "/x",
    headers: { host: "evil.example" },
  },
  // Origin and Sec-Fetch
  { name: "a foreign Origin", status: 403, headers: { ...authorized, origin: "https://evil.example" } },
  { name: "the Origin null", status: 403, headers: { ...authorized, origin: "null" } },
  { name: "an empty Origin", status: 403, headers: { ...authorized, origin: "" } },
  {
    name: "an Origin of loopback on another port",
    status: 403,
    headers: { ...authorized, host: "localhost:8765", origin: "http://localhost:3000" },
  },
  {
    name: "an Origin of loopback by another name",
    status: 403,
    headers: { ...authorized, host: "localhost:8765", origin: "http://127.0.0.1:8765" },
  },
  {
    name: "ChatGPT's own web page as Origin",
    status: 403,
    headers: { ...authorized, origin: "https://chatgpt.com" },
  },
  { name: "an Origin that is a file", status: 403, headers: { ...authorized, origin: "file://" } },
  {
    name: "an Origin that is an extension",
    status: 403,
    headers: { ...authorized, origin: "chrome-extension://abcdef" },
  },
  {
    name: "an Origin with user info",
    status: 403,
    headers: { ...authorized, host: "localhost", origin: "http://localhost@evil.example" },
  },
  {
    name: "two Origins, one of them ours",
    status: 403,
    headers: { ...authorized, host: "localhost", origin: ["http://localhost", "https://evil.example"] },
  },
  {
    name: "a preflight of a foreign page",
    status: 403,
    method: "OPTIONS",
    headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
  },
  {
    name: "a cross-site fetch without an Origin",
    status: 403,
    headers: { ...authorized, "sec-fetch-site": "cross-site" },
  },
  {
    name: "a same-site fetch (another port of localhost)",
    status: 403,
    headers: { ...authorized, "sec-fetch-site": "same-site" },
  },
  { name: "an unknown Sec-Fetch-Site", status: 403, headers: { ...authorized, "sec-fetch-site": "" } },
  {
    name: "a cross-site image of /healthz",
    status: 403,
    method: "GET",
    path: "/healthz",
    headers: { "sec-fetch-site": "cross-site" },
  },
  // Route and method
  { name: "GET on /mcp", status: 405, method: "GET", headers: {} },
  {
    name: "GET on /mcp with a token and a session id",
    status: 405,
    method: "GET",
    headers: { ...authorized, "mcp-session-id": "x" },
  },
  { name: "DELETE on /mcp", status: 405, method: "DELETE", headers: {} },
  { name: "PUT on /mcp", status: 405, method: "PUT", headers: authorized, body: call },
  { name: "PATCH on /mcp", status: 405, method: "PATCH", headers: authorized, body: call },
  { name: "OPTIONS on /mcp", status: 405, method: "OPTIONS", headers: {} },
  { name: "TRACE on /mcp", status: 405, method: "TRACE", headers: {} },
  { name: "PROPFIND on /mcp", status: 405, method: "PROPFIND", headers: {} },
  { name: "HEAD on /mcp", status: 405, method: "HEAD", headers: {} },
  {
    name: "a method override",
    status: 405,
    method: "GET",
    headers: { ...authorized, "x-http-method-override": "POST" },
  },
  { name: "/mcp with a slash", status: 404, path: "/mcp/", headers: authorized, body: call },
  { name: "/mcp in capitals", status: 404, path: "/MCP", headers: authorized, body: call },
  { name: "/mcp behind two slashes", status: 404, path: "//mcp", headers: authorized, body: call },
  { name: "/mcp with a matrix parameter", status: 404, path: "/mcp;x=1", headers: authorized, body: call },
  { name: "a path with dots", status: 404, method: "GET", path: "/../../etc/passwd", headers: {} },
  {
    name: "a path with encoded dots",
    status: 404,
    method: "GET",
    path: "/%2e%2e/%2e%2e/etc/passwd",
    headers: {},
  },
  { name: "a path with a broken escape", status: 404, method: "GET", path: "/%zz%00", headers: {} },
  {
    name: "OAuth metadata that is not there",
    status: 404,
    method: "GET",
    path: "/.well-known/oauth-protected-resource",
    headers: {},
  },
  {
    name: "OAuth metadata of /mcp that is not there",
    status: 404,
    method: "GET",
    path: "/.well-known/oauth-protected-resource/mcp",
    headers: {},
  },
  { name: "POST on /healthz", status: 404, path: "/healthz", headers: authorized, body: call },
  { name: "metrics where there are none", status: 404, method: "GET", path: "/metrics", headers: authorized },
  // Caller, before anything is said about the body
  { name: "no token", status: 401, headers: without("authorization"), body: call },
  { name: "no token and no media type", status: 401, headers: {}, body: call },
  { name: "no token and a body that is not JSON", status: 401, headers: without("authorization"), body: "{" },
  {
    name: "no token and 2 MiB",
    status: 401,
    headers: without("authorization"),
    body: Buffer.alloc(2 * 1024 * 1024, 32),
  },
  {
    name: "a wrong token",
    status: 401,
    headers: { ...authorized, authorization: "Bearer wrong" },
    body: call,
  },
  {
    name: "a token in the query",
    status: 401,
    path: `/mcp?access_token=${token}`,
    headers: without("authorization"),
    body: call,
  },
  {
    name: "a token in a cookie",
    status: 401,
    headers: { ...without("authorization"), cookie: `token=${token}` },
    body: call,
  },
  ...[
    ["the right token as Basic", `Basic ${btoa(`x:${token}`)}`],
    ["the right token without a scheme", token],
    ["the right token under another scheme", `DPoP ${token}`],
    ["the right token and one character more", `Bearer ${token}0`],
    ["the right token and one character less", `Bearer ${token.slice(0, -1)}`],
    ["the right token in capitals", `Bearer ${token.toUpperCase()}`],
    ["the right token in quotes", `Bearer "${token}"`],
    ["the right token twice", `Bearer ${token} ${token}`],
    ["the right token after a tab", `Bearer\t${token}`],
    ["an empty token", "Bearer "],
    ["a scheme alone", "Bearer"],
    ["the secret as a token", `Bearer ${headerSecret}`],
    ["a created token that nobody created", `Bearer cgb_${"A".repeat(16)}_${"b".repeat(43)}`],
    ["a token signed with nothing", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJvd25lciJ9."],
    ["a token of 8 KiB", `Bearer ${"a".repeat(8_192)}`],
    ["SQL for a token", "Bearer ' OR '1'='1"],
  ].map(([name = "", authorization = ""]) => ({
    name,
    status: 401,
    headers: { ...authorized, authorization },
    body: call,
  })),
  {
    name: "two tokens, the second one right",
    status: 401,
    headers: { ...authorized, authorization: ["Bearer wrong", `Bearer ${token}`] },
    body: call,
  },
  {
    name: "the right token as a secret",
    status: 401,
    headers: { ...without("authorization"), "x-codex-gpt-bridge-secret": token },
    body: call,
  },
  {
    name: "the right token in a header of another product",
    status: 401,
    headers: { ...without("authorization"), "x-api-key": token, "proxy-authorization": `Bearer ${token}` },
    body: call,
  },
  {
    name: "the right token in the body",
    status: 401,
    headers: without("authorization"),
    body: callTool("status", { token, access_token: token, _meta: { authorization: `Bearer ${token}` } }),
  },
  // Too much of everything
  {
    name: "150 headers",
    status: 431,
    headers: { ...authorized, ...Object.fromEntries(Array.from({ length: 150 }, (_, n) => [`x-${n}`, "x"])) },
    body: call,
  },
  {
    name: "a gzip bomb of 50 MiB",
    status: 415,
    headers: { ...authorized, "content-encoding": "gzip" },
    body: gzipSync(Buffer.alloc(50 * 1024 * 1024)),
  },
  {
    name: "a deflate bomb inside a gzip bomb",
    status: 415,
    headers: { ...authorized, "content-encoding": "gzip, deflate" },
    body: gzipSync(Buffer.alloc(1024 * 1024)),
  },
  // Media type and encoding
  {
    name: "the type that a page may send unasked",
    status: 415,
    headers: { ...authorized, "content-type": "text/plain; x=application/json" },
    body: call,
  },
  { name: "text/plain", status: 415, headers: { ...authorized, "content-type": "text/plain" }, body: call },
  {
    name: "a form",
    status: 415,
    headers: { ...authorized, "content-type": "application/x-www-form-urlencoded" },
    body: call,
  },
  { name: "no media type", status: 415, headers: without("content-type"), body: call },
  {
    name: "a type that contains ours",
    status: 415,
    headers: { ...authorized, "content-type": "application/json-seq" },
    body: call,
  },
  {
    name: "a type of JSON's family",
    status: 415,
    headers: { ...authorized, "content-type": "application/vnd.api+json" },
    body: call,
  },
  {
    name: "a second parameter",
    status: 415,
    headers: { ...authorized, "content-type": "application/json; charset=utf-8; x=y" },
    body: call,
  },
  {
    name: "another charset",
    status: 415,
    headers: { ...authorized, "content-type": "application/json; charset=utf-16" },
    body: call,
  },
  {
    name: "two media types",
    status: 415,
    headers: { ...authorized, "content-type": "application/json, text/plain" },
    body: call,
  },
  {
    name: "gzip",
    status: 415,
    headers: { ...authorized, "content-encoding": "gzip" },
    body: Buffer.from("1f8b0800", "hex"),
  },
  { name: "brotli", status: 415, headers: { ...authorized, "content-encoding": "br" }, body: call },
  {
    name: "an Accept that no answer can meet",
    status: 406,
    headers: { ...authorized, accept: "text/html" },
    body: call,
  },
  // Body
  { name: "2 MiB", status: 413, headers: authorized, body: Buffer.alloc(2 * 1024 * 1024, 32) },
  { name: "one byte too many", status: 413, headers: authorized, body: Buffer.alloc(1024 * 1024 + 1, 32) },
  {
    name: "2 MiB without a length",
    status: 413,
    headers: { ...authorized, "transfer-encoding": "chunked" },
    body: Buffer.alloc(2 * 1024 * 1024, 32),
  },
  { name: "no body", status: 400, rpcCode: -32700, headers: authorized, body: "" },
  { name: "blanks", status: 400, rpcCode: -32700, headers: authorized, body: "   " },
  { name: "half an object", status: 400, rpcCode: -32700, headers: authorized, body: call.slice(0, -1) },
  { name: "two objects", status: 400, rpcCode: -32700, headers: authorized, body: `${call}${call}` },
  { name: "JSON with a comment", status: 400, rpcCode: -32700, headers: authorized, body: `${call}//` },
  {
    name: "NaN",
    status: 400,
    rpcCode: -32700,
    headers: authorized,
    body: '{"jsonrpc":"2.0","id":NaN,"method":"ping"}',
  },
  { name: "a byte order mark", status: 400, rpcCode: -32700, headers: authorized, body: `\uFEFF${call}` },
  {
    name: "bytes that are not UTF-8",
    status: 400,
    rpcCode: -32700,
    headers: authorized,
    body: Buffer.from('{"a":"\xff"}', "latin1"),
  },
  {
    name: "an overlong UTF-8 form",
    status: 400,
    rpcCode: -32700,
    headers: authorized,
    body: Buffer.from('{"a":"\xc0\xaf"}', "latin1"),
  },
  {
    name: "a surrogate in UTF-8",
    status: 400,
    rpcCode: -32700,
    headers: authorized,
    body: Buffer.from('{"a":"\xed\xa0\x80"}', "latin1"),
  },
  { name: "UTF-16", status: 400, rpcCode: -32700, headers: authorized, body: Buffer.from(call, "utf16le") },
  { name: "33 levels", status: 400, rpcCode: -32600, headers: authorized, body: nested(32) },
  { name: "45,000 levels", status: 400, rpcCode: -32600, headers: authorized, body: nested(45_000) },
  {
    name: "500,000 opening brackets",
    status: 400,
    rpcCode: -32600,
    headers: authorized,
    body: "[".repeat(500_000),
  },
  {
    name: "500,000 closing brackets",
    status: 400,
    rpcCode: -32700,
    headers: authorized,
    body: "]".repeat(500_000),
  },
  { name: "a batch", status: 400, rpcCode: -32600, headers: authorized, body: `[${call}]` },
  {
    name: "300 calls in a batch",
    status: 400,
    rpcCode: -32600,
    headers: authorized,
    body: `[${Array.from({ length: 300 }, () => call).join(",")}]`,
  },
  { name: "an empty batch", status: 400, rpcCode: -32600, headers: authorized, body: "[]" },
  {
    name: "a prototype key",
    status: 400,
    rpcCode: -32600,
    headers: authorized,
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"__proto__":{"polluted":true}}}}',
  },
  {
    name: "a prototype key in escapes",
    status: 400,
    rpcCode: -32600,
    headers: authorized,
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"\\u005f_proto__":{"polluted":true}}}}',
  },
  { name: "null", status: 400, rpcCode: -32600, headers: authorized, body: "null" },
  { name: "a string", status: 400, rpcCode: -32600, headers: authorized, body: '"tools/list"' },
  { name: "a number", status: 400, rpcCode: -32600, headers: authorized, body: "1" },
  { name: "an empty object", status: 400, rpcCode: -32600, headers: authorized, body: "{}" },
  {
    name: "no jsonrpc member",
    status: 400,
    rpcCode: -32600,
    headers: authorized,
    body: '{"id":1,"method":"tools/list"}',
  },
  {
    name: "jsonrpc 1.0",
    status: 400,
    rpcCode: -32600,
    headers: authorized,
    body: '{"jsonrpc":"1.0","id":1,"method":"tools/list"}',
  },
  {
    name: "a number as method",
    status: 400,
    rpcCode: -32600,
    headers: authorized,
    body: '{"jsonrpc":"2.0","id":1,"method":7}',
  },
  {
    name: "an object as id",
    status: 400,
    rpcCode: -32600,
    headers: authorized,
    body: '{"jsonrpc":"2.0","id":{},"method":"tools/list"}',
  },
  {
    name: "null as id",
    status: 400,
    rpcCode: -32600,
    headers: authorized,
    body: '{"jsonrpc":"2.0","id":null,"method":"tools/list"}',
  },
  {
    name: "an array as params",
    status: 400,
    rpcCode: -32600,
    headers: authorized,
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}',
  },
  // Protocol: an error, in MCP's own way
  { name: "an unknown method", status: 200, rpcCode: -32601, headers: authorized, body: rpc("no/such") },
  {
    name: "a method named like a prototype's",
    status: 200,
    rpcCode: -32601,
    headers: authorized,
    body: rpc("constructor"),
  },
  {
    name: "an unknown method of the new era",
    status: 404,
    rpcCode: -32601,
    headers: { ...authorized, ...standardHeaders("no/such") },
    body: rpc("no/such", { _meta: envelope }),
  },
  {
    name: "a method that the new era dropped",
    status: 404,
    rpcCode: -32601,
    headers: { ...authorized, ...standardHeaders("ping") },
    body: rpc("ping", { _meta: envelope }),
  },
  {
    name: "a tool call without a name",
    status: 200,
    rpcCode: -32602,
    headers: authorized,
    body: rpc("tools/call", {}),
  },
  {
    name: "a tool call with a number as name",
    status: 200,
    rpcCode: -32602,
    headers: authorized,
    body: rpc("tools/call", { name: 1 }),
  },
  {
    name: "a tool call with a string as arguments",
    status: 200,
    rpcCode: -32602,
    headers: authorized,
    body: rpc("tools/call", { name: "status", arguments: "x" }),
  },
  {
    name: "a tool that breaks",
    status: 200,
    rpcCode: -32603,
    headers: authorized,
    body: callTool("explode"),
  },
  {
    name: "initialize without params",
    status: 200,
    rpcCode: -32603,
    headers: authorized,
    body: rpc("initialize"),
  },
  {
    name: "an unknown protocol version in the header",
    status: 400,
    rpcCode: -32000,
    headers: { ...authorized, "mcp-protocol-version": "1999-01-01" },
    body: call,
  },
  {
    name: "an unknown protocol version in the envelope",
    status: 400,
    rpcCode: -32022,
    headers: {
      ...authorized,
      "mcp-protocol-version": "2099-01-01",
      "mcp-method": "tools/call",
      "mcp-name": "status",
    },
    body: modern({ _meta: { ...envelope, "io.modelcontextprotocol/protocolVersion": "2099-01-01" } }),
  },
  {
    name: "a number as protocol version in the envelope",
    status: 400,
    rpcCode: -32602,
    headers: authorized,
    body: modern({ _meta: { ...envelope, "io.modelcontextprotocol/protocolVersion": 7 } }),
  },
  {
    name: "an envelope without capabilities",
    status: 400,
    rpcCode: -32602,
    headers: authorized,
    body: modern({ _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } }),
  },
  {
    name: "headers of the new era without an envelope",
    status: 400,
    rpcCode: -32602,
    headers: { ...authorized, ...standardHeaders("tools/call", "status") },
    body: call,
  },
  {
    name: "a version header that contradicts the envelope",
    status: 400,
    rpcCode: -32020,
    headers: { ...authorized, "mcp-protocol-version": "2025-11-25" },
    body: modern({}),
  },
  {
    name: "a method header that contradicts the body",
    status: 400,
    rpcCode: -32020,
    headers: { ...authorized, "mcp-method": "tools/list" },
    body: modern({}),
  },
  {
    name: "a name header that contradicts the body",
    status: 400,
    rpcCode: -32020,
    headers: { ...authorized, "mcp-name": "echo" },
    body: modern({}),
  },
];

describe("a hostile request", () => {
  it.each(attacks)(
    "with $name is answered $status",
    async ({ status, rpcCode, method, path, headers, body }) => {
      const before = bridge.arrivals.length;
      const answer = await send(bridge.listening.port, {
        ...(method === undefined ? {} : { method }),
        ...(path === undefined ? {} : { path }),
        ...(headers === undefined ? {} : { headers }),
        ...(body === undefined ? {} : { body }),
      });
      expect(answer.status).toBe(status);
      const isMcp = (path ?? "/mcp").split("?")[0] === "/mcp";
      const parsed: unknown = JSON.parse(method === "HEAD" ? headAnswer : answer.body);
      expect(parsed).toMatchObject(isMcp ? rpcError : { ok: false });
      expect(parsed).toMatchObject(rpcCode === undefined ? {} : { error: { code: rpcCode } });
      expect(bridge.arrivals.length - before).toBe(isMcp ? 1 : 0);
      expect(answer.headers).toMatchObject({
        "x-request-id": expect.stringMatching(/^[\w-]{21}$/),
        "content-type": expect.stringMatching(/^application\/json/),
        ...headersOf[status],
      });
      expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
      expect(answer.body).not.toMatch(/<html|node_modules|\.ts:|\bat .*:\d+|evil/i);
      await expectAlive();
    },
  );
});

const head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\n";
const auth = `Authorization: Bearer ${token}\r\nContent-Type: application/json\r\nConnection: close\r\n`;
const authOpen = auth.replace("Connection: close\r\n", "");
const smuggled = "GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
const length = `Content-Length: ${String(call.length)}\r\n`;

const rawAttacks: readonly { name: string; status: readonly number[]; bytes: string | Buffer }[] = [
  {
    name: "two Host headers, both ours",
    status: [400],
    bytes: `${head}Host: localhost\r\n${auth}${length}\r\n${call}`,
  },
  {
    name: "two Host headers, the second foreign",
    status: [400],
    bytes: `${head}Host: evil.example\r\n${auth}${length}\r\n${call}`,
  },
  { name: "no Host", status: [400], bytes: `POST /mcp HTTP/1.1\r\n${auth}${length}\r\n${call}` },
  { name: "no Host in HTTP/1.0", status: [400], bytes: `POST /mcp HTTP/1.0\r\n${auth}${length}\r\n${call}` },
  {
    name: "an absolute target of a foreign host",
    status: [400],
    bytes: `POST http://evil.example/mcp HTTP/1.1\r\nHost: localhost\r\n${auth}${length}\r\n${call}`,
  },
  {
    name: "an absolute target of our host",
    status: [400],
    bytes: `POST http://localhost/mcp HTTP/1.1\r\nHost: localhost\r\n${auth}${length}\r\n${call}`,
  },
  {
    name: "an absolute target and no Host",
    status: [400],
    bytes: `POST http://localhost/mcp HTTP/1.1\r\n${auth}${length}\r\n${call}`,
  },
  {
    name: "a target of another scheme",
    status: [400],
    bytes: `POST ftp://localhost/mcp HTTP/1.1\r\nHost: localhost\r\n${auth}${length}\r\n${call}`,
  },
  {
    name: "a target without a slash",
    status: [400],
    bytes: `POST mcp HTTP/1.1\r\nHost: localhost\r\n${auth}${length}\r\n${call}`,
  },
  {
    name: "an asterisk as target",
    status: [400],
    bytes: "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  },
  { name: "CONNECT", status: [405], bytes: "CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n" },
  {
    name: "a backslash in the path",
    status: [400],
    bytes: "GET /mcp\\..\\healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  },
  {
    name: "a length and chunks",
    status: [400],
    bytes: `${head}${auth}${length}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  },
  {
    name: "two different lengths",
    status: [400],
    bytes: `${head}${auth}${length}Content-Length: 1\r\n\r\n${call}`,
  },
  { name: "two equal lengths", status: [400], bytes: `${head}${auth}${length}${length}\r\n${call}` },
  { name: "a negative length", status: [400], bytes: `${head}${auth}Content-Length: -1\r\n\r\n${call}` },
  { name: "a length with a sign", status: [400], bytes: `${head}${auth}Content-Length: +5\r\n\r\n${call}` },
  { name: "a length in hex", status: [400], bytes: `${head}${auth}Content-Length: 0x10\r\n\r\n${call}` },
  {
    name: "a length beyond numbers",
    status: [400],
    bytes: `${head}${auth}Content-Length: 99999999999999999999999\r\n\r\n${call}`,
  },
  {
    name: "an unknown transfer encoding",
    status: [400],
    bytes: `${head}${auth}Transfer-Encoding: cow\r\n\r\n${call}`,
  },
  {
    name: "chunked twice",
    status: [400],
    bytes: `${head}${auth}Transfer-Encoding: chunked, cow\r\n\r\n0\r\n\r\n`,
  },
  {
    name: "a chunk size that is no number",
    status: [400],
    bytes: `${head}${auth}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
  },
  {
    name: "a space before the colon",
    status: [400],
    bytes: `${head}Transfer-Encoding : chunked\r\n${auth}\r\n0\r\n\r\n`,
  },
  { name: "a folded header", status: [400], bytes: `${head}X-Fold: a\r\n b\r\n${auth}${length}\r\n${call}` },
  { name: "a bare line feed", status: [400], bytes: `${head}X-A: b\nX-B: c\r\n${auth}${length}\r\n${call}` },
  { name: "a NUL in a header", status: [400], bytes: `${head}X-A: b\0c\r\n${auth}${length}\r\n${call}` },
  { name: "garbage", status: [400], bytes: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" },
  { name: "an HTTP/2 preface", status: [400], bytes: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
  {
    name: "a foreign Origin behind more headers than Node keeps",
    status: [431],
    bytes: `${head}${auth}${length}${"a:\r\n".repeat(2_050)}Origin: https://evil.example\r\n\r\n${call}`,
  },
  { name: "headers of 64 KiB", status: [431], bytes: `${head}X-Big: ${"a".repeat(65_536)}\r\n${auth}\r\n` },
  {
    name: "an expectation that is none",
    status: [417],
    bytes: `${head}Expect: tea\r\n${auth}${length}\r\n${call}`,
  },
  {
    name: "Expect: 100-continue and no token",
    status: [401],
    bytes: `${head}Expect: 100-continue\r\nContent-Type: application/json\r\nConnection: close\r\n${length}\r\n`,
  },
  {
    name: "an upgrade to a web socket",
    status: [405],
    bytes:
      "GET /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  },
  { name: "headers that never end", status: [408], bytes: `${head}X-Slow: ` },
  {
    name: "a body that never comes, without a token",
    status: [401],
    bytes: `${head}${length}Content-Type: application/json\r\n\r\n`,
  },
  { name: "a body that never comes", status: [408], bytes: `${head}${auth}${length}\r\n{` },
  {
    name: "a second request after the last one",
    status: [],
    bytes: `${head}${auth}${length}\r\n${call}${smuggled}`,
  },
  {
    name: "a second request after an open one",
    status: [200, 403],
    bytes: `${head}${authOpen}${length}\r\n${call}${smuggled}`,
  },
  {
    name: "garbage after an open request",
    status: [],
    bytes: `${head}${authOpen}${length}\r\n${call}GARBAGE\r\n\r\n`,
  },
  { name: "nothing at all", status: [408], bytes: "" },
];

describe("hostile bytes", () => {
  it.each(rawAttacks)("with $name are answered $status", async ({ status, bytes }) => {
    const received = await sendRaw(bridge.listening.port, bytes);
    const answers = [...received.matchAll(/HTTP\/1\.1 (\d+) /g)].map((match) => Number(match[1]));
    expect(answers).toEqual(status);
    expect(received.toLowerCase().split("\r\nx-request-id: ").length).toBe(1 + status.length);
    expect(received.toLowerCase().split("\r\ncontent-type: application/json").length).toBe(1 + status.length);
    expect(received).not.toMatch(/<html|node_modules|evil/i);
    await expectAlive();
  });

  it("keep nobody else waiting: 50 half-open requests and a call is answered before any of them", async () => {
    const slow = Array.from({ length: 50 }, () =>
      sendRaw(bridge.listening.port, `${head}${auth}${length}\r\n{`),
    );
    let given = 0;
    for (const half of slow) void half.then(() => (given += 1));
    const answer = await send(bridge.listening.port, { headers: authorized, body: call });
    expect(answer.status).toBe(200);
    expect(given).toBe(0);
    const received = await Promise.all(slow);
    expect(received.every((text) => text.startsWith("HTTP/1.1 408 "))).toBe(true);
  });

  it("of a 32 MiB body without a length are not collected", async () => {
    const chunk = `${(65_536).toString(16)}\r\n${" ".repeat(65_536)}\r\n`;
    const before = process.memoryUsage().arrayBuffers;
    const received = await sendRaw(
      bridge.listening.port,
      `${head}${auth}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(512)}0\r\n\r\n`,
    );
    expect(received).toMatch(/^HTTP\/1\.1 413 /);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
    await expectAlive();
  });
});

async function expectAlive(): Promise<void> {
  const health = await send(bridge.listening.port, { method: "GET", path: "/healthz" });
  expect(health.status).toBe(200);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
}
