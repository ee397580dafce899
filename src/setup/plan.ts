/** Turns the answers into what changes in the config file. Pure; no secret is ever part of it. */
import type { Answers } from "./answers.ts";
import type { Existing } from "./existing.ts";
import type { TomlEdit, TomlTable } from "./toml-edit.ts";

/** Credentials that some file may still hold: they belong into the store. */
export const SECRETS_IN_FILE = {
  token: "token",
  headerSecret: "header_secret",
  oauthPasscode: "oauth_passcode",
} as const;

export function planConfig(answers: Answers, existing: Existing): TomlEdit {
  const { secrets, projects } = answers;
  const values: Record<string, unknown> = {
    keychain: true,
    secrets,
    // The tables hold all projects from now on, with what each may do.
    root: null,
    roots: null,
    ...reachValues(answers, existing),
    ...Object.fromEntries(Object.values(SECRETS_IN_FILE).map((key) => [key, null])),
  };
  if (secrets !== "off") values["disable_secret_scan"] = null;
  return {
    values,
    projects: projects.map(({ index, name, path, write }) => {
      const old = index === null ? {} : (existing.tables[index] ?? {});
      return {
        index,
        table: { ...old, name: nameOf(old, name), path, write: writeOf(old, write, existing) },
      };
    }),
  };
}

/** A table without a name keeps going without: its directory's name is its name. */
function nameOf(old: TomlTable, name: string): string | null {
  return old["path"] === undefined || old["name"] !== undefined ? name : null;
}

/** Read-only is what holds where nothing is said; then `--allow-write` for one start still counts. */
function writeOf(old: TomlTable, write: boolean, { values }: Existing): boolean | null {
  if (write) return true;
  const wouldBeAllowed = values["allow_write"] === true;
  return wouldBeAllowed || old["write"] === false ? false : null;
}

function reachValues({ reach, host, cloudflaredTunnel, keep }: Answers, { values }: Existing): TomlTable {
  const none = {
    ngrok_domain: null,
    cloudflared_tunnel: null,
    cloudflared_hostname: null,
    // Whom a tunnel lets in has to say who it is.
    ...(reach === "local" ? {} : { no_auth: null }),
    // The one in the store would not be asked for.
    ...(keep.has("controlPlaneTunnelId") ? { tunnel_id: null } : {}),
  };
  const address = host === null ? null : `https://${host}`;
  switch (reach) {
    case "openai":
      return { tunnel: "openai", ...none, public_url: null };
    case "ngrok":
      return { tunnel: "ngrok", ...none, ngrok_domain: host, public_url: address };
    case "cloudflared":
      return {
        tunnel: "cloudflared",
        ...none,
        cloudflared_tunnel: cloudflaredTunnel,
        cloudflared_hostname: host,
        public_url: address,
      };
    case "quick":
      return { tunnel: "cloudflared", ...none, public_url: null };
    case "local":
      // A public_url without a tunnel of ours is the owner's own way in.
      return { ...none, tunnel: null, ...(values["tunnel"] === undefined ? {} : { public_url: null }) };
  }
}
