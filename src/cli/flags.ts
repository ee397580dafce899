/** Flags of a subcommand, made from the settings; and configuration problems as a person reads them. */
import { parseArgs } from "node:util";
import { loadConfig, type Config, type ConfigProblem } from "../config/load.ts";
import { toFlag } from "../config/names.ts";
import { settingNames, settings, type SettingName } from "../config/settings.ts";
import type { Result } from "../lib/result.ts";
import { readConfigFile } from "./config-file.ts";
import { nearest } from "./nearest.ts";
import type { Terminal } from "./terminal.ts";
import { wrap } from "./wrap.ts";

export type Flags = Readonly<Record<string, string | boolean | undefined>>;

export interface FlagOption {
  readonly type: "string" | "boolean";
  readonly short?: string;
}

/** `--help` and a flag for each setting; one that is on or off takes no value. */
export function settingOptions(): Record<string, FlagOption> {
  const options: Record<string, FlagOption> = { help: { type: "boolean", short: "h" } };
  for (const name of settingNames) {
    const on = settings[name].read("on");
    options[toFlag(name)] = { type: on.ok && on.value === true ? "boolean" : "string" };
  }
  return options;
}

export interface ParsedFlags {
  readonly flags: Flags;
  /** Everything on the command line that is not understood. */
  readonly problems: readonly ConfigProblem[];
}

export function parseFlags(argv: readonly string[]): ParsedFlags {
  const options = settingOptions();
  // Not strict: Node would stop at the first mistake, and all of them are told at once.
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true });
  const flags: Record<string, string | boolean> = {};
  const problems: ConfigProblem[] = [];
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      problems.push({ setting: token.value, problem: "is not understood here" });
      continue;
    }
    const { name, rawName, value, inlineValue } = token;
    const type = Object.hasOwn(options, name) ? options[name]?.type : undefined;
    if (type === undefined) problems.push({ setting: rawName, problem: unknownFlag(name, options) });
    else if (type === "boolean" && value !== undefined)
      problems.push({ setting: rawName, problem: "takes no value" });
    else if (type === "string" && (value === undefined || (value.startsWith("-") && !inlineValue)))
      problems.push({ setting: rawName, problem: `needs a value; write ${rawName}=...` });
    else flags[name] = value ?? true;
  }
  return { flags, problems };
}

export function unknownFlag(name: string, options: Readonly<Record<string, unknown>>): string {
  const meant = nearest(name, Object.keys(options));
  return meant === null ? "is not a flag" : `is not a flag; did you mean --${meant}?`;
}

export async function loadConfigFor(
  terminal: Pick<Terminal, "environment" | "cwd">,
  flags: Flags,
): Promise<Result<Config, ConfigProblem[]>> {
  return loadConfig({
    flags,
    environment: terminal.environment,
    cwd: terminal.cwd,
    readFile: readConfigFile,
  });
}

export function printProblems(terminal: Terminal, problems: readonly ConfigProblem[]): void {
  terminal.stderr.write("codex-gpt-bridge cannot start with this configuration:\n");
  for (const { setting, problem } of problems) terminal.stderr.write(`  ${setting}: ${problem}\n`);
  terminal.stderr.write("codex-gpt-bridge serve --help lists all settings; docs/config.md says more.\n");
}

const HELP_WIDTH = 79;

/** A flag for each setting with its meaning and its default, for --help. */
export function settingsHelp(): string {
  const indent = 4 + Math.max(...settingNames.map((name) => toFlag(name).length + 2));
  const lines = settingNames.flatMap((name) => {
    const words = `${settings[name].description}${defaultOf(name)}`;
    return wrap(words, HELP_WIDTH - indent).map((line, index) =>
      index === 0 ? `  --${toFlag(name)}`.padEnd(indent) + line : " ".repeat(indent) + line,
    );
  });
  return lines.join("\n");
}

function defaultOf(name: SettingName): string {
  const found = settings[name].read(undefined);
  const value = found.ok ? found.value : undefined;
  return typeof value === "string" || typeof value === "number" ? ` [${value}]` : "";
}
