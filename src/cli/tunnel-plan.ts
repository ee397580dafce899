/**
 * What a tunnel needs, from the settings and the environment: every problem at once, or the tunnel and what the bridge
 * has to know of it. The keys come from the environment and go no further than the tunnel's own program.
 */
import { randomBytes } from "node:crypto";
import type { Config, ConfigProblem } from "../config/load.ts";
import { toEnvironmentName, toFlag } from "../config/names.ts";
import type { SettingName } from "../config/settings.ts";
import type { ChildRegistry } from "../lib/child-registry.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import type { CloudflaredTunnel } from "../tunnel/cloudflared/provider.ts";
import type { TunnelName, TunnelProvider } from "../tunnel/provider.ts";
import { projectPlaces } from "./trusted-path.ts";

export interface TunnelParts {
  /** The tunnel's own directory. */
  readonly directory: string;
  readonly children: ChildRegistry;
  readonly clock: Clock;
  readonly log: Log;
}

export interface TunnelPlan {
  /** The settings with what the tunnel brings: the secret header, the host name that is known already. */
  readonly config: Config;
  create(parts: TunnelParts): Promise<TunnelProvider>;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Planned = Result<TunnelPlan, ConfigProblem[]>;

/** `bridge`: `own` where the bridge is started along with the tunnel, `other` where it runs already. */
export function planTunnel(
  name: TunnelName,
  config: Config,
  environment: Environment,
  bridge: "own" | "other",
): Planned {
  switch (name) {
    case "openai":
      return planOpenai(config, environment, bridge);
    case "ngrok":
      return planNgrok(config, environment);
    case "cloudflared":
      return planCloudflared(config, environment);
  }
}

function planOpenai(config: Config, environment: Environment, bridge: "own" | "other"): Planned {
  const { CONTROL_PLANE_TUNNEL_ID: inEnvironment, CONTROL_PLANE_API_KEY: key } = environment;
  const tunnelId = config.tunnelId ?? inEnvironment ?? "";
  // One that nobody has to know: it is made for this start and told to the tunnel's program alone.
  const fresh = bridge === "own" ? randomBytes(32).toString("base64url") : "";
  const headerSecret = config.headerSecret ?? fresh;
  const problems: ConfigProblem[] = [];
  if (tunnelId === "") {
    problems.push({
      setting: "CONTROL_PLANE_TUNNEL_ID",
      problem: `is not set; it is the id of your tunnel (platform.openai.com, Tunnels), or ${nameOf("tunnelId")}`,
    });
  } else if (!/^tunnel_[a-z0-9]{32}$/.test(tunnelId)) {
    problems.push({
      setting: "CONTROL_PLANE_TUNNEL_ID",
      problem: "has to be tunnel_ and 32 lowercase letters and digits",
    });
  }
  if (isMissing(key)) {
    problems.push({
      setting: "CONTROL_PLANE_API_KEY",
      problem: "is not set; it is a restricted API key with the permissions Tunnels Read and Use",
    });
  }
  if (headerSecret === "") {
    problems.push({
      setting: toEnvironmentName("headerSecret"),
      problem: "is not set; give the running bridge and this command the same, or use serve --tunnel openai",
    });
  }
  if (problems.length > 0) return fail(problems);
  return ok({
    config: { ...config, headerSecret },
    async create(parts) {
      const { createOpenaiTunnel } = await import("../tunnel/openai/provider.ts");
      return createOpenaiTunnel({
        ...parts,
        command: config.tunnelClient,
        environment,
        tunnelId,
        headerSecret,
        isInProject: await projectPlaces(config.projects),
      });
    },
  });
}

function planNgrok(config: Config, environment: Environment): Planned {
  const { NGROK_AUTHTOKEN: authtoken = "" } = environment;
  const publicHost = publicHostOf(config);
  const domain = config.ngrokDomain ?? publicHost;
  const problems: ConfigProblem[] = [];
  if (authtoken.trim() === "") {
    problems.push({
      setting: "NGROK_AUTHTOKEN",
      problem: "is not set; your token stands on dashboard.ngrok.com/get-started/your-authtoken",
    });
  }
  problems.push(...differentHosts(config, "ngrokDomain"));
  if (problems.length > 0) return fail(problems);
  return ok({
    config: withHost(config, domain),
    async create({ directory, clock, log }) {
      const { createNgrokTunnel } = await import("../tunnel/ngrok/provider.ts");
      const hasOauth = publicHost !== undefined;
      return createNgrokTunnel({ authtoken, domain, hasOauth, directory, clock, log });
    },
  });
}

function planCloudflared(config: Config, environment: Environment): Planned {
  const host = config.cloudflaredHostname ?? publicHostOf(config);
  const hasToken = !isMissing(environment["TUNNEL_TOKEN"]);
  const { cloudflaredTunnel } = config;
  const problems: ConfigProblem[] = [];
  if (hasToken && cloudflaredTunnel !== undefined) {
    problems.push({
      setting: nameOf("cloudflaredTunnel"),
      problem: "cannot go together with TUNNEL_TOKEN, which belongs to one tunnel already",
    });
  }
  if ((hasToken || cloudflaredTunnel !== undefined) && host === undefined) {
    problems.push({
      setting: nameOf("cloudflaredHostname"),
      problem: "is not set; it is the host name that Cloudflare routes to this tunnel",
    });
  }
  if (!hasToken && cloudflaredTunnel === undefined && host !== undefined) {
    problems.push({
      setting: nameOf("cloudflaredTunnel"),
      problem: `is not set, nor is TUNNEL_TOKEN; a quick tunnel cannot have the host name ${host}`,
    });
  }
  problems.push(...differentHosts(config, "cloudflaredHostname"));
  if (problems.length > 0) return fail(problems);
  const tunnel = toCloudflaredTunnel(hasToken, cloudflaredTunnel, host);
  return ok({
    config: withHost(config, host),
    async create(parts) {
      const { createCloudflaredTunnel } = await import("../tunnel/cloudflared/provider.ts");
      const isInProject = await projectPlaces(config.projects);
      return createCloudflaredTunnel({
        ...parts,
        command: config.cloudflared,
        tunnel,
        environment,
        isInProject,
      });
    },
  });
}

function toCloudflaredTunnel(
  hasToken: boolean,
  named: string | undefined,
  host: string | undefined,
): CloudflaredTunnel {
  if (host === undefined) return { kind: "quick" };
  return hasToken || named === undefined ? { kind: "token", host } : { kind: "named", host, tunnel: named };
}

/** The host of `public_url`, under which sign-in (OAuth) happens; absent where there is none. */
function publicHostOf(config: Config): string | undefined {
  const url = config.publicUrl === undefined ? null : new URL(config.publicUrl);
  return url?.protocol === "https:" ? url.hostname : undefined;
}

/** Who signed in at one host would be sent back to another. */
function differentHosts(config: Config, setting: "ngrokDomain" | "cloudflaredHostname"): ConfigProblem[] {
  const publicHost = publicHostOf(config);
  const own = config[setting];
  if (publicHost === undefined || own === undefined || own === publicHost) return [];
  return [{ setting: nameOf(setting), problem: `is not the host of public_url, ${publicHost}` }];
}

function withHost(config: Config, host: string | undefined): Config {
  return host === undefined ? config : { ...config, allowedHosts: [...config.allowedHosts, host] };
}

function isMissing(value: string | undefined): boolean {
  return value === undefined || value.trim() === "";
}

function nameOf(setting: SettingName): string {
  return `--${toFlag(setting)}`;
}
