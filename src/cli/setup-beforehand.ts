/** What `setup` knows before it asks: the config file as it is, what flags and environment say, what is kept already. */
import { join, resolve } from "node:path";
import { defaultDirectory, judgeConfigFile, type ConfigProblem } from "../config/load.ts";
import { toEnvironmentName, toFileKey, toFlag } from "../config/names.ts";
import { settingNames, settings } from "../config/settings.ts";
import type { Stores } from "../keychain/open-stores.ts";
import { isStorable, secretItemNames, secretItems, type SecretItemName } from "../keychain/secret-items.ts";
import { readSecrets } from "../keychain/read-secrets.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import type { Reach, SecretsPolicy } from "../setup/answers.ts";
import { parseExisting, type Existing } from "../setup/existing.ts";
import type { Beforehand } from "../setup/interview.ts";
import { SECRETS_IN_FILE } from "../setup/plan.ts";
import { readConfigFile } from "./config-file.ts";
import { isSecretSetting } from "./doctor-secrets.ts";
import type { Flags } from "./flags.ts";
import { homeOf } from "./service-manager.ts";
import type { Terminal } from "./terminal.ts";
import { trustPath } from "./trusted-path.ts";
import { openOwnStores } from "./with-secrets.ts";

export interface Gathered {
  readonly before: Beforehand;
  /** With a PATH that leads into none of the projects that are known. */
  readonly environment: Terminal["environment"];
  readonly configFile: string;
  readonly stores: Stores;
  /** What a store has already. */
  readonly kept: ReadonlyMap<SecretItemName, string>;
  /** The Codex command. */
  readonly codex: string;
  readonly port: number;
  /** Settings that were given as flags and that nobody is asked about: they go into the file as they are. */
  readonly values: Readonly<Record<string, unknown>>;
}

const TUNNELS: Readonly<Record<string, Reach>> = {
  openai: "openai",
  ngrok: "ngrok",
  cloudflared: "cloudflared",
  none: "local",
};
/** Answers to questions of the interview; the rest of the flags is written as it is. */
const ASKED = new Set(["config", "root", "roots", "allowWrite", "secrets", "disableSecretScan", "keychain"]);
const ASKED_TUNNEL = new Set([
  "tunnel",
  "tunnelId",
  "ngrokDomain",
  "cloudflaredTunnel",
  "cloudflaredHostname",
]);

export async function gatherBeforehand(
  terminal: Terminal,
  flags: Flags,
): Promise<Result<Gathered, ConfigProblem[]>> {
  const { cwd } = terminal;
  const asked = text(flags["config"]) ?? terminal.environment[toEnvironmentName("config")] ?? "";
  const configFile =
    asked === ""
      ? join(defaultDirectory(terminal, "XDG_CONFIG_HOME", ".config"), "config.toml")
      : resolve(cwd, asked);
  const read = await readExisting(configFile);
  const given = settingsOfFlags(flags);
  const tunnel = text(flags["tunnel"]);
  const problems = [
    ...given.problems,
    ...(read.ok ? [] : [{ setting: configFile, problem: `is left alone: ${read.failure}` }]),
  ];
  if (!read.ok || problems.length > 0) return fail(problems);
  const existing = read.value;
  const roots = rootsOf(flags, terminal.environment).map((root) => absolute(root, cwd));
  const home = homeOf(terminal.environment);
  const places = [...existing.projects.map(({ path }) => path), ...roots.map((root) => pathOf(root, home))];
  const { environment } = await trustPath(terminal.environment, places);
  const stores = await openOwnStores({ configFile }, environment);
  const kept = await readSecrets(stores, secretItemNames);
  // A new token would take the place of the one that is there and cannot be seen now.
  if (kept.problems.length > 0 && existing.values["keychain"] === true && !kept.values.has("token")) {
    return fail(kept.problems.map((problem) => ({ setting: "the secrets that are kept", problem })));
  }
  const secrets = text(flags["secrets"]);
  const before: Beforehand = {
    existing,
    roots,
    write: flags["allow-write"] === true ? true : null,
    secrets: secrets as SecretsPolicy | null, // given.problems has judged it
    reach: tunnel === null ? null : (TUNNELS[tunnel] ?? null),
    host: text(flags["ngrok-domain"]) ?? text(flags["cloudflared-hostname"]),
    cloudflaredTunnel: text(flags["cloudflared-tunnel"]),
    given: givenSecrets(environment, flags, existing),
    kept: new Set(kept.values.keys()),
    isPerson: flags["yes"] !== true,
  };
  const codex =
    text(flags["codex"]) ??
    environment[toEnvironmentName("codex")] ??
    text(existing.values["codex"]) ??
    "codex";
  const port = Number(given.values["port"] ?? existing.values["port"] ?? 8765);
  return ok({
    before,
    environment,
    configFile,
    stores,
    kept: kept.values,
    codex,
    port,
    values: given.values,
  });
}

async function readExisting(configFile: string): Promise<Result<Existing, string>> {
  try {
    const found = await readConfigFile(configFile);
    const problem = found === null ? null : judgeConfigFile(found);
    return problem === null ? parseExisting(found?.text ?? null) : fail(problem);
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

function settingsOfFlags(flags: Flags): { values: Record<string, unknown>; problems: ConfigProblem[] } {
  const values: Record<string, unknown> = {};
  const problems: ConfigProblem[] = [];
  for (const name of settingNames) {
    const flag = flags[toFlag(name)];
    if (flag === undefined) continue;
    const setting = `--${toFlag(name)}`;
    const read = settings[name].read(flag);
    if (isSecretSetting(name) && flag !== true) {
      problems.push({
        setting,
        problem: `can be seen by every program; set ${toEnvironmentName(name)} instead`,
      });
    } else if (!read.ok) {
      problems.push({ setting, problem: read.failure[0] ?? "is wrong" });
    } else if (!ASKED.has(name) && !ASKED_TUNNEL.has(name)) values[toFileKey(name)] = read.value;
  }
  return { values, problems };
}

/** From the environment, or from a config file that still holds one. */
function givenSecrets(
  environment: Terminal["environment"],
  flags: Flags,
  { values }: Existing,
): Map<SecretItemName, string> {
  const given = new Map<SecretItemName, string>();
  for (const [name, key] of Object.entries(SECRETS_IN_FILE) as [keyof typeof SECRETS_IN_FILE, string][]) {
    const inFile = values[key];
    if (typeof inFile === "string") given.set(name, inFile);
  }
  for (const name of secretItemNames) {
    const value = environment[secretItems[name].variable];
    if (value !== undefined && isStorable(value)) given.set(name, value);
  }
  const tunnelId = text(flags["tunnel-id"]);
  if (tunnelId !== null) given.set("controlPlaneTunnelId", tunnelId);
  return given;
}

function rootsOf(flags: Flags, environment: Terminal["environment"]): string[] {
  const list = (value: string | null | undefined): string[] =>
    (value ?? "")
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
  const ofFlags = [...list(text(flags["root"])), ...list(text(flags["roots"]))];
  if (ofFlags.length > 0) return ofFlags;
  return [...list(environment[toEnvironmentName("root")]), ...list(environment[toEnvironmentName("roots")])];
}

/** A path of the owner's, seen from where the owner is. */
function absolute(root: string, cwd: string): string {
  const [, name, path] = /^([\w][\w.-]*)=(.+)$/s.exec(root) ?? [];
  if (name !== undefined && path !== undefined) return `${name}=${absolutePath(path, cwd)}`;
  return absolutePath(root, cwd);
}

function pathOf(root: string, home: string): string {
  const path = /^[\w][\w.-]*=(.+)$/s.exec(root)?.[1] ?? root;
  return path.startsWith("~/") ? join(home, path.slice(2)) : path;
}

function absolutePath(path: string, cwd: string): string {
  return path.startsWith("~") ? path : resolve(cwd, path);
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
