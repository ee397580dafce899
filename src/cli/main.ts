/** Picks the subcommand and loads it; each lives in a file of its own and is loaded only when it is used. */
import { nearest } from "./nearest.ts";
import { EXIT_FINE, EXIT_USAGE, type Terminal } from "./terminal.ts";

interface Command {
  readonly summary: string;
  readonly load: () => Promise<{ run: (terminal: Terminal, argv: readonly string[]) => Promise<number> }>;
}

const commands: Readonly<Record<string, Command>> = {
  serve: {
    summary: "serve your projects to ChatGPT (the default)",
    load: async () => import("./serve.ts"),
  },
  setup: {
    summary: "answer a few questions, and the bridge is set up",
    load: async () => import("./setup.ts"),
  },
  service: {
    summary: "let the bridge run by itself while you are logged in",
    load: async () => import("./service.ts"),
  },
  allow: {
    summary: "make an exception for one file that the look for secrets blocks",
    load: async () => import("./allow.ts"),
  },
  audit: {
    summary: "show the newest calls, or verify the audit log",
    load: async () => import("./audit.ts"),
  },
  jobs: {
    summary: "list, show or watch jobs, or cancel one",
    load: async () => import("./jobs.ts"),
  },
  token: {
    summary: "create, list or revoke tokens for callers",
    load: async () => import("./token.ts"),
  },
  tunnel: {
    summary: "open a tunnel for a bridge that runs already",
    load: async () => import("./tunnel.ts"),
  },
  doctor: {
    summary: "find the broken link between ChatGPT and Codex",
    load: async () => import("./doctor.ts"),
  },
  "sign-in": {
    summary: "make a passcode, list who has signed in, or end a sign-in",
    load: async () => import("./sign-in.ts"),
  },
  "codex-config": {
    summary: "print or add what Codex needs to ask ChatGPT",
    load: async () => import("./codex-config.ts"),
  },
  demo: {
    summary: "show what the bridge does; needs no login and no key",
    load: async () => import("./demo.ts"),
  },
};

export const commandNames = Object.keys(commands);

/** Returns the exit code. */
export async function main(terminal: Terminal): Promise<number> {
  const [first, ...rest] = terminal.argv;
  if (first === "--help" || first === "-h" || first === "help") {
    terminal.stdout.write(await helpText());
    return EXIT_FINE;
  }
  if (first === "--version" || first === "-V") {
    const { version } = await import("../lib/version.ts");
    terminal.stdout.write(`${version}\n`);
    return EXIT_FINE;
  }
  const isFlag = first === undefined || first.startsWith("-");
  const name = isFlag ? "serve" : first;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    const meant = nearest(name, commandNames);
    const next = meant === null ? "" : `Did you mean ${meant}? `;
    terminal.stderr.write(
      `codex-gpt-bridge: there is no command "${name}".\n${next}Try codex-gpt-bridge --help.\n`,
    );
    return EXIT_USAGE;
  }
  const { run } = await command.load();
  return run(terminal, isFlag ? terminal.argv : rest);
}

async function helpText(): Promise<string> {
  const { version } = await import("../lib/version.ts");
  const width = Math.max(...commandNames.map((name) => name.length));
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return `codex-gpt-bridge ${version}
Lets ChatGPT plan and review while the Codex on this machine does the work.

Usage: codex-gpt-bridge [command] [flags]

Commands:
${lines.join("\n")}

Examples:
  codex-gpt-bridge demo                        see it work, without login or key
  codex-gpt-bridge setup                       set it up for your projects
  codex-gpt-bridge serve --root /srv/app       serve one project, read-only
  codex-gpt-bridge doctor                      find out what is wrong

Help: codex-gpt-bridge <command> --help     Version: codex-gpt-bridge --version
A flag is also an environment variable and a key of the config file:
--allow-write is CODEX_GPT_BRIDGE_ALLOW_WRITE=1 and allow_write = true.
docs/config.md lists them all.
`;
}
