import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { playConnection } from "../../src/doctor/chatgpt-connection.ts";
import type { Probe, ProbeReply, ProbeRequest } from "../../src/doctor/probe.ts";
import { startHouse } from "../tools/start-house.ts";

let house: Awaited<ReturnType<typeof startHouse>>;
beforeAll(async () => {
  house = await startHouse();
});
afterAll(async () => {
  await house.stop();
});

const credential = { headers: { authorization: "Bearer doctor" } };
const never = new AbortController().signal;

/** The real bridge in process, as somebody between it and ChatGPT may change its answers. */
function through(
  change: (request: ProbeRequest, reply: ProbeReply) => ProbeReply,
): Probe & { seen: ProbeRequest[] } {
  const seen: ProbeRequest[] = [];
  return {
    seen,
    async send(request) {
      seen.push(request);
      const { method, path, headers = {}, body } = request;
      const response = await house.app.request(path, {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const reply = {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        text: await response.text(),
      };
      return change(request, reply);
    },
  };
}

function methodOf({ body }: ProbeRequest): string {
  return typeof body === "object" && body !== null && "method" in body ? String(body.method) : "";
}
const isModern = ({ headers = {} }: ProbeRequest): boolean =>
  headers["mcp-protocol-version"] === "2026-07-28";

test("the bridge lets ChatGPT in, in both eras, and no request carries a session", async () => {
  const probe = through((_request, reply) => reply);
  const played = await playConnection(probe, credential, never);
  expect(played).toMatchObject({
    ok: true,
    value: { steps: 9, toolNames: expect.arrayContaining(["codex_run"]) },
  });
  expect(probe.seen.map(methodOf).filter((method) => method !== "")).toEqual([
    "server/discover",
    "tools/list",
    "tools/call",
    "initialize",
    "notifications/initialized",
    "tools/list",
    "tools/call",
  ]);
  expect(probe.seen.some(({ headers = {} }) => Object.hasOwn(headers, "mcp-session-id"))).toBe(false);
});

describe("what goes wrong on the way is named by its step", () => {
  const json = (value: unknown): Pick<ProbeReply, "status" | "text"> => ({
    status: 200,
    text: JSON.stringify(value),
  });
  test.each<[string, (request: ProbeRequest, reply: ProbeReply) => ProbeReply, RegExp, RegExp]>([
    [
      "discover is not known",
      (request, reply) => (methodOf(request) === "server/discover" ? { ...reply, status: 400 } : reply),
      /^server\/discover/,
      /400/,
    ],
    [
      "discover leaves out the revision that ChatGPT asked in",
      (request, reply) =>
        methodOf(request) === "server/discover"
          ? { ...reply, ...json({ jsonrpc: "2.0", id: 1, result: { supportedVersions: ["2025-11-25"] } }) }
          : reply,
      /^server\/discover/,
      /leaves out 2026-07-28/,
    ],
    [
      "an HTML page instead of the list of tools",
      (request, reply) =>
        methodOf(request) === "tools/list" && isModern(request)
          ? { ...reply, text: "<html>visit site</html>" }
          : reply,
      /^tools\/list \(2026/,
      /without a result/,
    ],
    [
      "a refusal of MCP itself",
      (request, reply) =>
        methodOf(request) === "initialize"
          ? {
              ...reply,
              status: 400,
              text: '{"jsonrpc":"2.0","error":{"code":-32000,"message":"not initialized"}}',
            }
          : reply,
      /^initialize/,
      /not initialized/,
    ],
    [
      "a session id is handed out",
      (request, reply) =>
        methodOf(request) === "initialize"
          ? { ...reply, headers: { ...reply.headers, "mcp-session-id": "1" } }
          : reply,
      /^initialize/,
      /session/,
    ],
    [
      "notifications are not taken",
      (request, reply) =>
        methodOf(request).startsWith("notifications/") ? { ...reply, status: 500 } : reply,
      /^notifications/,
      /500/,
    ],
    [
      "the two eras show different tools",
      (request, reply) =>
        methodOf(request) === "tools/list" && !isModern(request)
          ? { ...reply, ...json({ jsonrpc: "2.0", id: 1, result: { tools: [{ name: "bridge_status" }] } }) }
          : reply,
      /^tools\/list \(2025/,
      /different tools/,
    ],
    [
      "the GET probe is answered with a page",
      (request, reply) =>
        request.method === "GET" && request.path === "/mcp" ? { ...reply, status: 404 } : reply,
      /^GET/,
      /404/,
    ],
    [
      "HTML where the OAuth documents would be",
      (request, reply) =>
        request.path.startsWith("/.well-known")
          ? { ...reply, headers: { "content-type": "text/html" } }
          : reply,
      /^OAuth/,
      /no JSON/,
    ],
  ])("%s", async (_name, change, step, reason) => {
    const played = await playConnection(through(change), credential, never);
    expect(played).toMatchObject({
      ok: false,
      failure: { step: expect.stringMatching(step), reason: expect.stringMatching(reason) },
    });
  });

  test("nobody answers at all", async () => {
    const dead: Probe = { send: async () => Promise.reject(new Error("connect ECONNREFUSED")) };
    const played = await playConnection(dead, credential, never);
    expect(played).toMatchObject({ ok: false, failure: { reason: "connect ECONNREFUSED" } });
  });
});
