import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createChildRegistry } from "../../src/lib/child-registry.ts";
import { toClientEnvironment } from "../../src/tunnel/openai/client-environment.ts";
import { judgeClientVersion } from "../../src/tunnel/openai/client-version.ts";
import { readDoctorReport } from "../../src/tunnel/openai/doctor-report.ts";
import { createOpenaiTunnel } from "../../src/tunnel/openai/provider.ts";
import type { TunnelEvent, TunnelProvider } from "../../src/tunnel/provider.ts";
import { testTunnelProvider, type TunnelUnderTest } from "../contract/tunnel-provider.ts";
import { isAlive } from "../support/scripted-codex.ts";
import { placeStandIn } from "../support/stand-in-program.ts";
import {
  controlPlaneKey,
  startControlPlane,
  tunnelId,
  type ControlPlane,
} from "../support/tunnel-control-plane.ts";
import { recordingLog, type RecordedLine } from "./recording-log.ts";

const headerSecret = "a-header-secret-for-tests-of-40-characters";
const PATIENCE = { timeout: 15_000 };

let scratch: string;
let control: ControlPlane;
let mcp: Server;
let lines: RecordedLine[];
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "tunnel-"));
  control = await startControlPlane();
  mcp = createServer((_incoming, outgoing) => {
    outgoing.setHeader("content-type", "application/json").end('{"jsonrpc":"2.0","id":1,"result":{}}');
  }).listen(0, "127.0.0.1");
  await once(mcp, "listening");
  lines = [];
});
afterEach(async () => {
  mcp.closeAllConnections();
  mcp.close();
  await control.close();
  await rm(scratch, { recursive: true, force: true });
});

const mcpUrl = (): string => `http://127.0.0.1:${(mcp.address() as AddressInfo).port}`;
const pid = (): number =>
  Number(lines.findLast(({ message }) => message === "tunnel-client started")?.fields["pid"] ?? 0);

async function provider(settings: Readonly<Record<string, string>> = {}): Promise<TunnelProvider> {
  const log = recordingLog(lines);
  return createOpenaiTunnel({
    isInProject: () => false,
    command: await placeStandIn(scratch, "tunnel-client", settings),
    tunnelId,
    headerSecret,
    environment: { CONTROL_PLANE_API_KEY: controlPlaneKey, CONTROL_PLANE_BASE_URL: control.url },
    directory: join(scratch, "tunnel"),
    children: createChildRegistry(join(scratch, "children"), log),
    log,
    timing: { soonMs: 50, laterMs: 50, answerMs: 200, addressMs: 10_000 },
  });
}

testTunnelProvider("OpenAI, with a stand-in for tunnel-client", async (): Promise<TunnelUnderTest> => ({
  provider: await provider(),
  url: mcpUrl(),
  host: null,
  crash: () => process.kill(pid(), "SIGKILL"),
  crashReason: /^tunnel-client was ended by SIGKILL/,
  isRunning: async () => pid() !== 0 && isAlive(pid()),
}));

describe("a client", () => {
  test("gets its profile by its own init, is looked at by its doctor, and starts once both are fine", async () => {
    const record = join(scratch, "record");
    const tunnel = await provider({ RECORD: record });
    await tunnel.check(new AbortController().signal);
    const events: TunnelEvent[] = [];
    const opened = await tunnel.open(mcpUrl(), (event) => events.push(event), new AbortController().signal);
    await expect.poll(() => events.map(({ type }) => type), PATIENCE).toContain("ready");
    if (opened.ok) await opened.value.close();
    const runs = (await readFile(record, "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { argv: string[]; env: Record<string, string> });
    expect(runs.map(({ argv }) => argv[0])).toEqual(["--version", "init", "doctor", "run"]);
    expect(JSON.stringify(runs.map(({ argv }) => argv))).not.toMatch(
      new RegExp(`${controlPlaneKey}|${headerSecret}|${tunnelId}`),
    );
    const profile = await readFile(join(scratch, "tunnel", "codex-gpt-bridge.yaml"), "utf8");
    expect(profile).toContain(`${mcpUrl()}/mcp`);
    expect(profile).not.toMatch(new RegExp(`${controlPlaneKey}|${headerSecret}|${tunnelId}`));
    expect((await stat(join(scratch, "tunnel"))).mode & 0o777).toBe(0o700);
  });

  test("that was sound and ready is started again without another look; one that was not is looked at", async () => {
    const record = join(scratch, "record");
    const tunnel = await provider({ RECORD: record });
    const { signal } = new AbortController();
    await tunnel.check(signal);
    for (let life = 0; life < 2; life += 1) {
      const events: TunnelEvent[] = [];
      const opened = await tunnel.open(mcpUrl(), (event) => events.push(event), signal);
      await expect.poll(() => events.map(({ type }) => type), PATIENCE).toContain("ready");
      if (opened.ok) await opened.value.close();
    }
    const commands = (await readFile(record, "utf8")).match(/"argv":\["[-\w]+/g);
    expect(commands?.map((text) => text.slice(9))).toEqual(["--version", "init", "doctor", "run", "run"]);
  });

  test("that hangs is ended, and the reason says so", async () => {
    const tunnel = await provider({ MODE: "deaf" });
    const { signal } = new AbortController();
    await tunnel.check(signal);
    const opened = await tunnel.open(mcpUrl(), () => {}, signal);
    if (!opened.ok) throw new Error(opened.failure.why);
    expect(await opened.value.ended).toBe(
      "tunnel-client was ended: its health endpoint does not answer any more",
    );
    expect(await isAlive(pid())).toBe(false);
  });

  test("that does not get ready lives on, and its own reason is told", async () => {
    const tunnel = await provider({ MODE: "never-ready" });
    const { signal } = new AbortController();
    await tunnel.check(signal);
    const events: TunnelEvent[] = [];
    const opened = await tunnel.open(mcpUrl(), (event) => events.push(event), signal);
    await expect
      .poll(() => events.at(-1), PATIENCE)
      .toEqual({ type: "unready", why: "it answers 503: mcp probe failed: as the test wants it" });
    expect(await isAlive(pid())).toBe(true);
    if (opened.ok) await opened.value.close();
  });

  test("that cannot be found on PATH is named", async () => {
    const tunnel = createOpenaiTunnel({
      isInProject: () => false,
      command: "tunnel-client",
      tunnelId,
      headerSecret,
      environment: { PATH: scratch },
      directory: scratch,
      children: createChildRegistry(scratch, recordingLog(lines)),
      log: recordingLog(lines),
    });
    const { signal } = new AbortController();
    expect(await tunnel.check(signal)).toMatchObject({
      ok: false,
      failure: expect.stringMatching(/tunnel-client is not there/),
    });
    await placeStandIn(scratch, "tunnel-client");
    expect(await tunnel.check(signal)).toEqual({ ok: true, value: null });
  });
});

test.each([
  ["0.0.14", "0.0.14", "fits"],
  ["0.0.14 (git sha: 0f870e50)", "0.0.14", "fits"],
  ["v0.1.0", "0.1.0", "fits"],
  ["1.0.0", "1.0.0", "fits"],
  ["0.0.14+0f870e50a973fa820d4c", "0.0.14", "fits"],
  ["0.0.13", "0.0.13", "too-old"],
  ["0.0.13-dev", "0.0.13-dev", "too-old"],
  ["0.0.9", "0.0.9", "too-old"],
  ["0.0.0-dev", "0.0.0-dev", "development"],
  ["Welcome to the shell", "Welcome to the shell", "unknown"],
  ["", "", "unknown"],
])("the version %j is %s, which %s", (printed, version, verdict) => {
  expect(judgeClientVersion(printed)).toEqual({ version, verdict });
});

describe("the doctor's report", () => {
  const report = (...checks: object[]): string => JSON.stringify({ result: "fail", checks, extra: 1 });

  test("tells what stops the tunnel from what belongs to a tunnel without OAuth", () => {
    const findings = readDoctorReport(
      report(
        { id: "config_source", status: "PASS", summary: "profile: x" },
        { id: "oauth_metadata", status: "FAIL", summary: "HTTP 404", next: ["verify"] },
        { id: "tunnel_id", status: "FAIL", summary: "tunnel ID is required", next: ["create one"] },
        { id: "mcp_server_reachable", status: "FAIL", summary: "connection refused" },
        { id: "codex_plugin", status: "SKIP", summary: "Codex not detected" },
        { id: "a_check_of_the_future", status: "FAIL", summary: "?" },
      ),
    );
    expect(findings?.map(({ check, weight }) => `${check}: ${weight}`)).toEqual([
      "oauth_metadata: harmless",
      "tunnel_id: blocks",
      "mcp_server_reachable: look",
      "a_check_of_the_future: look",
    ]);
    expect(findings?.[0]?.advice).toMatch(/^harmless: .*No authentication/);
    expect(findings?.[1]?.advice).toBe("create one");
  });

  test.each(["", "CHECK tunnel_id PASS", "{}", '{"checks":[{"id":1}]}'])("%j is none", (text) => {
    expect(readDoctorReport(text)).toBeNull();
  });
});

describe("the client's environment", () => {
  const secrets = { tunnelId, headerSecret };

  test("names the secret header by reference, beside the owner's own headers", () => {
    const env = toClientEnvironment({ MCP_EXTRA_HEADERS: "X-Mine: 1" }, secrets, "/profiles");
    expect(env).toMatchObject({
      MCP_EXTRA_HEADERS: "X-Mine: 1, x-codex-gpt-bridge-secret: env:CODEX_GPT_BRIDGE_HEADER_SECRET",
      MCP_DISCOVERY_EXTRA_HEADERS: "x-codex-gpt-bridge-secret: env:CODEX_GPT_BRIDGE_HEADER_SECRET",
      CODEX_GPT_BRIDGE_HEADER_SECRET: headerSecret,
      CONTROL_PLANE_TUNNEL_ID: tunnelId,
      TUNNEL_CLIENT_PROFILE_DIR: "/profiles",
    });
  });

  test("has places for a busy chat, unless the owner wants others", () => {
    expect(toClientEnvironment({}, secrets, "/p")["MCP_MAX_CONCURRENT_REQUESTS"]).toBe("100");
    const few = { MCP_MAX_CONCURRENT_REQUESTS: "3" };
    expect(toClientEnvironment(few, secrets, "/p")["MCP_MAX_CONCURRENT_REQUESTS"]).toBe("3");
  });

  test.each([
    "OPENAI_API_KEY",
    "OPENAI_ADMIN_KEY",
    "CODEX_GPT_BRIDGE_TOKEN",
    "MCP_SERVER_URL",
    "MCP_COMMAND",
    "TUNNEL_CLIENT_CONFIG",
    "TUNNEL_CLIENT_PROFILE",
    "LOG_HTTP_RAW_UNSAFE",
    "NGROK_AUTHTOKEN",
    "AWS_SECRET_ACCESS_KEY",
  ])("has no %s", (name) => {
    expect(toClientEnvironment({ [name]: "x" }, secrets, "/p")).not.toHaveProperty(name);
  });
});
