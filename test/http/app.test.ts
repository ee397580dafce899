import { describe, expect, it } from "vitest";
import { createChallenges } from "../../src/auth/challenge.ts";
import { createAuthenticate } from "../../src/auth/bearer.ts";
import { ownerSubject, type AuthFailure } from "../../src/auth/caller.ts";
import { callOf, createApp, type AppParts, type Arrival } from "../../src/http/app.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { fail } from "../../src/lib/result.ts";
import { createEchoServer } from "./fixture/echo-server.ts";
import { authorized, callTool, headerSecret, token, type LogLine } from "./fixture/start-bridge.ts";

interface Room {
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>;
  readonly arrivals: Arrival[];
  readonly logLines: LogLine[];
}

function room(overrides: Partial<AppParts> = {}): Room {
  const arrivals: Arrival[] = [];
  const logLines: LogLine[] = [];
  const at = (level: LogLine["level"]) => (fields: LogLine["fields"], message: string) => {
    logLines.push({ level, fields, message });
  };
  const { app } = createApp({
    version: "1.2.3",
    allowedHosts: ["bridge.example"],
    challenges: createChallenges(null),
    authenticate: createAuthenticate({ token, noAuth: false, headerSecret }),
    mcpServer: createEchoServer(),
    readiness: () => ({ ok: true }),
    metrics: null,
    restoreHeaders: true,
    clock: { ...systemClock, now: () => 1_700_000_000_000 },
    log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") },
    onArrival: (arrival) => arrivals.push(arrival),
    ...overrides,
  });
  return { fetch: async (path, init) => await app.request(path, init), arrivals, logLines };
}

const post = (headers: Record<string, string> = authorized, body = callTool("status")): RequestInit => ({
  method: "POST",
  headers,
  body,
});

describe("the routes", () => {
  it("answer /healthz without a credential, and touch nothing for it", async () => {
    const { fetch, arrivals } = room({
      readiness: () => {
        throw new Error("touched");
      },
      authenticate: () => {
        throw new Error("touched");
      },
    });
    const response = await fetch("/healthz");
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ ok: true, name: "codex-gpt-bridge", version: "1.2.3" });
    expect(response.headers.get("x-request-id")).toMatch(/^[\w-]{21}$/);
    expect(arrivals).toEqual([]);
  });

  it.each([
    [{ ok: true }, 200],
    [{ ok: false, reason: "codex has not answered yet" }, 503],
  ] as const)("answer /readyz with %j as %d", async (readiness, status) => {
    const response = await room({ readiness: () => readiness }).fetch("/readyz");
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual(readiness);
  });

  it("answer /metrics to the same callers as /mcp", async () => {
    const { fetch } = room({ metrics: () => Promise.resolve("up 1\n") });
    const refused = await fetch("/metrics");
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([
      401,
      'Bearer realm="codex-gpt-bridge"',
    ]);
    expect(await refused.json()).toMatchObject({ ok: false, error: { code: "no_credential" } });
    const response = await fetch("/metrics", { headers: { authorization: `Bearer ${token}` } });
    expect([response.status, await response.text()]).toEqual([200, "up 1\n"]);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  });

  it.each([
    "/",
    "/metrics",
    "/mcp/x",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
  ])("answer %s with a JSON 404", async (path) => {
    const response = await room().fetch(path);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ ok: false, error: { code: "not_found" } });
  });
});

describe("a visitor", () => {
  it.each([
    [{ host: "localhost" }],
    [{ host: "LOCALHOST:1234" }],
    [{ host: "127.0.0.1:8765" }],
    [{ host: "[::1]:8765" }],
    [{ host: "bridge.example" }],
    [{ host: "Bridge.Example:443" }],
    [{ host: "localhost:8765", origin: "http://localhost:8765" }],
    [{ host: "bridge.example", origin: "https://bridge.example" }],
    [{ host: "127.0.0.1:8765", origin: "https://bridge.example" }],
    [{ host: "localhost", "sec-fetch-site": "same-origin" }],
    [{ host: "localhost", "sec-fetch-site": "none" }],
  ])("is let in with %o", async (headers) => {
    expect((await room().fetch("/healthz", { headers })).status).toBe(200);
  });

  it("of a host that is not in the list is told so in the owner's log, not in the answer", async () => {
    const { fetch, logLines } = room();
    const response = await fetch("/mcp", post({ ...authorized, host: "abc.ngrok.app" }));
    expect(response.status).toBe(403);
    expect(await response.text()).not.toContain("ngrok");
    expect(logLines).toMatchObject([
      { level: "warn", fields: { code: "foreign_host", host: "abc.ngrok.app" } },
    ]);
  });
});

describe("an arrival", () => {
  it("is reported for an answered call, with its caller", async () => {
    const { fetch, arrivals, logLines } = room();
    const response = await fetch("/mcp?secret=1", post());
    expect(arrivals).toEqual([
      {
        requestId: response.headers.get("x-request-id"),
        at: 1_700_000_000_000,
        method: "POST",
        path: "/mcp",
        status: 200,
        caller: { subject: ownerSubject, scopes: ["read", "write"], via: "static-token" },
      },
    ]);
    expect(logLines).toMatchObject([
      { level: "info", fields: { requestId: arrivals[0]?.requestId, status: 200 } },
    ]);
    expect(JSON.stringify(logLines)).not.toContain("secret");
  });

  it.each([
    ["a foreign host", post({ ...authorized, host: "evil.example" }), 403, "foreign_host", false],
    ["another site", post({ ...authorized, origin: "null" }), 403, "foreign_origin", false],
    ["a method", { method: "GET" }, 405, "method_not_allowed", false],
    ["no credential", post({ "content-type": "application/json" }), 401, "no_credential", false],
    [
      "a wrong credential",
      post({ ...authorized, authorization: "Bearer x" }),
      401,
      "wrong_credential",
      false,
    ],
    [
      "a media type",
      post({ ...authorized, "content-type": "text/plain" }),
      415,
      "unsupported_media_type",
      true,
    ],
    ["a body", post(authorized, "{"), 400, "not_json", true],
    ["a message", post(authorized, "{}"), 400, undefined, true],
  ] as const)(
    "is reported for a request refused for %s",
    async (_name, init, status, reason, knowsCaller) => {
      const { fetch, arrivals } = room();
      expect((await fetch("/mcp", init as RequestInit)).status).toBe(status);
      expect(arrivals).toHaveLength(1);
      expect(arrivals[0]).toMatchObject({ status, path: "/mcp" });
      expect(arrivals[0]?.reason).toBe(reason);
      expect(arrivals[0]?.caller !== null).toBe(knowsCaller);
    },
  );

  it("that cannot be recorded is not answered", async () => {
    const { fetch, logLines } = room({
      onArrival: () => {
        throw new Error("the disk is full at /var/lib/somewhere");
      },
    });
    const response = await fetch("/mcp", post());
    expect(response.status).toBe(500);
    expect(response.headers.get("x-request-id")).toMatch(/^[\w-]{21}$/);
    expect(await response.text()).not.toMatch(/disk|somewhere/);
    expect(logLines.at(-1)).toMatchObject({ level: "error", message: "a request failed" });
  });
});

describe("a failure", () => {
  it.each([
    [
      "the credential check",
      "/mcp",
      post(),
      { authenticate: () => Promise.reject(new Error("/secret/path")) },
    ],
    [
      "the making of a server",
      "/mcp",
      post(),
      { mcpServer: () => Promise.reject(new Error("/secret/path")) },
    ],
    [
      "the metrics",
      "/metrics",
      { headers: authorized },
      { metrics: () => Promise.reject(new Error("/secret/path")) },
    ],
    [
      "the readiness",
      "/readyz",
      {},
      {
        readiness: () => {
          throw new Error("/secret/path");
        },
      },
    ],
  ])("of %s is a plain 500 with a reference", async (_name, path, init, parts) => {
    const { fetch } = room(parts);
    const response = await fetch(path, init);
    expect(response.status).toBe(500);
    const text = await response.text();
    expect(text).not.toMatch(/secret|path|Error:|\.ts/);
    expect(JSON.parse(text)).toMatchObject({ error: { message: expect.stringMatching(/internal/i) } });
    expect(response.headers.get("x-request-id")).toMatch(/^[\w-]{21}$/);
  });
});

describe("a refusal of the caller", () => {
  it.each<[AuthFailure, number, Record<string, string | null>]>([
    [{ code: "no_credential" }, 401, { "www-authenticate": 'Bearer realm="codex-gpt-bridge"' }],
    [
      { code: "wrong_credential" },
      401,
      {
        "www-authenticate":
          'Bearer realm="codex-gpt-bridge", error="invalid_token", error_description="The credential is not valid, or no longer."',
      },
    ],
    [
      { code: "too_many_requests", retryAfterMs: 1200 },
      429,
      { "retry-after": "2", "www-authenticate": null },
    ],
    [{ code: "too_many_requests", retryAfterMs: 0 }, 429, { "retry-after": "1" }],
  ])("for %j is %d", async (failure, status, headers) => {
    const response = await room({ authenticate: () => fail(failure) }).fetch("/mcp", post());
    expect(response.status).toBe(status);
    for (const [name, value] of Object.entries(headers)) expect(response.headers.get(name)).toBe(value);
    expect(await response.json()).toMatchObject({
      jsonrpc: "2.0",
      id: null,
      error: { code: -32000, data: { code: failure.code, ref: response.headers.get("x-request-id") } },
    });
  });
});

it("a server that was not reached through this room has no caller to invent", () => {
  expect(() => callOf(undefined)).toThrow("did not come through");
  expect(() => callOf({ token: "t", clientId: "c", scopes: [] })).toThrow("did not come through");
});
