/**
 * Turns a Grant into the Codex configuration that confines one thread by the operating system. The same for every
 * backend. Never sends a legacy `sandbox` mode beside it: Codex would let that win, and legacy modes read the
 * whole disk (measured on 0.153.4 and 0.169.0, docs/security.md).
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { STEERING_DIRECTORIES, type Grant } from "../policy/grant.ts";

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };

export interface CodexSurroundings {
  /** Directories of Codex's own programs; its sandbox starts its helpers from inside. */
  readonly programDirectories: readonly string[];
  /** Names of all MCP servers in the user's Codex configuration. */
  readonly userMcpServers: readonly string[];
}

export interface ThreadConfinement {
  /** Names the profile and its exact content: what Codex reports as active can only be this very profile. */
  readonly profileId: string;
  /** Codex `config` overrides for thread start, resume and fork. */
  readonly config: { [key: string]: JsonValue };
}

/** World-readable to a root process through `:minimal`, and of no use to any build. */
const SYSTEM_SECRETS = ["/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-"];

/** Unloads a thread soon after the bridge has let go of it (Codex 0.169; earlier versions ignore it). */
const UNLOAD_DELAY_SECONDS = 1;

/**
 * What would go on after its turn, or start beside the sandbox (all on in Codex by itself, measured on 0.153.4 and
 * 0.169.0): a goal makes Codex begin turn after turn by itself, agents work on when the turn that made them is over,
 * plugins bring MCP servers of their own, apps are the connectors of the user's ChatGPT account.
 */
const UNWANTED_FEATURES = {
  "features.goals": false,
  "features.multi_agent": false,
  "features.multi_agent_v2": false,
  "features.plugins": false,
  "features.remote_plugin": false,
  "features.apps": false,
};

export function toThreadConfinement(grant: Grant, surroundings: CodexSurroundings): ThreadConfinement {
  const filesystem: { [key: string]: JsonValue } = { ":minimal": "read" };
  for (const path of SYSTEM_SECRETS) filesystem[path] = "deny";
  for (const path of surroundings.programDirectories) filesystem[path] = "read";
  const writable = grant.sandbox === "workspace-write";
  filesystem[grant.root.path] = writable ? "write" : "read";
  if (writable) {
    for (const name of STEERING_DIRECTORIES) filesystem[join(grant.root.path, name)] = "read";
  }
  // An entry of its own makes a directory a mount, and a mount cannot be renamed.
  for (const path of grant.heldDirectories) filesystem[path] = "write";
  for (const path of [...grant.deniedPaths, ...grant.deniedPatterns]) filesystem[path] = "deny";

  const profile = { filesystem, network: { enabled: grant.network } };
  const profileId = `bridge-${createHash("sha256").update(JSON.stringify(profile)).digest("hex").slice(0, 16)}`;
  const config: { [key: string]: JsonValue } = {
    default_permissions: profileId,
    [`permissions.${profileId}`]: profile,
    // A project never configures the Codex that works on it, nor does a repository that it lies in: a
    // .codex/config.toml could start programs.
    projects: Object.fromEntries(upwards(grant.cwd.path).map((path) => [path, { trust_level: "untrusted" }])),
    // Of the environment, the model's commands get the core (PATH, HOME, LANG, ...) and no provider key.
    "shell_environment_policy.inherit": "core",
    // Else Codex runs the user's login shell outside the sandbox for each thread, to copy its settings.
    "features.shell_snapshot": false,
    // A model that cannot be reached fails the turn; without this, Codex waits for the network for ever.
    "features.unbounded_connection_retries": false,
    ...UNWANTED_FEATURES,
    web_search: "disabled",
    thread_unload_delay_secs: UNLOAD_DELAY_SECONDS,
  };
  // Nested, not `mcp_servers.NAME.enabled`: a name may hold a dot.
  const unwanted = surroundings.userMcpServers.filter((name) => !grant.mcpServers.includes(name));
  if (unwanted.length > 0) {
    config["mcp_servers"] = Object.fromEntries(unwanted.map((name) => [name, { enabled: false }]));
  }
  return { profileId, config };
}

/** `path` and every directory above it. */
function upwards(path: string): string[] {
  const above = dirname(path);
  return above === path ? [path] : [path, ...upwards(above)];
}

/**
 * Codex `config` for a turn that a model on this machine plays instead of the user's: no login, no network. The
 * provider is this thread's alone; nothing is written to the user's configuration.
 */
export function toStandInConfig(modelUrl: string): { [key: string]: JsonValue } {
  return {
    model_provider: STAND_IN_PROVIDER,
    [`model_providers.${STAND_IN_PROVIDER}`]: {
      name: "Stand-in",
      base_url: modelUrl,
      wire_api: "responses",
      requires_openai_auth: false,
      supports_websockets: false,
      request_max_retries: 0,
      stream_max_retries: 0,
    },
  };
}

export const STAND_IN_MODEL = "stand-in";
const STAND_IN_PROVIDER = "bridge_stand_in";
