/**
 * A hostile page in a real browser against a bridge on the same machine, once without authentication and once with a
 * token. What counts is what came through to MCP, and what the page could read: nothing of either.
 */
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createAuthenticate } from "../../src/auth/bearer.ts";
import { createEchoServer } from "../http/fixture/echo-server.ts";
import {
  authorized,
  callTool,
  send,
  startBridge,
  token,
  type RunningBridge,
} from "../http/fixture/start-bridge.ts";
import { hasBrowser, startBrowser, type Browser } from "../support/browser.ts";

const call = callTool("status");

let browser: Browser;
let hostile: Server;
beforeAll(async () => {
  if (!hasBrowser) return;
  browser = await startBrowser();
  hostile = createServer((_request, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>a page of somebody else</title><body></body>");
  });
  hostile.listen(0, "127.0.0.1");
  await once(hostile, "listening");
});
afterAll(async () => {
  if (!hasBrowser) return;
  hostile.close();
  await browser.close();
});

interface Target {
  readonly bridge: RunningBridge;
  /** Servers made for MCP messages: one for each that came through. */
  readonly reached: () => number;
}

async function startTarget(noAuth: boolean): Promise<Target> {
  let reached = 0;
  const echo = createEchoServer();
  const credentials = noAuth
    ? { token: null, noAuth: true, headerSecret: null }
    : { token, noAuth: false, headerSecret: null };
  const bridge = await startBridge({
    authenticate: createAuthenticate(credentials),
    mcpServer: (context) => {
      reached += 1;
      return echo(context);
    },
  });
  return { bridge, reached: () => reached };
}

/** Whatever the page could read of an answer. */
async function attack(page: Page, url: string): Promise<string[]> {
  const source = await readFile(new URL("../support/hostile-page.js", import.meta.url), "utf8");
  const read: unknown = await page.evaluate(`${source}\nattack(${JSON.stringify({ url, body: call })})`);
  return (read as unknown[]).map(String);
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

describe.skipIf(!hasBrowser)("a page in a browser", () => {
  let page: Page;
  beforeEach(async () => {
    page = await browser.context.newPage();
  });
  afterEach(async () => {
    await page.close();
  });

  describe.each([
    { auth: "without authentication", noAuth: true },
    { auth: "with a token", noAuth: false },
  ])("$auth", ({ noAuth }) => {
    let target: Target;
    beforeEach(async () => {
      target = await startTarget(noAuth);
    });
    afterEach(async () => {
      await target.bridge.stop();
    });

    test.each([
      ["another site", () => `http://evil.example:${portOf(hostile)}/`],
      ["another port of this machine", () => `http://127.0.0.1:${portOf(hostile)}/`],
      ["another name of this machine", () => `http://localhost:${portOf(hostile)}/`],
    ])("from %s makes the bridge do nothing and reads nothing", async (_name, pageUrl) => {
      const { bridge, reached } = target;
      await page.goto(pageUrl());
      const read = await attack(page, bridge.url);
      expect(read).toEqual([]);
      expect(reached()).toBe(0);
      // It did arrive, again and again, and was refused each time.
      expect(bridge.arrivals.length).toBeGreaterThan(20);
      expect(bridge.arrivals.filter(({ status }) => status < 400)).toEqual([]);
    });

    test("whose name was rebound to this machine makes the bridge do nothing", async () => {
      const { bridge, reached } = target;
      // The browser takes the bridge for this page's own server now: no origin stands between them, only the Host does.
      const own = `http://rebound.example:${bridge.listening.port}`;
      const answer = await page.goto(`${own}/mcp`);
      expect(answer?.status()).toBe(403);
      const read = await attack(page, `${own}/mcp`);
      expect(reached()).toBe(0);
      expect(bridge.arrivals.filter(({ status }) => status < 400)).toEqual([]);
      expect(read.length).toBeGreaterThan(10);
      // The page may read refusals, and they say nothing of the bridge.
      for (const entry of read)
        expect(entry).toMatch(/^(403 |form: )\{.*"This host name is not served here\."/);
    });

    test("that is no page at all, but a client, is served (so the others mean something)", async () => {
      const headers = noAuth ? { ...authorized, authorization: "" } : authorized;
      expect((await send(target.bridge.listening.port, { headers, body: call })).status).toBe(200);
      expect(target.reached()).toBe(1);
    });
  });
});
