/**
 * The person at the terminal. Asks on the terminal itself, so that no pipe and no file can answer for them; never
 * takes silence, or anything but a clear yes, for one.
 */
import { closeSync, openSync } from "node:fs";
import { createInterface } from "node:readline";
import { ReadStream, WriteStream } from "node:tty";
import type { Terminal } from "./terminal.ts";

export interface Owner {
  /** Why nobody can be asked here, or null. */
  absence(): string | null;
  /** True when the answer is y or yes. */
  agrees(question: string): Promise<boolean>;
}

const TERMINAL = "/dev/tty";
/** What Codex sets for the commands that the model runs. They may have a terminal, and are nobody's owner. */
const CODEX_VARIABLES = ["CODEX_SANDBOX", "CODEX_SANDBOX_NETWORK_DISABLED", "CODEX_THREAD_ID", "CODEX_CI"];

export function createOwner({ stdout, environment }: Terminal): Owner {
  return {
    absence() {
      if (CODEX_VARIABLES.some((name) => environment[name] !== undefined)) {
        return "it is run by Codex, and only the owner may make an exception";
      }
      if (stdout.isTTY !== true) return "it has to be run at a terminal, with its output on it";
      try {
        closeSync(openSync(TERMINAL, "r+"));
        return null;
      } catch {
        return "it has to be run at a terminal";
      }
    },

    async agrees(question) {
      const input = new ReadStream(openSync(TERMINAL, "r"));
      const output = new WriteStream(openSync(TERMINAL, "w"));
      // Without `terminal` the answer is edited and echoed by the terminal, and Ctrl-C ends the process.
      const lines = createInterface({ input, terminal: false });
      try {
        output.write(question);
        const answer = await new Promise<string>((resolve) => {
          lines.once("line", resolve);
          lines.once("close", () => {
            resolve("");
          });
        });
        return /^\s*y(es)?\s*$/i.test(answer);
      } finally {
        lines.close();
        input.destroy();
        output.destroy();
      }
    },
  };
}
