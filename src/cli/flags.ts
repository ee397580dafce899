/** Flags of a subcommand, made from the settings; and configuration problems as a person reads them. */
import { readFile, stat } from "node:fs/promises";
import { parseArgs } from "node:util";
import { loadConfig, type Config, type ConfigProblem } from "../config/load.ts";
import { toFlag } from "../config/names.ts";
import { settingNames, settings } from "../config/settings.ts";
import { fail, type Result } from "../lib/result.ts";
import type { Terminal } from "./terminal.ts";

export type Flags = Readonly<Record<string, string | boolean | undefined>>;

/** Settings that are on or off: their flag takes no value. */
const switches = new Set(settingNames.filter((name) => settings.shape[name].safeParse("on").data === true));

export function parseFlags(argv: readonly string[]): Result<Flags, ConfigProblem[]> {
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {
    help: { type: "boolean", short: "h" },
  };
  for (const name of settingNames) {
    options[toFlag(name)] = { type: switches.has(name) ? "boolean" : "string" };
  }
  try {
    const { values } = parseArgs({ args: [...argv], options, allowPositionals: false });
    return { ok: true, value: values };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return fail([{ setting: "command line", problem: problem.split(". To specify")[0] ?? problem }]);
  }
}

export async function loadConfigFor(
  terminal: Terminal,
  flags: Flags,
): Promise<Result<Config, ConfigProblem[]>> {
  return loadConfig({
    flags,
    environment: terminal.environment,
    cwd: terminal.cwd,
    async readFile(path) {
      try {
        const { mode } = await stat(path);
        return { text: await readFile(path, "utf8"), mode };
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
        throw error;
      }
    },
  });
}

export function printProblems(terminal: Terminal, problems: readonly ConfigProblem[]): void {
  terminal.stderr.write("codex-gpt-bridge cannot start with this configuration:\n");
  for (const { setting, problem } of problems) terminal.stderr.write(`  ${setting}: ${problem}\n`);
}

/** One line for each setting, for --help. */
export function settingsHelp(): string {
  const names = settingNames.map((name) => `--${toFlag(name)}`);
  const width = Math.max(...names.map((name) => name.length));
  return settingNames
    .map(
      (name, index) => `  ${(names[index] ?? "").padEnd(width)}  ${settings.shape[name].description ?? ""}`,
    )
    .join("\n");
}
