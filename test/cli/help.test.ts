import { describe, expect, test } from "vitest";
import { serveAskChatgpt } from "../../src/cli/ask-chatgpt.ts";
import { commandNames, main } from "../../src/cli/main.ts";
import { createFakeTerminal } from "./fake-terminal.ts";

async function run(argv: readonly string[]) {
  const terminal = { ...createFakeTerminal({}, "/srv/app"), argv };
  const exitCode = await main(terminal);
  return { exitCode, out: terminal.out(), err: terminal.err() };
}

test("the help of the program names every command and begins with what to try", async () => {
  const { exitCode, out } = await run(["--help"]);
  expect(exitCode).toBe(0);
  for (const name of commandNames) expect(out).toMatch(new RegExp(`^  ${name} `, "m"));
  expect(out).toContain("Examples:");
  expect(tooWide(out)).toEqual([]);
});

describe.each(commandNames)("%s --help", (name) => {
  test("goes to stdout, has examples of this very command, and fits 80 columns", async () => {
    const { exitCode, out, err } = await run([name, "--help"]);
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: "" });
    expect(out).toMatch(new RegExp(`^Usage: codex-gpt-bridge ${name}`));
    const examples = out.slice(out.indexOf("Examples:"));
    expect(examples).toMatch(new RegExp(`^Examples:\n  codex-gpt-bridge ${name}`));
    expect(tooWide(out)).toEqual([]);
  });
});

describe("what is not understood", () => {
  test.each<[string, string[], RegExp]>([
    ["a command with a slip", ["docter"], /no command "docter"\.\nDid you mean doctor\? Try .*--help/],
    ["a command cut short", ["aud"], /Did you mean audit\?/],
    ["a command that is nothing like one", ["xyzzy"], /no command "xyzzy"\.\nTry .*--help/],
    [
      "a flag with a slip",
      ["serve", "--alow-write"],
      /--alow-write: is not a flag; did you mean --allow-write\?/,
    ],
    [
      "a flag with a slip, of another command",
      ["jobs", "list", "--jsno"],
      /^codex-gpt-bridge jobs: --jsno: is not a flag; did you mean --json\?\nTry codex-gpt-bridge jobs --help\.\n$/,
    ],
    [
      "an action with a slip",
      ["jobs", "lst"],
      /^codex-gpt-bridge jobs: there is no "lst"\.\nDid you mean list\?\nTry codex-gpt-bridge jobs --help\.\n$/,
    ],
    [
      "an action that is nothing like one",
      ["service", "xyzzy"],
      /no "xyzzy"\.\nIt takes install, .*print\.\n/,
    ],
    ["an action that would steer the terminal", ["token", "\u001B[2J"], /no "\uFFFD\[2J"\.\nIt takes create/],
    ["a tunnel with a slip", ["tunnel", "opnai"], /Did you mean openai\?/],
    ["a flag that is nothing like one", ["serve", "--yolo"], /--yolo: is not a flag\n.*--help/],
  ])("%s: exit code 2, and what was probably meant", async (_name, argv, words) => {
    const { exitCode, out, err } = await run(argv);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: "" });
    expect(err).toMatch(words);
    expect(tooWide(err)).toEqual([]);
  });
});

test("serve without any credential says what to do, in lines that fit", async () => {
  const { exitCode, err } = await run(["serve"]);
  expect(exitCode).toBe(2);
  expect(err).toContain("codex-gpt-bridge setup");
  expect(tooWide(err)).toEqual([]);
});

test("codex-chatgpt-mcp --help has examples and fits 80 columns", async () => {
  const { stderr, environment, cwd } = createFakeTerminal({}, "/srv/app");
  let out = "";
  const exitCode = await serveAskChatgpt({
    argv: ["--help"],
    environment,
    cwd,
    stdin: process.stdin,
    writeProtocol(text, done) {
      out += text;
      done();
    },
    stderr,
    onSignal() {},
  });
  expect(exitCode).toBe(0);
  expect(out).toContain("Examples:");
  expect(tooWide(out)).toEqual([]);
});

function tooWide(text: string): string[] {
  return text.split("\n").filter((line) => line.length > 80);
}
