/**
 * The login keychain of macOS through the system's own `security`. A value goes to `security -i` on stdin, as hex, so
 * that it stands neither among the arguments nor needs quoting; it comes back on stdout. Never opens another keychain.
 */
import { fail, ok, type Result } from "../lib/result.ts";
import { runProgram, type ProgramEnd } from "../lib/run-program.ts";
import { isStorable, serviceOf, type SecretItem } from "./secret-items.ts";
import type { SecretStore } from "./secret-store.ts";

export interface MacosKeychainParts {
  /** `/usr/bin/security`. */
  readonly command: string;
  /** The account of every item: the user's name. */
  readonly account: string;
  readonly env: Readonly<Record<string, string>>;
  /** How long one answer may take. */
  readonly waitMs: number;
}

/** errSecItemNotFound as an exit code. */
const NOT_FOUND = 44;

export function createMacosKeychain(parts: MacosKeychainParts): SecretStore {
  const { command, account, env, waitMs } = parts;
  const security = async (args: readonly string[], input?: string): Promise<ProgramEnd> =>
    runProgram({
      command,
      args,
      env,
      timeoutMs: waitMs,
      ...(input === undefined ? {} : { input }),
    });

  async function read(item: SecretItem): Promise<Result<string | null, string>> {
    const end = await security(["find-generic-password", "-a", account, "-s", serviceOf(item), "-w"]);
    if (end.kind === "ended" && end.exitCode === 0) return ok(end.stdout.replace(/\n$/, ""));
    return end.kind === "ended" && end.exitCode === NOT_FOUND ? ok(null) : fail(toProblem(end));
  }

  return {
    kind: "macos-keychain",
    title: "the macOS Keychain",
    read,
    async write(item, value) {
      if (!isStorable(value)) return fail("the value is not one line of plain text");
      const hex = Buffer.from(value, "utf8").toString("hex");
      const service = serviceOf(item);
      const words = ["add-generic-password", "-U", "-a", quoted(account), "-s", quoted(service)];
      const label = quoted(`codex-gpt-bridge: ${item.name}`);
      const end = await security(["-i"], `${[...words, "-l", label, "-X", hex].join(" ")}\n`);
      if (end.kind !== "ended") return fail(toProblem(end));
      // Whether a command failed is not seen in the exit code of `security -i`.
      const kept = await read(item);
      if (!kept.ok) return kept;
      return kept.value === value ? ok(null) : fail(`the Keychain did not keep it: ${toProblem(end)}`);
    },
    async remove(item) {
      const end = await security(["delete-generic-password", "-a", account, "-s", serviceOf(item)]);
      if (end.kind === "ended" && end.exitCode === 0) return ok(true);
      return end.kind === "ended" && end.exitCode === NOT_FOUND ? ok(false) : fail(toProblem(end));
    },
  };
}

/** A word for the command line of `security -i`. */
function quoted(word: string): string {
  return `"${word.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

function toProblem(end: ProgramEnd): string {
  switch (end.kind) {
    case "missing":
      return "the command `security` cannot be run";
    case "timeout":
      return "the Keychain did not answer; is it locked, or does it ask for permission on the screen?";
    case "ended":
      return (
        end.stderr
          .trim()
          .split("\n")
          .findLast((line) => line !== "") ?? `security ended with ${String(end.exitCode)}`
      );
  }
}
