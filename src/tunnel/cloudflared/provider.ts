/**
 * Cloudflare's `cloudflared`: a tunnel of the owner's account (by token, or by name with the credentials that
 * `cloudflared login` left), or a quick one with a new address at each start. Never logs in, never makes a tunnel.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ChildRegistry } from "../../lib/child-registry.ts";
import type { Log } from "../../lib/log.ts";
import { fail, ok } from "../../lib/result.ts";
import { findTrustedProgram, type IsInProject } from "../../lib/find-program.ts";
import type { HealthTiming, HealthUrls } from "../health-watch.ts";
import type { TunnelProvider } from "../provider.ts";
import { toProgramEnvironment } from "../program-environment.ts";
import { startTunnelProcess } from "../tunnel-process.ts";

export type CloudflaredTunnel =
  /** Made and routed in Cloudflare's dashboard; the token is in `TUNNEL_TOKEN`. */
  | { readonly kind: "token"; readonly host: string }
  /** Made with `cloudflared tunnel create`. */
  | { readonly kind: "named"; readonly host: string; readonly tunnel: string }
  /** No account: for smoke tests. */
  | { readonly kind: "quick" };

export interface CloudflaredParts {
  readonly command: string;
  readonly tunnel: CloudflaredTunnel;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
  readonly isInProject: IsInProject;
  readonly children: ChildRegistry;
  readonly log: Log;
  readonly timing?: Partial<HealthTiming>;
}

const NAME = "cloudflared";

export function createCloudflaredTunnel(parts: CloudflaredParts): TunnelProvider {
  const { tunnel, environment, directory, children, log, timing = {} } = parts;
  let cloudflared = parts.command;

  async function args(url: string): Promise<string[]> {
    const all = ["tunnel", "--no-autoupdate", "--metrics", "127.0.0.1:0"];
    switch (tunnel.kind) {
      case "token":
        return [...all, "run"];
      case "named":
        return [...all, "run", "--url", url, tunnel.tunnel];
      case "quick": {
        // Next to a configuration of the owner's, cloudflared makes no quick tunnel.
        const config = join(directory, "no-config.yml");
        await writeFile(config, "", { mode: 0o600 });
        return [...all, "--config", config, "--url", url];
      }
    }
  }

  return {
    name: "cloudflared",

    async check() {
      const found = await findTrustedProgram(parts.command, environment["PATH"], parts.isInProject);
      if (!found.ok && found.failure === "in_project")
        return fail(`${parts.command} leads into a project, where it could be changed; install it elsewhere`);
      if (!found.ok) {
        return fail(
          `${parts.command} is not there; install it (brew install cloudflared, or a package from github.com/cloudflare/cloudflared), or name it with --cloudflared`,
        );
      }
      cloudflared = found.value;
      return ok(null);
    },

    async open(url, hear, signal) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      if (tunnel.kind === "quick") {
        log.warn(
          {},
          "a quick tunnel is for smoke tests: its address is new at each start, ChatGPT has to be told again, and nobody promises that it stays up",
        );
      } else hear({ type: "host", host: tunnel.host });
      let metrics: string | null = null;
      const env = toProgramEnvironment(environment, tunnel.kind === "token" ? ["TUNNEL_TOKEN"] : []);
      return startTunnelProcess(
        {
          name: NAME,
          program: { command: cloudflared, args: await args(url), env, cwd: directory },
          children,
          log,
          timing,
          hear: (event) => {
            hear(event.type === "ready" ? { type: "ready" } : event);
          },
          health: async () => (metrics === null ? null : toHealthUrls(metrics)),
          onLine({ text }) {
            metrics ??= /Starting metrics server on (127\.0\.0\.1:\d{1,5})\b/.exec(text)?.[1] ?? null;
            // In a box of its own; an error may name Cloudflare's own hosts.
            const host = /^\|\s+https:\/\/([a-z0-9-]+\.trycloudflare\.com)\s+\|$/.exec(text)?.[1];
            if (tunnel.kind === "quick" && host !== undefined) hear({ type: "host", host });
          },
        },
        signal,
      );
    },
  };
}

/** `/ready` is 200 while at least one connection to Cloudflare stands, and 503 otherwise. */
function toHealthUrls(address: string): HealthUrls {
  return { live: `http://${address}/ready`, ready: `http://${address}/ready` };
}
