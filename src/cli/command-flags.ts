/** The command line of a subcommand that takes more than the settings: its own options, and positional arguments. */
import { parseArgs } from "node:util";
import { nearest } from "./nearest.ts";
import { settingOptions, unknownFlag, type FlagOption, type Flags } from "./flags.ts";
import { EXIT_FINE, EXIT_USAGE, type Terminal } from "./terminal.ts";

/** For subcommands that work wherever the owner is, also where no project could be served. */
export const NO_PROJECT = "none=/dev/null";

export interface CommandLine {
  /** By name without dashes: the settings' flags, `help`, and the subcommand's own. */
  readonly flags: Flags;
  readonly positionals: readonly string[];
}

/** The exit code where there is nothing left to do: help was asked for, or the command line is not understood. */
export function openCommandLine(
  terminal: Terminal,
  argv: readonly string[],
  own: Readonly<Record<string, FlagOption>>,
  help: string,
): CommandLine | number {
  const options = { ...settingOptions(), ...own };
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
    if (values["help"] !== true) return { flags: values, positionals };
    terminal.stdout.write(help);
    return EXIT_FINE;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const [, flag, name] = /^Unknown option '(--?([^']+))'/.exec(message) ?? [];
    const problem =
      flag === undefined || name === undefined
        ? (message.split(". To specify")[0] ?? message)
        : `${flag}: ${unknownFlag(name, options)}`;
    const command = commandOf(help);
    terminal.stderr.write(`${command}: ${problem}\nTry ${command} --help.\n`);
    return EXIT_USAGE;
  }
}

/** Says which word is not known, and what was probably meant; the whole help where no word was given. */
export function refuseWord(
  terminal: Terminal,
  help: string,
  known: readonly string[],
  word: string | undefined,
): number {
  if (word === undefined || known.includes(word)) terminal.stderr.write(help);
  else {
    const meant = nearest(word, known);
    const next = meant === null ? `It takes ${known.join(", ")}.` : `Did you mean ${meant}?`;
    const command = commandOf(help);
    terminal.stderr.write(`${command}: there is no "${toShown(word)}".\n${next}\nTry ${command} --help.\n`);
  }
  return EXIT_USAGE;
}

function commandOf(help: string): string {
  return /^Usage: (codex-gpt-bridge [a-z-]+)/.exec(help)?.[1] ?? "codex-gpt-bridge";
}

/** Text from a file's name, or from the log, that must not steer the terminal that shows it. */
export function toShown(text: string): string {
  return text.toWellFormed().replaceAll(/[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu, "\uFFFD");
}
