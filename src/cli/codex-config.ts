/** `codex-gpt-bridge codex-config`: what Codex has to know to start `codex-chatgpt-mcp`, printed or added to its file. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { codexHome } from "../codex/codex-home.ts";
import { findProgram } from "../lib/find-program.ts";
import { packageRoot } from "../lib/version.ts";
import { addTable } from "./codex-config-file.ts";
import { codexServerTable } from "./codex-config-table.ts";
import { EXIT_FAILED, EXIT_FINE, EXIT_USAGE, type Terminal } from "./terminal.ts";

const HELP = `Usage: codex-gpt-bridge codex-config [--absolute] [--write [--project]]

Prints the TOML that lets Codex ask ChatGPT (the MCP server codex-chatgpt-mcp
with ask_chatgpt and ask_chatgpt_result).

--absolute  name this Node and this installation by their paths; done by itself
            where codex-chatgpt-mcp is not on your PATH, but for --project
--write     add it to Codex's configuration ($CODEX_HOME/config.toml,
            ~/.codex/config.toml); nothing else in it changes
--project   with --write: to .codex/config.toml of the current directory, which
            Codex reads once you trust the project

Examples:
  codex-gpt-bridge codex-config
  codex-gpt-bridge codex-config --absolute --write
`;

const PROGRAM = "codex-chatgpt-mcp";
const OPTIONS = {
  absolute: { type: "boolean" },
  write: { type: "boolean" },
  project: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

export async function run(terminal: Terminal, argv: readonly string[]): Promise<number> {
  const flags = parseFlags(argv);
  if (flags === null || (flags.project === true && flags.write !== true)) {
    terminal.stderr.write(HELP);
    return EXIT_USAGE;
  }
  if (flags.help === true) {
    terminal.stdout.write(HELP);
    return EXIT_FINE;
  }
  const isOnPath = (await findProgram(PROGRAM, terminal.environment["PATH"])) !== null;
  if (!isOnPath && flags.project === true && flags.absolute !== true)
    terminal.stderr.write(`Note: ${PROGRAM} is not on your PATH; --absolute names it by its path.\n`);
  const command =
    flags.absolute === true || (!isOnPath && flags.project !== true)
      ? { command: process.execPath, args: [join(packageRoot, "dist", "ask-chatgpt.js")] }
      : { command: PROGRAM, args: [] };
  const table = codexServerTable(command);
  if (flags.write !== true) {
    terminal.stdout.write(table);
    return EXIT_FINE;
  }
  const directory = flags.project === true ? join(terminal.cwd, ".codex") : codexHome(terminal.environment);
  if (directory === null) return failed(terminal, "there is no home directory; set CODEX_HOME");
  const path = join(directory, "config.toml");
  const added = await addTable(path, table);
  if (!added.ok)
    return failed(
      terminal,
      `${added.failure}\nNothing was changed. This is what belongs into it:\n\n${table}`,
    );
  terminal.stdout.write(added.value === "there" ? `${path} has it already.\n` : `Added to ${path}.\n`);
  return EXIT_FINE;
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS }).values;
  } catch {
    return null;
  }
}

function failed({ stderr }: Terminal, why: string): number {
  stderr.write(`codex-gpt-bridge codex-config: ${why}\n`);
  return EXIT_FAILED;
}
