/** The command line of a subcommand that takes more than the settings: its own options, and positional arguments. */
import { parseArgs } from "node:util";
import type { ConfigProblem } from "../config/load.ts";
import { toFlag } from "../config/names.ts";
import { settingNames, settings } from "../config/settings.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import type { Flags } from "./flags.ts";

export interface CommandOption {
  readonly type: "string" | "boolean";
  readonly short?: string;
}

export interface CommandLine {
  /** By name without dashes: the settings' flags, `help`, and the subcommand's own. */
  readonly flags: Flags;
  readonly positionals: readonly string[];
}

export function parseCommandLine(
  argv: readonly string[],
  own: Readonly<Record<string, CommandOption>>,
): Result<CommandLine, ConfigProblem[]> {
  const options: Record<string, CommandOption> = { help: { type: "boolean", short: "h" } };
  for (const name of settingNames) {
    const isSwitch = settings.shape[name].safeParse("on").data === true;
    options[toFlag(name)] = { type: isSwitch ? "boolean" : "string" };
  }
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: { ...options, ...own },
      allowPositionals: true,
    });
    return ok({ flags: values, positionals });
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return fail([{ setting: "command line", problem: problem.split(". To specify")[0] ?? problem }]);
  }
}

/** Text from a file's name, or from the log, that must not steer the terminal that shows it. */
export function toShown(text: string): string {
  return text.toWellFormed().replaceAll(/[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu, "\uFFFD");
}
