import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { toReachable } from "../../src/cli/open-tunnel.ts";
import { planTunnel } from "../../src/cli/tunnel-plan.ts";
import { loadConfig, type Config } from "../../src/config/load.ts";
import { createChildRegistry } from "../../src/lib/child-registry.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { tunnelNames, type TunnelName } from "../../src/tunnel/provider.ts";

const ID = `tunnel_${"ab".repeat(16)}`;
const KEYS = {
  CONTROL_PLANE_API_KEY: "sk-a-key",
  CONTROL_PLANE_TUNNEL_ID: ID,
  NGROK_AUTHTOKEN: "a-token-of-ngrok",
};

const load = async (flags: Readonly<Record<string, string | boolean>>) =>
  loadConfig({
    flags: { roots: "/srv/app", ...flags },
    environment: { HOME: "/home/owner" },
    cwd: "/srv",
    readFile: async () => null,
  });

async function configOf(flags: Readonly<Record<string, string>> = {}): Promise<Config> {
  const loaded = await load(flags);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure));
  return loaded.value;
}

async function problems(
  name: TunnelName,
  flags: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>>,
): Promise<string[]> {
  const planned = planTunnel(name, await configOf(flags), environment, "own");
  return planned.ok ? [] : planned.failure.map(({ setting, problem }) => `${setting} ${problem}`);
}

describe("the header secret of OpenAI's tunnel", () => {
  async function secretOf(bridge: "own" | "other", flags: Readonly<Record<string, string>> = {}) {
    const planned = planTunnel("openai", await configOf(flags), KEYS, bridge);
    return planned.ok ? planned.value.config.headerSecret : planned.failure;
  }

  test("is made anew for each start of a bridge whose owner set none", async () => {
    const first = await secretOf("own");
    expect(first).toMatch(/^[\w-]{43}$/);
    expect(await secretOf("own")).not.toBe(first);
  });

  test("is the owner's, where there is one", async () => {
    const own = "the-owners-own-secret-of-40-characters-00";
    expect(await secretOf("own", { "header-secret": own })).toBe(own);
    expect(await secretOf("other", { "header-secret": own })).toBe(own);
  });

  test("has to be known for a bridge that runs already", async () => {
    expect(await secretOf("other")).toMatchObject([{ setting: "CODEX_GPT_BRIDGE_HEADER_SECRET" }]);
  });
});

describe("what is missing or does not fit", () => {
  test.each<{
    name: string;
    tunnel: TunnelName;
    flags?: Record<string, string>;
    env?: Record<string, string>;
    says: string[];
  }>([
    { name: "nothing", tunnel: "openai", env: KEYS, says: [] },
    {
      name: "nothing, with the id as a setting",
      tunnel: "openai",
      flags: { "tunnel-id": ID },
      env: { CONTROL_PLANE_API_KEY: "sk-a-key" },
      says: [],
    },
    {
      name: "both of OpenAI's",
      tunnel: "openai",
      says: ["CONTROL_PLANE_TUNNEL_ID is not set", "CONTROL_PLANE_API_KEY is not set"],
    },
    {
      name: "an API key of another kind is no substitute",
      tunnel: "openai",
      env: { CONTROL_PLANE_TUNNEL_ID: ID, OPENAI_API_KEY: "sk-another" },
      says: ["CONTROL_PLANE_API_KEY is not set"],
    },
    { name: "ngrok's token", tunnel: "ngrok", says: ["NGROK_AUTHTOKEN is not set"] },
    { name: "nothing of ngrok's", tunnel: "ngrok", env: KEYS, says: [] },
    { name: "nothing of a quick tunnel", tunnel: "cloudflared", says: [] },
    {
      name: "the host of a tunnel by token",
      tunnel: "cloudflared",
      env: { TUNNEL_TOKEN: "t" },
      says: ["--cloudflared-hostname is not set"],
    },
    {
      name: "the tunnel of a host",
      tunnel: "cloudflared",
      flags: { "cloudflared-hostname": "b.example.com" },
      says: ["--cloudflared-tunnel is not set, nor is TUNNEL_TOKEN"],
    },
    {
      name: "two tunnels at once",
      tunnel: "cloudflared",
      flags: { "cloudflared-hostname": "b.example.com", "cloudflared-tunnel": "b" },
      env: { TUNNEL_TOKEN: "t" },
      says: ["--cloudflared-tunnel cannot go together with TUNNEL_TOKEN"],
    },
  ])("$tunnel: $name", async ({ tunnel, flags = {}, env = {}, says }) => {
    const found = await problems(tunnel, flags, env);
    expect(found).toHaveLength(says.length);
    for (const [index, start] of says.entries()) expect(found[index]).toContain(start);
  });
});

test.each<[string, Record<string, string | boolean>, string]>([
  ["a tunnel that is not known", { tunnel: "tailscale" }, "--tunnel"],
  ["an id that is none", { "tunnel-id": "tunnel_1" }, "--tunnel-id"],
  ["an address for a host name", { "ngrok-domain": "https://mine.ngrok.app" }, "--ngrok-domain"],
  ["a host name with a path", { "cloudflared-hostname": "b.example.com/mcp" }, "--cloudflared-hostname"],
  ["a host name without a dot", { "cloudflared-hostname": "bridge" }, "--cloudflared-hostname"],
  ["a flag for a tunnel's name", { "cloudflared-tunnel": "--config=/tmp/x" }, "--cloudflared-tunnel"],
  ["no authentication behind a tunnel", { tunnel: "openai", "no-auth": true }, "--no-auth"],
])("a setting is refused: %s", async (_name, flags, setting) => {
  const loaded = await load(flags);
  expect(loaded.ok ? [] : loaded.failure.map((problem) => problem.setting)).toEqual([setting]);
});

test.each<{ tunnel: TunnelName; flags: Record<string, string>; hosts: string[] }>([
  { tunnel: "openai", flags: {}, hosts: [] },
  { tunnel: "ngrok", flags: {}, hosts: [] },
  { tunnel: "ngrok", flags: { "ngrok-domain": "Mine.ngrok.app" }, hosts: ["mine.ngrok.app"] },
  {
    tunnel: "cloudflared",
    flags: { "cloudflared-tunnel": "b", "cloudflared-hostname": "b.example.com" },
    hosts: ["b.example.com"],
  },
])("with $tunnel and $flags the bridge serves $hosts from the start", async ({ tunnel, flags, hosts }) => {
  const planned = planTunnel(tunnel, await configOf(flags), KEYS, "own");
  expect(planned.ok ? planned.value.config.allowedHosts : planned.failure).toEqual(hosts);
});

test("each tunnel is made by its own adapter", async () => {
  const directory = await mkdtemp(join(tmpdir(), "tunnel-plan-"));
  try {
    for (const name of tunnelNames) {
      const planned = planTunnel(name, await configOf(), KEYS, "own");
      if (!planned.ok) throw new Error(JSON.stringify(planned.failure));
      const children = createChildRegistry(directory, silentLog);
      const made = await planned.value.create({ directory, children, clock: systemClock, log: silentLog });
      expect(made.name).toBe(name);
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});

test.each([
  ["http://127.0.0.1:1", "http://127.0.0.1:1"],
  ["http://0.0.0.0:8765", "http://127.0.0.1:8765"],
  ["http://[::]:8765", "http://[::1]:8765"],
  ["http://192.168.1.5:1", "http://192.168.1.5:1"],
])("a tunnel's program is sent to %s as %s", (url, reachable) => {
  expect(toReachable(url)).toBe(reachable);
});
