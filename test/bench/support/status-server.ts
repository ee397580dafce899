/**
 * `bridge_status` on a socket, the whole house behind it: once with nothing before it but Hono and a JSON parser, once
 * with the product's own guard, limits and check of a token.
 */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { createAdmission } from "../../../src/auth/admission.ts";
import { createAuthenticate } from "../../../src/auth/bearer.ts";
import { createTokenVerifier, makeToken } from "../../../src/auth/created-token.ts";
import { openTokenStore } from "../../../src/auth/token-store.ts";
import { callOf } from "../../../src/http/app.ts";
import { createMcpEndpoint } from "../../../src/http/mcp.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { silentLog } from "../../../src/lib/log.ts";
import { tools } from "../../../src/tools/index.ts";
import { createMcpServerFactory } from "../../../src/tools/mcp-server.ts";
import { startBridge } from "../../http/fixture/start-bridge.ts";
import { startHouse } from "../../tools/start-house.ts";
import { token } from "./door.ts";

export type StatusServerKind = "bare" | "static-token" | "created-token";

export async function startStatusServer(
  kind: StatusServerKind,
  stateDir: string,
): Promise<{ port: number; credential: string }> {
  // As the product does it: once, not for every call.
  const house = await startHouse({ room: { toolsFingerprint: () => "0123456789abcdef" } });
  const recorded = new Set<string>();
  const mcpServer = createMcpServerFactory(tools, house.room, callOf, recorded);
  if (kind === "bare") {
    const endpoint = createMcpEndpoint({ mcpServer, restoreHeaders: false, onError() {} });
    const caller = { subject: "owner", scopes: ["read", "write"], via: "none" } as const;
    const call = { caller, requestId: "r", lacks() {} };
    const authInfo = { token: "", clientId: "owner", scopes: [], extra: { call } };
    const app = new Hono();
    app.post("/mcp", async (c) => {
      const body: unknown = await c.req.json();
      return endpoint.answer({ request: c.req.raw, body, authInfo, accepted: { json: true, sse: true } });
    });
    const server = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 });
    await once(server, "listening");
    return { port: (server.address() as AddressInfo).port, credential: token };
  }

  const made = makeToken({ name: "bench", scope: "write", expiresAt: Date.now() + 86_400_000 }, Date.now());
  const store = openTokenStore(stateDir);
  store.add(made.stored);
  store.close();
  const isCreated = kind === "created-token";
  const bridge = await startBridge({
    authenticate: createAdmission({
      authenticate: createAuthenticate(
        { token: isCreated ? null : token, noAuth: false, headerSecret: null },
        [createTokenVerifier(stateDir, systemClock, silentLog).verify],
      ),
      requestsPerMinute: 1_000_000,
      failedAuthPerMinute: 50,
      monotonic: () => performance.now(),
    }),
    mcpServer,
    log: silentLog,
    onArrival: ({ requestId }) => {
      recorded.delete(requestId);
    },
  });
  return { port: bridge.listening.port, credential: isCreated ? made.text : token };
}
