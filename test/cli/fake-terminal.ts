/** A terminal that keeps what is written to it. */
import type { Terminal } from "../../src/cli/terminal.ts";

export interface FakeTerminal extends Terminal {
  out(): string;
  err(): string;
}

export function createFakeTerminal(
  environment: Readonly<Record<string, string | undefined>>,
  cwd: string,
  isTTY = false,
): FakeTerminal {
  let out = "";
  let err = "";
  return {
    argv: [],
    environment,
    cwd,
    stdout: { isTTY, write: (text) => (out += text) },
    stderr: { isTTY, write: (text) => (err += text) },
    onSignal() {},
    exitNow() {
      throw new Error("not in a test");
    },
    out: () => out,
    err: () => err,
  };
}
