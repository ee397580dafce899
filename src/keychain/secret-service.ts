/**
 * The Secret Service of a Linux desktop (GNOME Keyring, KWallet, KeePassXC) through `secret-tool` of libsecret. A value
 * goes in on stdin and comes back on stdout; among the arguments are names alone.
 */
import { fail, ok, type Result } from "../lib/result.ts";
import { runProgram, type ProgramEnd } from "../lib/run-program.ts";
import { isStorable, serviceOf, type SecretItem } from "./secret-items.ts";
import type { SecretStore } from "./secret-store.ts";

export interface SecretServiceParts {
  /** Absolute path of `secret-tool`. */
  readonly command: string;
  readonly account: string;
  /** What it takes to reach the session's bus. */
  readonly env: Readonly<Record<string, string>>;
  /** How long one answer may take. */
  readonly waitMs: number;
}

export function createSecretService(parts: SecretServiceParts): SecretStore {
  const { command, account, env, waitMs } = parts;
  const attributes = (item: SecretItem): string[] => ["service", serviceOf(item), "account", account];
  const secretTool = async (args: readonly string[], input = ""): Promise<ProgramEnd> =>
    runProgram({ command, args, env, input, timeoutMs: waitMs });

  async function read(item: SecretItem): Promise<Result<string | null, string>> {
    const end = await secretTool(["lookup", ...attributes(item)]);
    if (end.kind === "ended" && end.exitCode === 0) return ok(end.stdout.replace(/\n$/, ""));
    // It says nothing when there is no such item, and why when it could not look.
    return isSilent(end) ? ok(null) : fail(toProblem(end));
  }

  return {
    kind: "secret-service",
    title: "the keyring of your desktop (Secret Service)",
    read,
    async write(item, value) {
      if (!isStorable(value)) return fail("the value is not one line of plain text");
      const label = `--label=codex-gpt-bridge: ${item.name}`;
      const end = await secretTool(["store", label, ...attributes(item)], value);
      if (end.kind !== "ended" || end.exitCode !== 0) return fail(toProblem(end));
      const kept = await read(item);
      if (!kept.ok) return kept;
      return kept.value === value ? ok(null) : fail("the keyring did not keep it");
    },
    async remove(item) {
      const end = await secretTool(["clear", ...attributes(item)]);
      if (end.kind === "ended" && end.exitCode === 0) return ok(true);
      return isSilent(end) ? ok(false) : fail(toProblem(end));
    },
  };
}

function isSilent(end: ProgramEnd): boolean {
  return end.kind === "ended" && end.exitCode === 1 && end.stderr.trim() === "";
}

function toProblem(end: ProgramEnd): string {
  switch (end.kind) {
    case "missing":
      return "the command `secret-tool` cannot be run";
    case "timeout":
      return "the keyring did not answer; is it locked?";
    case "ended":
      return end.stderr.trim().split("\n")[0] ?? `secret-tool ended with ${String(end.exitCode)}`;
  }
}
