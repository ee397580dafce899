/**
 * Makes what `setup` was told true: first proves that the bridge would start with the new config file, then keeps the
 * secrets, then puts the file in place of the old one, of which a copy stays.
 */
import { randomBytes } from "node:crypto";
import { mkdir, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { loadConfig, type Config, type ConfigProblem } from "../config/load.ts";
import { secretItems, serviceOf, type SecretItemName } from "../keychain/secret-items.ts";
import type { SecretStore } from "../keychain/secret-store.ts";
import { replaceFile } from "../lib/replace-file.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import type { Answers } from "../setup/answers.ts";
import type { Asker } from "../setup/asker.ts";
import { planConfig, SECRETS_IN_FILE } from "../setup/plan.ts";
import { editToml } from "../setup/toml-edit.ts";
import { readConfigFile } from "./config-file.ts";
import { identifyProjects, judgePlaces } from "./projects.ts";
import type { Gathered } from "./setup-beforehand.ts";
import { lockFile, type StateLock } from "./state-lock.ts";
import type { Terminal } from "./terminal.ts";
import { planTunnel } from "./tunnel-plan.ts";

export interface Prepared {
  readonly text: string;
  readonly keptComments: boolean;
  readonly keep: ReadonlyMap<SecretItemName, string>;
}

export interface Applied {
  /** For the owner: what was done, line by line. */
  readonly done: readonly string[];
  /** How the owner gets to see the token. */
  readonly showToken: string;
}

const LOCK_FILE = "setup.lock";
const HEADING = "# codex-gpt-bridge; docs/config.md lists every setting. Made by: codex-gpt-bridge setup\n";

/** The new config file, known to be one that the bridge starts with. */
export async function prepareSetup(
  terminal: Terminal,
  { before, configFile, values, kept }: Gathered,
  answers: Answers,
): Promise<Result<Prepared, ConfigProblem[]>> {
  const { existing } = before;
  const edit = planConfig(answers, existing);
  const edited = editToml(existing.text ?? HEADING, { ...edit, values: { ...values, ...edit.values } });
  const { HOME, XDG_CONFIG_HOME, XDG_STATE_HOME } = terminal.environment;
  const config = await loadConfig({
    flags: { config: configFile },
    environment: { HOME, XDG_CONFIG_HOME, XDG_STATE_HOME },
    cwd: dirname(configFile),
    readFile: async () => ({ text: edited.text, mode: 0o600 }),
  });
  if (!config.ok) return config;
  const projects = await identifyProjects(config.value);
  if (!projects.ok) return projects;
  const keep = withOwnSecrets(answers, before);
  const problems = [
    ...(await judgePlaces(config.value, projects.value, terminal.environment)),
    ...judgeTunnel(config.value, new Map([...kept, ...keep])),
  ];
  return problems.length > 0 ? fail(problems) : ok({ ...edited, keep });
}

/** Would `serve` open this tunnel, with what the store will have? */
function judgeTunnel(config: Config, secrets: ReadonlyMap<SecretItemName, string>): ConfigProblem[] {
  if (config.tunnel === "none") return [];
  const environment = [...secrets].map(([name, value]) => [secretItems[name].variable, value]);
  const planned = planTunnel(config.tunnel, config, Object.fromEntries(environment), "own");
  return planned.ok ? [] : planned.failure;
}

/** The bridge's own credentials: what was given stays, and a token is made where there is none. */
function withOwnSecrets(answers: Answers, { given, kept }: Gathered["before"]): Map<SecretItemName, string> {
  const keep = new Map(answers.keep);
  for (const name of ["token", "headerSecret", "oauthPasscode"] as const) {
    const value = given.get(name);
    if (value !== undefined) keep.set(name, value);
  }
  if (!keep.has("token") && !kept.has("token")) keep.set("token", randomBytes(32).toString("base64url"));
  return keep;
}

/** One setup at a time: between looking at the old file and putting the new one there, no other one writes. */
export async function applySetup(
  gathered: Gathered,
  prepared: Prepared,
  wantsFile: boolean,
  ask: Asker,
): Promise<Result<Applied, string>> {
  const { configFile } = gathered;
  const directory = dirname(await realpath(configFile).catch(() => configFile));
  let lock: StateLock | null;
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    lock = await lockFile(join(directory, LOCK_FILE));
  } catch (error) {
    return fail(
      `the config file cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  if (lock === null)
    return fail(`another setup is writing ${configFile} now; nothing was changed, run setup again`);
  try {
    return await applyAlone(gathered, prepared, wantsFile, ask);
  } finally {
    lock.release();
  }
}

async function applyAlone(
  { before, configFile, stores }: Gathered,
  { text, keptComments, keep }: Prepared,
  wantsFile: boolean,
  ask: Asker,
): Promise<Result<Applied, string>> {
  const now = await readConfigFile(configFile).catch(() => null);
  if ((now?.text ?? null) !== before.existing.text) {
    return fail(
      `${configFile} was changed by somebody else meanwhile; nothing was changed now, run setup again`,
    );
  }
  const stored = await keepSecrets(
    keep,
    stores.system !== null && !wantsFile ? stores.system : null,
    stores.file,
    ask,
  );
  if (!stored.ok) return stored;
  const done = [...keep.keys()].map((name) => `  ${secretItems[name].title}`);
  if (done.length > 0) done.unshift(`Kept in ${stored.value.title}:`);
  try {
    if (before.existing.text === text) done.push(`${configFile} says this already.`);
    else {
      const copy = await writeConfig(configFile, text, before.existing.text);
      done.push(`Wrote ${configFile}`, ...(copy === null ? [] : [`The old one is in ${copy}`]));
      if (!keptComments) done.push("Its comments could not be kept; the old one has them.");
    }
    return ok({ done, showToken: showToken(stored.value, configFile) });
  } catch (error) {
    return fail(
      `the config file cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** All in one store. Falls back to the file where the keychain does not answer, and says so. */
async function keepSecrets(
  keep: ReadonlyMap<SecretItemName, string>,
  system: SecretStore | null,
  file: SecretStore,
  ask: Asker,
): Promise<Result<SecretStore, string>> {
  const store = system ?? file;
  if (store === file && keep.size > 0)
    ask.warn("Secrets go to a file that only you can read, not to a keychain.");
  for (const [name, value] of keep) {
    const written = await store.write(secretItems[name], value);
    if (written.ok) continue;
    if (store === file) return fail(`${secretItems[name].title} cannot be kept: ${written.failure}`);
    ask.warn(`${store.title} cannot be used: ${written.failure}`);
    return keepSecrets(keep, null, file, ask);
  }
  return ok(store);
}

/** The copy's path, or null where there was nothing. Secrets that the old file held are not copied: they are kept. */
async function writeConfig(configFile: string, text: string, old: string | null): Promise<string | null> {
  const path = await realpath(configFile).catch(() => configFile);
  let copy: string | null = null;
  if (old !== null) {
    copy = `${path}.${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.bak`;
    await replaceFile(copy, withoutSecrets(old), 0o600);
  }
  await replaceFile(path, text, 0o600);
  return copy;
}

function withoutSecrets(text: string): string {
  const secrets = Object.values(SECRETS_IN_FILE).filter((key) => text.includes(key));
  if (secrets.length === 0) return text;
  // The projects stay as they are: the edit names each of them unchanged.
  return editToml(text, { values: Object.fromEntries(secrets.map((key) => [key, null])), projects: "same" })
    .text;
}

function showToken({ kind }: SecretStore, configFile: string): string {
  switch (kind) {
    case "macos-keychain":
      return `security find-generic-password -s ${serviceOf(secretItems.token)} -w`;
    case "secret-service":
      return `secret-tool lookup service ${serviceOf(secretItems.token)}`;
    case "file":
      return `"token" in ${dirname(configFile)}/secrets.json`;
  }
}
