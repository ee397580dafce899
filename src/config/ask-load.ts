/**
 * Environment and config file in, the configuration of `codex-chatgpt-mcp` or every problem at once out. What it shares
 * with the bridge (state directory, audit, log level) comes from the bridge's own settings; what concerns the bridge
 * alone is not looked at.
 */
import { fail, ok, type Result } from "../lib/result.ts";
import {
  askSettingNames,
  askSettings,
  priceTable,
  toAskEnvironmentName,
  type AskSettings,
  type PriceTable,
} from "./ask-settings.ts";
import { loadConfig, type Config, type ConfigProblem, type ConfigSources } from "./load.ts";
import { toEnvironmentName, toFileKey } from "./names.ts";
import { readAll } from "./setting.ts";
import type { SettingName } from "./settings.ts";

type Shared = Pick<
  Config,
  "stateDir" | "configFile" | "keychain" | "auditPrompts" | "auditKeepDays" | "auditKeepMb" | "logLevel"
>;

export interface AskConfig extends AskSettings, Shared {
  readonly prices: PriceTable;
  readonly apiKey: string | null;
  /** null: OpenAI's own. */
  readonly baseUrl: string | null;
}

const SHARED: readonly SettingName[] = [
  "stateDir",
  "config",
  "keychain",
  "auditPrompts",
  "auditKeepDays",
  "auditKeepMb",
  "logLevel",
];

export async function loadAskConfig(
  sources: Omit<ConfigSources, "flags">,
): Promise<Result<AskConfig, ConfigProblem[]>> {
  const { environment } = sources;
  const { HOME, XDG_STATE_HOME, XDG_CONFIG_HOME } = environment;
  const shared = Object.fromEntries(
    SHARED.map(toEnvironmentName).map((name) => [name, environment[name]] as const),
  );
  const config = await loadConfig({
    ...sources,
    flags: { roots: "none=/dev/null" },
    environment: { HOME, XDG_STATE_HOME, XDG_CONFIG_HOME, ...shared },
  });
  if (!config.ok) return config;
  const problems: ConfigProblem[] = [];
  const { prices, ...table } = toTable(config.value.chatgpt, problems);
  const values = parseValues(environment, table, problems);
  const parsedPrices = priceTable.safeParse(prices ?? {});
  for (const issue of parsedPrices.error?.issues ?? []) {
    problems.push({
      setting: `chatgpt.prices.${issue.path.join(".")} (config file)`,
      problem: issue.message,
    });
  }
  const baseUrl = toBaseUrl(environment["OPENAI_BASE_URL"], problems);
  const key = environment["OPENAI_API_KEY"]?.trim() ?? "";
  if (problems.length > 0 || values === null || !parsedPrices.success) return fail(problems);
  const { stateDir, configFile, keychain, auditPrompts, auditKeepDays, auditKeepMb, logLevel } = config.value;
  return ok({
    ...values,
    stateDir,
    configFile,
    keychain,
    auditPrompts,
    auditKeepDays,
    auditKeepMb,
    logLevel,
    prices: parsedPrices.data,
    apiKey: key === "" ? null : key,
    baseUrl,
  });
}

function toTable(chatgpt: unknown, problems: ConfigProblem[]): Record<string, unknown> {
  if (typeof chatgpt !== "object" || chatgpt === null || Array.isArray(chatgpt)) {
    problems.push({ setting: "chatgpt (config file)", problem: "has to be a table" });
    return {};
  }
  const known = new Set(["prices", ...askSettingNames.map(toFileKey)]);
  for (const key of Object.keys(chatgpt)) {
    if (!known.has(key))
      problems.push({ setting: `chatgpt.${key} (config file)`, problem: "is not a setting" });
  }
  return { ...chatgpt };
}

function parseValues(
  environment: ConfigSources["environment"],
  table: Readonly<Record<string, unknown>>,
  problems: ConfigProblem[],
): AskSettings | null {
  const from = new Map<string, string>();
  const given: Record<string, unknown> = {};
  for (const name of askSettingNames) {
    const variable = environment[toAskEnvironmentName(name)];
    const inFile = table[toFileKey(name)];
    if (variable !== undefined && variable !== "") {
      given[name] = variable;
      from.set(name, toAskEnvironmentName(name));
    } else if (inFile !== undefined) {
      given[name] = inFile;
      from.set(name, `chatgpt.${toFileKey(name)} (config file)`);
    }
  }
  const read = readAll(askSettings, given);
  for (const { name, problem } of read.problems) problems.push({ setting: from.get(name) ?? name, problem });
  return read.problems.length === 0 ? read.values : null;
}

function toBaseUrl(value: string | undefined, problems: ConfigProblem[]): string | null {
  const text = value?.trim() ?? "";
  if (text === "") return null;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === "https:" || url?.protocol === "http:") return text;
  problems.push({ setting: "OPENAI_BASE_URL", problem: "has to be an http or https URL" });
  return null;
}
