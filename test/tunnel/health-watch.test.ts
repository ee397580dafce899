import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { watchHealth } from "../../src/tunnel/health-watch.ts";
import type { TunnelEvent } from "../../src/tunnel/provider.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What is heard first of an endpoint. */
async function firstOf(url: string): Promise<TunnelEvent> {
  const watching = new AbortController();
  const heard = Promise.withResolvers<TunnelEvent>();
  const timing = { soonMs: 10, laterMs: 10, answerMs: 30_000 };
  const watch = watchHealth(async () => ({ live: url, ready: url }), heard.resolve, timing, watching.signal);
  const event = await heard.promise;
  watching.abort();
  expect(await watch).toBeNull();
  return event;
}

describe("the health endpoint of a tunnel's program", () => {
  it(
    "may answer without end: the beginning is enough, and the rest is not taken",
    { timeout: 30_000 },
    async () => {
      let sent = 0;
      const url = await listen((_request, response) => {
        const chunk = Buffer.alloc(64 * 1024, "x");
        const pour = (): void => {
          while (!response.destroyed && response.write(chunk)) sent += chunk.length;
          sent += chunk.length;
        };
        response.on("drain", pour);
        pour();
      });
      expect(await firstOf(url)).toEqual({ type: "ready", says: "x".repeat(200) });
      expect(sent).toBeLessThan(64 * 1024 * 1024);
    },
  );

  it("leads nowhere else: a redirection is no yes, and is not followed", async () => {
    let asked = 0;
    const elsewhere = await listen((_request, response) => {
      asked += 1;
      response.end("ready");
    });
    const url = await listen((_request, response) => {
      response.writeHead(302, { location: elsewhere }).end();
    });
    expect(await firstOf(url)).toEqual({ type: "unready", why: "it answers 302" });
    expect(asked).toBe(0);
  });
});
