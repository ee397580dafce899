/** How ChatGPT reaches the bridge, and what that way needs: keys, an id, a host name. */
import { isStorable, secretItems, type SecretItemName } from "../keychain/secret-items.ts";
import type { Answers, Reach } from "./answers.ts";
import type { Asker, Check } from "./asker.ts";
import type { Beforehand, Machine } from "./interview.ts";

type Reached = Pick<Answers, "reach" | "host" | "cloudflaredTunnel" | "keep">;

const WAYS = [
  { value: "openai", label: "OpenAI's Secure MCP Tunnel", hint: "private; needs an API key" },
  { value: "ngrok", label: "ngrok", hint: "a public address; you sign in" },
  {
    value: "cloudflared",
    label: "Cloudflare, with a host name of yours",
    hint: "a public address; you sign in",
  },
  { value: "quick", label: "Cloudflare quick tunnel", hint: "to try; new address at each start" },
  { value: "local", label: "not at all yet", hint: "this machine only" },
] as const;

export async function askReach(ask: Asker, before: Beforehand, machine: Machine): Promise<Reached> {
  const first: Reach = before.reach ?? before.existing.reach ?? (before.isPerson ? "openai" : "local");
  const message = "How will ChatGPT reach this machine?";
  const reach = await ask.select<Reach>({ message, choices: WAYS, first });
  const reached = await askWay(ask, before, reach);
  await warnOfMissing(ask, before, machine, reach);
  return reached;
}

async function askWay(ask: Asker, before: Beforehand, reach: Reach): Promise<Reached> {
  const nothing = { reach, host: null, cloudflaredTunnel: null, keep: new Map<SecretItemName, string>() };
  switch (reach) {
    case "openai":
      return { ...nothing, keep: await askOpenai(ask, before) };
    case "ngrok": {
      const keep = await askKeys(ask, before, { ngrokAuthtoken: "ngrok authtoken:" });
      return { ...nothing, host: await askHost(ask, before, "Your ngrok domain:", "ngrok_domain"), keep };
    }
    case "cloudflared":
      return { ...nothing, ...(await askCloudflare(ask, before)) };
    case "quick":
      ask.warn(
        "A quick tunnel is for smoke tests: its address is new at each start,\nand ChatGPT has to be told again.",
      );
      return nothing;
    case "local":
      return nothing;
  }
}

const CLIENTS = {
  openai: {
    key: "tunnel_client",
    name: "tunnel-client",
    from: "brew install openai/tools/tunnel-client, or a release from\ngithub.com/openai/tunnel-client",
  },
  cloudflared: {
    key: "cloudflared",
    name: "cloudflared",
    from: "brew install cloudflared, or a package from\ngithub.com/cloudflare/cloudflared",
  },
} as const;

/** The tunnel's program is needed later, not for the answers. */
async function warnOfMissing(
  ask: Asker,
  { existing }: Beforehand,
  machine: Machine,
  reach: Reach,
): Promise<void> {
  if (reach === "local" || reach === "ngrok") return;
  const { key, name, from } = CLIENTS[reach === "openai" ? "openai" : "cloudflared"];
  const own = existing.values[key];
  const program = typeof own === "string" ? own : name;
  if (!(await machine.hasProgram(program)))
    ask.warn(`${program} is not on your PATH yet. To get it:\n${from}`);
}

async function askOpenai(ask: Asker, before: Beforehand): Promise<Map<SecretItemName, string>> {
  ask.say(
    "OpenAI's tunnel",
    "platform.openai.com → Tunnels: make one, and list your ChatGPT\n" +
      "workspace there. The key: a restricted API key with the permissions\n" +
      "Tunnels Read and Use. Its program, tunnel-client, is there, too.",
  );
  const keep = new Map<SecretItemName, string>();
  const { existing, kept, given } = before;
  const isKept = kept.has("controlPlaneTunnelId") || typeof existing.values["tunnel_id"] === "string";
  const inEnvironment = given.get("controlPlaneTunnelId");
  if (inEnvironment !== undefined) keep.set("controlPlaneTunnelId", inEnvironment);
  else if (!isKept || !(await stays(ask, "The tunnel's id"))) {
    const message = "Tunnel id:";
    const check: Check = before.isPerson
      ? checkTunnelId
      : () => `set ${secretItems.controlPlaneTunnelId.variable}`;
    const id = await ask.text({ message, first: "", hint: "tunnel_…", check });
    keep.set("controlPlaneTunnelId", id);
  }
  for (const [name, key] of await askKeys(ask, before, { controlPlaneApiKey: "API key of the tunnel:" })) {
    keep.set(name, key);
  }
  return keep;
}

async function askCloudflare(
  ask: Asker,
  before: Beforehand,
): Promise<Pick<Reached, "host" | "cloudflaredTunnel" | "keep">> {
  const host = await askHost(ask, before, "Host name that Cloudflare routes to it:", "cloudflared_hostname");
  const known = before.existing.values["cloudflared_tunnel"];
  const first = before.cloudflaredTunnel ?? (typeof known === "string" ? known : "");
  const hasToken = before.given.has("cloudflareTunnelToken") || before.kept.has("cloudflareTunnelToken");
  const way = await ask.select({
    message: "Which tunnel of Cloudflare's?",
    choices: [
      { value: "token", label: "by token", hint: "made in Cloudflare's dashboard" },
      { value: "name", label: "by name", hint: "cloudflared tunnel create" },
    ],
    first: first === "" && (hasToken || before.isPerson) ? "token" : "name",
  });
  if (way === "token") {
    const keep = await askKeys(ask, before, { cloudflareTunnelToken: "Token of the tunnel:" });
    return { host, cloudflaredTunnel: null, keep };
  }
  const name = await ask.text({ message: "Name of the tunnel:", first, check: checkTunnelName });
  return { host, cloudflaredTunnel: name, keep: new Map() };
}

/** Keys that are needed: from the environment, from the store, or typed; never shown. */
async function askKeys(
  ask: Asker,
  { given, kept, isPerson }: Beforehand,
  questions: Partial<Record<SecretItemName, string>>,
): Promise<Map<SecretItemName, string>> {
  const keep = new Map<SecretItemName, string>();
  for (const [name, message] of Object.entries(questions) as [SecretItemName, string][]) {
    const inEnvironment = given.get(name);
    if (inEnvironment !== undefined) keep.set(name, inEnvironment);
    else if (!kept.has(name) || !(await stays(ask, message.replace(/:$/, "")))) {
      const check: Check = isPerson ? checkKey : () => `set ${secretItems[name].variable}`;
      keep.set(name, await ask.secret({ message, check }));
    }
  }
  return keep;
}

async function stays(ask: Asker, what: string): Promise<boolean> {
  return ask.confirm({ message: `${what} is kept already. Leave it?`, first: true });
}

async function askHost(
  ask: Asker,
  { host, existing, isPerson }: Beforehand,
  message: string,
  key: string,
): Promise<string> {
  const known = existing.values[key];
  const first = host ?? (typeof known === "string" ? known : "");
  const check: Check =
    isPerson || first !== "" ? checkHost : () => `give it with --${key.replaceAll("_", "-")}`;
  return (await ask.text({ message, first, hint: "bridge.example.com", check })).toLowerCase();
}

const checkTunnelId: Check = (answer) =>
  /^tunnel_[a-z0-9]{32}$/.test(answer) ? undefined : "it is tunnel_ and 32 lowercase letters and digits";

const checkTunnelName: Check = (answer) =>
  /^[^-\s]\S*$/.test(answer) ? undefined : "what `cloudflared tunnel list` shows";

const checkHost: Check = (answer) =>
  /^[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(answer) ? undefined : "a host name, such as bridge.example.com";

export const checkKey: Check = (answer) => {
  if (answer === "") return "it is needed for this way";
  return isStorable(answer) ? undefined : "one line of plain letters, digits and signs";
};
