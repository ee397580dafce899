import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createChildRegistry } from "../../src/lib/child-registry.ts";
import { createCloudflaredTunnel, type CloudflaredTunnel } from "../../src/tunnel/cloudflared/provider.ts";
import type { TunnelEvent, TunnelProvider } from "../../src/tunnel/provider.ts";
import { testTunnelProvider, type TunnelUnderTest } from "../contract/tunnel-provider.ts";
import { isAlive } from "../support/scripted-codex.ts";
import { placeStandIn } from "../support/stand-in-program.ts";
import { recordingLog, type RecordedLine } from "./recording-log.ts";

const PATIENCE = { timeout: 15_000 };
const URL_OF_BRIDGE = "http://127.0.0.1:8765";
const TOKEN = "eyJhIjoi-a-token-of-a-cloudflare-tunnel";

let scratch: string;
let lines: RecordedLine[];
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "tunnel-"));
  lines = [];
});
afterEach(async () => {
  await rm(scratch, { recursive: true, force: true });
});

const pid = (): number =>
  Number(lines.findLast(({ message }) => message === "cloudflared started")?.fields["pid"] ?? 0);

async function provider(
  tunnel: CloudflaredTunnel,
  settings: Readonly<Record<string, string>> = {},
): Promise<TunnelProvider> {
  const log = recordingLog(lines);
  return createCloudflaredTunnel({
    isInProject: () => false,
    command: await placeStandIn(scratch, "cloudflared", settings),
    tunnel,
    environment: { TUNNEL_TOKEN: TOKEN, TUNNEL_ORIGIN_CERT: "/elsewhere", HOME: scratch },
    directory: join(scratch, "tunnel"),
    children: createChildRegistry(join(scratch, "children"), log),
    log,
    timing: { soonMs: 50, laterMs: 50 },
  });
}

for (const { name, tunnel, host } of [
  {
    name: "a quick tunnel",
    tunnel: { kind: "quick" } as const,
    host: /^stand-in-\d+\.trycloudflare\.com$/,
  },
  {
    name: "a tunnel by name",
    tunnel: { kind: "named", host: "bridge.example.com", tunnel: "bridge" } as const,
    host: /^bridge\.example\.com$/,
  },
]) {
  testTunnelProvider(
    `cloudflared, ${name}, with a stand-in for the program`,
    async (): Promise<TunnelUnderTest> => ({
      provider: await provider(tunnel),
      url: URL_OF_BRIDGE,
      host,
      crash: () => process.kill(pid(), "SIGKILL"),
      crashReason: /^cloudflared was ended by SIGKILL/,
      isRunning: async () => pid() !== 0 && isAlive(pid()),
    }),
  );
}

describe("the command line", () => {
  test.each<{ tunnel: CloudflaredTunnel; argv: string[]; hasToken: boolean }>([
    {
      tunnel: { kind: "token", host: "bridge.example.com" },
      argv: ["run"],
      hasToken: true,
    },
    {
      tunnel: { kind: "named", host: "bridge.example.com", tunnel: "my-bridge" },
      argv: ["run", "--url", URL_OF_BRIDGE, "my-bridge"],
      hasToken: false,
    },
    {
      tunnel: { kind: "quick" },
      argv: ["--config", "no-config.yml", "--url", URL_OF_BRIDGE],
      hasToken: false,
    },
  ])("of a tunnel of kind $tunnel.kind", async ({ tunnel, argv, hasToken }) => {
    const record = join(scratch, "record");
    const made = await provider(tunnel, { RECORD: record });
    const events: TunnelEvent[] = [];
    const { signal } = new AbortController();
    await made.check(signal);
    const opened = await made.open(URL_OF_BRIDGE, (event) => events.push(event), signal);
    await expect.poll(() => events.map(({ type }) => type), PATIENCE).toContain("ready");
    if (opened.ok) await opened.value.close();
    const ran = JSON.parse(await readFile(record, "utf8")) as { argv: string[]; env: Record<string, string> };
    const shown = ran.argv.map((argument) => argument.replace(`${scratch}/tunnel/`, ""));
    expect(shown).toEqual(["tunnel", "--no-autoupdate", "--metrics", "127.0.0.1:0", ...argv]);
    expect(ran.argv.join(" ")).not.toContain(TOKEN);
    expect(ran.env["TUNNEL_TOKEN"]).toBe(hasToken ? TOKEN : undefined);
    expect(ran.env).not.toHaveProperty("TUNNEL_ORIGIN_CERT");
  });
});

test("a quick tunnel that is refused says why, and takes no address from the error", async () => {
  const made = await provider({ kind: "quick" }, { MODE: "refused" });
  const events: TunnelEvent[] = [];
  const { signal } = new AbortController();
  await made.check(signal);
  const opened = await made.open(URL_OF_BRIDGE, (event) => events.push(event), signal);
  if (!opened.ok) throw new Error(opened.failure.why);
  expect(await opened.value.ended).toMatch(/^cloudflared exited with code 1; it last said: .*429 Too Many/);
  expect(events.filter(({ type }) => type === "host")).toEqual([]);
});

test("without the program, the owner is told where to get it", async () => {
  const log = recordingLog(lines);
  const made = createCloudflaredTunnel({
    isInProject: () => false,
    command: join(scratch, "cloudflared"),
    tunnel: { kind: "quick" },
    environment: {},
    directory: scratch,
    children: createChildRegistry(scratch, log),
    log,
  });
  expect(await made.check(new AbortController().signal)).toMatchObject({
    ok: false,
    failure: expect.stringMatching(/install it .*--cloudflared/),
  });
});

test("a program that leads into a project is not run", async () => {
  const log = recordingLog(lines);
  const made = createCloudflaredTunnel({
    isInProject: () => true,
    command: await placeStandIn(scratch, "cloudflared"),
    tunnel: { kind: "quick" },
    environment: {},
    directory: scratch,
    children: createChildRegistry(scratch, log),
    log,
  });
  expect(await made.check(new AbortController().signal)).toEqual({
    ok: false,
    failure: expect.stringContaining("leads into a project") as string,
  });
});
