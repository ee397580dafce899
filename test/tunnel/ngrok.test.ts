import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock, type Clock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { createNgrokTunnel, type NgrokAgent } from "../../src/tunnel/ngrok/provider.ts";
import { readOpenaiRanges } from "../../src/tunnel/ngrok/openai-ranges.ts";
import type { TunnelEvent } from "../../src/tunnel/provider.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { testTunnelProvider, type TunnelUnderTest } from "../contract/tunnel-provider.ts";

const AUTHTOKEN = "2abcDEF-an-ngrok-authtoken-for-tests";
const RANGES = ["12.129.196.0/26", "2a00:1450::/32"];
const DAY_MS = 86_400_000;

let scratch: string;
let site: Server;
let published: { status: number; body: string };
let looks: number;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "tunnel-"));
  const [ipv4Prefix, ipv6Prefix] = RANGES;
  const body = { creationTime: "2026-11-01T00:00:00", prefixes: [{ ipv4Prefix }, { ipv6Prefix }] };
  published = { status: 200, body: JSON.stringify(body) };
  looks = 0;
  site = createServer((_incoming, outgoing) => {
    looks += 1;
    outgoing.writeHead(published.status).end(published.body);
  }).listen(0, "127.0.0.1");
  await once(site, "listening");
});
afterEach(async () => {
  site.close();
  await rm(scratch, { recursive: true, force: true });
});

const rangesUrl = (): string => `http://127.0.0.1:${(site.address() as AddressInfo).port}/ranges.json`;

type AgentConfig = Parameters<NgrokAgent["forward"]>[0];

/** ngrok's agent without its network. */
function smallAgent() {
  const configs: AgentConfig[] = [];
  let stop: ((how?: Error) => void) | null = null;
  const agent: NgrokAgent = {
    async forward(config) {
      configs.push(config);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      stop = (how) => {
        stop = null;
        if (how === undefined) resolve();
        else reject(how);
      };
      return {
        url: () => `https://${config.domain ?? "random-name.ngrok-free.app"}`,
        join: async () => promise,
        async close() {
          stop?.();
        },
      };
    },
  };
  return { agent, configs, isRunning: () => stop !== null, end: (how?: Error) => stop?.(how) };
}

function tunnel(
  loadAgent: () => Promise<NgrokAgent>,
  hasOauth = false,
  domain?: string,
  clock: Clock = systemClock,
) {
  const directory = join(scratch, "tunnel");
  return createNgrokTunnel({
    authtoken: AUTHTOKEN,
    domain,
    hasOauth,
    directory,
    clock,
    log: silentLog,
    rangesUrl: rangesUrl(),
    loadAgent,
  });
}

testTunnelProvider("ngrok, with a small agent in place of its own", async (): Promise<TunnelUnderTest> => {
  const small = smallAgent();
  return {
    provider: tunnel(async () => small.agent),
    url: "http://127.0.0.1:8765",
    host: /^random-name\.ngrok-free\.app$/,
    crash: () => {
      small.end(new Error("session closed"));
    },
    crashReason: /^ngrok's listener failed: session closed/,
    isRunning: async () => small.isRunning(),
  };
});

describe("who may knock", () => {
  async function open(hasOauth: boolean, domain?: string) {
    const small = smallAgent();
    const provider = tunnel(async () => small.agent, hasOauth, domain);
    const opened = await provider.open("http://127.0.0.1:1", () => {}, new AbortController().signal);
    if (opened.ok) await opened.value.close();
    return { opened, config: small.configs[0] };
  }

  test("without OAuth, OpenAI's published addresses alone", async () => {
    const { config } = await open(false, "mine.ngrok.app");
    expect(JSON.parse(config?.traffic_policy ?? "")).toEqual({
      on_http_request: [{ actions: [{ type: "restrict-ips", config: { enforce: true, allow: RANGES } }] }],
    });
    expect(config).toMatchObject({
      addr: "http://127.0.0.1:1",
      domain: "mine.ngrok.app",
      authtoken: AUTHTOKEN,
    });
  });

  test("with OAuth everybody, since the owner's browser has to sign in", async () => {
    const { config, opened } = await open(true);
    expect(opened.ok).toBe(true);
    expect(config).not.toHaveProperty("traffic_policy");
  });

  test("nobody, where the published addresses cannot be read", async () => {
    published = { status: 500, body: "" };
    const { config, opened } = await open(false);
    expect(config).toBeUndefined();
    expect(opened).toMatchObject({
      ok: false,
      failure: { isFinal: false, why: expect.stringMatching(/nobody is let in/) },
    });
  });
});

describe("OpenAI's list of addresses, when it changes", () => {
  test("makes the tunnel open anew, within a day; an unchanged or unreadable one does not", async () => {
    const clock = createFakeClock();
    const small = smallAgent();
    const provider = tunnel(async () => small.agent, false, undefined, clock);
    const opened = await provider.open("http://127.0.0.1:1", () => {}, new AbortController().signal);
    if (!opened.ok) throw new Error(opened.failure.why);
    const look = async (): Promise<void> => {
      const before = looks;
      await clock.advance(DAY_MS);
      await expect.poll(() => looks).toBe(before + 1);
      await expect.poll(() => small.isRunning() && clock.pending() === 0).toBe(false);
    };
    await look();
    published = { status: 500, body: "" };
    await look();
    expect(small.isRunning()).toBe(true);
    published = { status: 200, body: JSON.stringify({ prefixes: [{ ipv4Prefix: "13.0.0.0/16" }] }) };
    await look();
    expect(await opened.value.ended).toBe("OpenAI's addresses have changed");
    expect(small.isRunning()).toBe(false);
    expect(clock.pending()).toBe(0);
  });
});

describe("ngrok's word", () => {
  async function refusedWith(message: string) {
    const agent: NgrokAgent = {
      forward: async () => Promise.reject(new Error(message)),
    };
    const provider = tunnel(async () => agent, true);
    const opened = await provider.open("http://127.0.0.1:1", () => {}, new AbortController().signal);
    return opened.ok ? null : opened.failure;
  }

  test.each([
    ["failed to start session: authentication failed: ERR_NGROK_105", true],
    ["authentication failed\n\nERR_NGROK_4018", true],
    ["failed to establish tcp connection", false],
    ["your account is limited to 1 simultaneous session ERR_NGROK_108", false],
    ["the endpoint is already online ERR_NGROK_334", false],
  ])("%j is final: %s", async (message, isFinal) => {
    expect(await refusedWith(message)).toMatchObject({ isFinal });
  });

  test("is told without the token that it quotes", async () => {
    const failure = await refusedWith(`The authtoken you specified is wrong: ${AUTHTOKEN} ERR_NGROK_107`);
    expect(failure?.why).toContain("[authtoken]");
    expect(failure?.why).not.toContain(AUTHTOKEN);
  });

  test("that the connection is lost and found makes the tunnel unready and ready", async () => {
    const small = smallAgent();
    const events: TunnelEvent[] = [];
    const provider = tunnel(async () => small.agent, true);
    const { signal } = new AbortController();
    const opened = await provider.open("http://127.0.0.1:1", (event) => events.push(event), signal);
    small.configs[0]?.onStatusChange?.("closed");
    small.configs[0]?.onStatusChange?.("connected");
    if (opened.ok) await opened.value.close();
    small.configs[0]?.onStatusChange?.("closed");
    expect(events.map(({ type }) => type)).toEqual(["host", "ready", "unready", "ready"]);
  });
});

test("ngrok's own agent is loaded, and says that it cannot reach a service that is not there", async () => {
  const real = async (): Promise<NgrokAgent> => {
    const { forward } = await import("@ngrok/ngrok");
    return { forward: async (config) => forward({ ...config, server_addr: "127.0.0.1:1" }) };
  };
  const provider = tunnel(real, true);
  const { signal } = new AbortController();
  expect(await provider.check(signal)).toEqual({ ok: true, value: null });
  const opened = await provider.open("http://127.0.0.1:1", () => {}, signal);
  expect(opened).toMatchObject({
    ok: false,
    failure: { isFinal: false, why: expect.stringMatching(/^ngrok opens no tunnel: /) },
  });
});

test("without the package, the owner is told how to get it", async () => {
  const provider = tunnel(async () => Promise.reject(new Error("Cannot find package '@ngrok/ngrok'")));
  expect(await provider.check(new AbortController().signal)).toMatchObject({
    ok: false,
    failure: expect.stringMatching(/npm install -g @ngrok\/ngrok/),
  });
});

describe("OpenAI's published addresses", () => {
  const { signal } = new AbortController();
  const read = async (now = Date.now()) => {
    await mkdir(join(scratch, "kept"), { recursive: true });
    return readOpenaiRanges(
      { url: rangesUrl(), file: join(scratch, "kept", "ranges.json"), now: () => now },
      signal,
    );
  };

  test("are read, and kept for when they cannot be read", async () => {
    const now = Date.now();
    expect(await read(now)).toEqual({ ok: true, value: RANGES });
    published = { status: 503, body: "" };
    expect(await read(now + 6 * DAY_MS)).toEqual({ ok: true, value: RANGES });
    expect(await read(now + 8 * DAY_MS)).toMatchObject({
      ok: false,
      failure: expect.stringMatching(/answers 503/),
    });
    expect(await read(now - DAY_MS)).toMatchObject({ ok: false });
    const kept = JSON.parse(await readFile(join(scratch, "kept", "ranges.json"), "utf8")) as object;
    expect(kept).toEqual({ version: 1, at: now, ranges: RANGES });
  });

  test.each([
    ["the whole world", { prefixes: [{ ipv4Prefix: "0.0.0.0/0" }] }],
    ["half of it", { prefixes: [{ ipv4Prefix: "128.0.0.0/1" }] }],
    ["no range", { prefixes: [{ ipv4Prefix: "12.0.0.1" }] }],
    ["an expression", { prefixes: [{ ipv4Prefix: "12.0.0.0/8', '0.0.0.0/0" }] }],
    ["one good and one bad", { prefixes: [{ ipv4Prefix: RANGES[0] }, { ipv6Prefix: "::/0" }] }],
    ["nothing", { prefixes: [] }],
    ["another file", { hello: "there" }],
  ])("that are %s are not taken", async (_name, body) => {
    published = { status: 200, body: JSON.stringify(body) };
    expect(await read()).toMatchObject({ ok: false });
  });

  test("that are a page in HTML are not taken", async () => {
    published = { status: 200, body: "<!doctype html>" };
    expect(await read()).toMatchObject({ ok: false });
  });
});
