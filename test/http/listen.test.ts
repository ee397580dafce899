import { once } from "node:events";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { listen, type ListenOptions } from "../../src/http/listen.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { createEchoServer, Waiting } from "./fixture/echo-server.ts";
import {
  authorized,
  callTool,
  envelope,
  send,
  sendRaw,
  standardHeaders,
  startBridge,
} from "./fixture/start-bridge.ts";

const app = { fetch: () => new Response("{}") };
const options: ListenOptions = {
  app,
  host: "127.0.0.1",
  port: 0,
  maxConnections: 10,
  clock: systemClock,
  log: silentLog,
};

describe("listening", () => {
  it.each([
    ["127.0.0.1", /^http:\/\/127\.0\.0\.1:\d+$/],
    ["localhost", /^http:\/\/localhost:\d+$/],
  ])("on %s tells its url and port", async (host, url) => {
    const started = await listen({ ...options, host });
    expect(started).toMatchObject({ ok: true, value: { url: expect.stringMatching(url) } });
    if (started.ok) await started.value.close(0);
  });

  it("on a port that is taken is a value, not an exception", async () => {
    const first = await startBridge();
    const second = await listen({ ...options, port: first.listening.port });
    expect(second).toEqual({ ok: false, failure: { code: "address_in_use" } });
    await first.stop();
  });

  it.each(["192.0.2.1", "no-such-host.invalid"])("on %s, which is not ours, is a value too", async (host) => {
    expect(await listen({ ...options, host })).toEqual({
      ok: false,
      failure: { code: "address_not_available" },
    });
  });
});

describe("closing", () => {
  it("lets a waiting call be answered, and refuses new connections meanwhile", async () => {
    const waiting = new Waiting();
    const bridge = await startBridge({ mcpServer: createEchoServer(waiting) });
    const agent = new Agent({ keepAlive: true });
    const call = httpRequest(bridge.url, { method: "POST", headers: authorized, agent });
    call.end(callTool("wait"));
    await expect.poll(() => waiting.signals.length).toBe(1);
    const closed = bridge.listening.close(5000);
    await expect
      .poll(async () => await sendRaw(bridge.listening.port, "GET /healthz HTTP/1.1\r\n\r\n", 200))
      .toBe("");
    waiting.release();
    const [response] = (await once(call, "response")) as [{ statusCode: number; resume(): void }];
    response.resume();
    expect(response.statusCode).toBe(200);
    const start = performance.now();
    await closed;
    expect(performance.now() - start).toBeLessThan(4_500); // the grace was 5 s
    agent.destroy();
  });

  it("cuts what is not answered within the grace, and tells the tool", async () => {
    const waiting = new Waiting();
    const bridge = await startBridge({ mcpServer: createEchoServer(waiting) });
    const call = send(bridge.listening.port, { headers: authorized, body: callTool("wait") });
    const outcome = call.catch((error: unknown) => String(error));
    await expect.poll(() => waiting.signals.length).toBe(1);
    await bridge.listening.close(200);
    expect(await outcome).toContain("socket hang up");
    await expect.poll(() => waiting.aborted).toBe(1);
  });

  it("is not held up by an idle connection, nor by a subscription", async () => {
    const bridge = await startBridge();
    const idle = connect(bridge.listening.port, "127.0.0.1");
    await once(idle, "connect");
    const params = { _meta: envelope, notifications: { toolsListChanged: true } };
    const controller = new AbortController();
    const subscription = await fetch(bridge.url, {
      method: "POST",
      headers: { ...authorized, ...standardHeaders("subscriptions/listen") },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "subscriptions/listen", params }),
      signal: controller.signal,
    });
    expect(subscription.status).toBe(200);
    await bridge.listening.close(300);
    controller.abort();
    idle.destroy();
  });
});

it("more connections than allowed are closed, and the allowed ones go on", async () => {
  const bridge = await startBridge({ maxConnections: 3 });
  const open = Array.from({ length: 3 }, () => connect(bridge.listening.port, "127.0.0.1"));
  await Promise.all(open.map((socket) => once(socket, "connect")));
  expect(await sendRaw(bridge.listening.port, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")).toBe("");
  const [first] = open;
  first?.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const [data] = first === undefined ? [] : ((await once(first, "data")) as [Buffer]);
  expect(data?.toString()).toMatch(/^HTTP\/1\.1 200 /);
  for (const socket of open) socket.destroy();
  await bridge.stop();
});

it("a connection with a few unanswered requests is served, one that sends on and on is cut", async () => {
  let arrived = 0;
  const waiting = Promise.withResolvers<undefined>();
  const patient = {
    async fetch() {
      arrived += 1;
      await waiting.promise;
      return new Response("{}");
    },
  };
  const started = await listen({ ...options, app: patient });
  if (!started.ok) throw new Error(started.failure.code);
  const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const few = connect(started.value.port, "127.0.0.1");
  let received = "";
  few.on("data", (chunk: Buffer) => (received += chunk.toString()));
  few.write(request.repeat(10));
  await expect.poll(() => arrived).toBe(10);
  const many = connect(started.value.port, "127.0.0.1");
  let isCut = false;
  many.on("error", () => {}).on("close", () => (isCut = true));
  many.write(request.repeat(10_000));
  await expect.poll(() => isCut).toBe(true);
  expect(arrived).toBeLessThan(50);
  waiting.resolve(undefined);
  await expect.poll(() => received.split("HTTP/1.1 200").length - 1).toBe(10);
  // They count only while they wait: as many again are served.
  few.write(request.repeat(10));
  await expect.poll(() => received.split("HTTP/1.1 200").length - 1).toBe(20);
  few.destroy();
  await started.value.close(0);
});

it("a tool may take longer to answer than a request may take to arrive", async () => {
  const waiting = new Waiting();
  const limits = {
    headersTimeout: 300,
    requestTimeout: 300,
    connectionsCheckingInterval: 50,
    takeTimeout: 300,
  };
  const bridge = await startBridge({ mcpServer: createEchoServer(waiting), limits });
  const call = send(bridge.listening.port, { headers: authorized, body: callTool("wait") });
  await new Promise((resolve) => {
    setTimeout(resolve, 900);
  });
  waiting.release();
  expect((await call).status).toBe(200);
  await bridge.stop();
});

it("a client that never takes its answer is cut, one that takes it slowly is not", async () => {
  const answer = "x".repeat(32 * 1024 * 1024);
  const sockets: Socket[] = [];
  const big = {
    fetch: (_request: Request, env: { incoming?: IncomingMessage }) => {
      if (env.incoming !== undefined) sockets.push(env.incoming.socket);
      return new Response(answer);
    },
  };
  const listening = await listen({ ...options, app: big, limits: { takeTimeout: 500 } });
  if (!listening.ok) throw new Error(listening.failure.code);
  const ask = (): Socket => {
    const socket = connect(listening.value.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    return socket;
  };
  const deaf = ask();
  deaf.pause();
  await expect.poll(() => sockets.length).toBe(1);
  const slow = ask();
  let taken = 0;
  slow.on("data", (chunk: Buffer) => {
    taken += chunk.length;
    slow.pause();
    setTimeout(() => slow.resume(), 3);
  });
  await once(slow, "close");
  expect(taken).toBeGreaterThan(answer.length);
  await expect.poll(() => sockets[0]?.destroyed, { timeout: 10_000 }).toBe(true);
  deaf.destroy();
  await listening.value.close(0);
});

it("what is too malformed for a route is still in the log, under the id that the answer carries", async () => {
  const bridge = await startBridge();
  for (const bytes of [
    "GARBAGE\r\n\r\n",
    "GET mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  ]) {
    const received = await sendRaw(bridge.listening.port, bytes);
    const requestId = /x-request-id: ([\w-]{21})\r/i.exec(received)?.[1];
    expect(bridge.logLines.at(-1)).toMatchObject({ level: "warn", fields: { requestId } });
  }
  await bridge.stop();
});

it("a client that asks first is told to go on, once its token is known", async () => {
  const bridge = await startBridge();
  const body = callTool("status");
  const expectation = { expect: "100-continue", "content-length": String(Buffer.byteLength(body)) };
  const welcome = httpRequest(bridge.url, { method: "POST", headers: { ...authorized, ...expectation } });
  welcome.flushHeaders();
  await once(welcome, "continue");
  welcome.end(body);
  const [answer] = (await once(welcome, "response")) as [IncomingMessage];
  expect(answer.resume().statusCode).toBe(200);

  const stranger = httpRequest(bridge.url, { method: "POST", headers: expectation });
  stranger.on("error", () => {});
  let toldToGoOn = false;
  stranger.on("continue", () => (toldToGoOn = true));
  stranger.flushHeaders();
  const [refusal] = (await once(stranger, "response")) as [IncomingMessage];
  expect([refusal.resume().statusCode, toldToGoOn]).toEqual([401, false]);
  await bridge.stop();
});
