/**
 * `codex-gpt-bridge token`: the owner's tokens for callers. Works beside a running bridge, which heeds every change at
 * its next request. Shows a token once, on stdout alone, when it is made.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config/load.ts";
import { scopeNames, type Scope } from "../auth/caller.ts";
import { isLive, makeToken, REMEMBERED_MS } from "../auth/created-token.ts";
import { createTokenReader, openTokenStore, type StoredToken, type TokenStore } from "../auth/token-store.ts";
import { NO_PROJECT, openCommandLine, refuseWord, toShown } from "./command-flags.ts";
import { DEFAULT_DAYS, parseExpiry } from "./expiry.ts";
import { loadConfigFor, printProblems, type Flags } from "./flags.ts";
import { makeStateDirectory } from "./state-lock.ts";
import { EXIT_FAILED, EXIT_FINE, EXIT_USAGE, type Terminal } from "./terminal.ts";

const HELP = `Usage: codex-gpt-bridge token create --name <name> [--scope read|write]
                                     [--expires 30d|2027-01-31]
       codex-gpt-bridge token list [--json]
       codex-gpt-bridge token revoke <name or id>

create   makes a token and prints it, this once; only its hash is kept
list     all tokens: scope, end, last use
revoke   takes a token back; once this says so, a running bridge refuses it

  --scope <scope>   read: ask, and see the jobs that it started; write: also
                    codex_run (default: read)
  --expires <when>  a number of days, or the last day (default: ${DEFAULT_DAYS} days,
                    at most a year)
Each token is a caller of its own: it sees its own jobs and threads, and nobody
else's.

Examples:
  codex-gpt-bridge token create --name laptop --scope write
  codex-gpt-bridge token list
  codex-gpt-bridge token revoke laptop
`;

const OPTIONS = {
  name: { type: "string" },
  scope: { type: "string" },
  expires: { type: "string" },
  json: { type: "boolean" },
} as const;

const NAME = /^[\w][\w .@-]{0,63}$/;

export async function run(terminal: Terminal, argv: readonly string[]): Promise<number> {
  const opened = openCommandLine(terminal, argv, OPTIONS, HELP);
  if (typeof opened === "number") return opened;
  const { flags, positionals } = opened;
  const [action = "", which, ...more] = positionals;
  const isUnderstood = action === "revoke" ? which !== undefined : which === undefined;
  if (!["create", "list", "revoke"].includes(action) || !isUnderstood || more.length > 0) {
    return refuseWord(terminal, HELP, ["create", "list", "revoke"], positionals[0]);
  }
  // Tokens belong to the state directory: no project is needed.
  const config = await loadConfigFor(terminal, { ...flags, roots: NO_PROJECT });
  if (!config.ok) {
    printProblems(terminal, config.failure);
    return EXIT_USAGE;
  }
  try {
    if (action === "create") return await create(terminal, config.value, flags);
    if (action === "list") return list(terminal, config.value, flags["json"] === true);
    return await revoke(terminal, config.value, which ?? "");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return refuse(terminal, `the tokens cannot be used: ${why}`, EXIT_FAILED);
  }
}

async function create(terminal: Terminal, config: Config, flags: Flags): Promise<number> {
  const now = Date.now();
  const { name, scope: asked = "read", expires = `${DEFAULT_DAYS}d` } = flags;
  if (typeof name !== "string" || !NAME.test(name)) {
    return refuse(
      terminal,
      "--name has to say whose token it is, in at most 64 letters and digits",
      EXIT_USAGE,
    );
  }
  const scope = scopeNames.find((known) => known === asked);
  if (scope === undefined)
    return refuse(terminal, `--scope has to be ${scopeNames.join(" or ")}`, EXIT_USAGE);
  const expiresAt = parseExpiry(String(expires), now);
  if (!expiresAt.ok) return refuse(terminal, `--expires ${expiresAt.failure}`, EXIT_USAGE);
  const made = await makeStateDirectory(config.stateDir);
  if (!made.ok) return refuse(terminal, made.failure, EXIT_FAILED);

  const { text, stored } = makeToken({ name, scope, expiresAt: expiresAt.value }, now);
  const store = openTokenStore(config.stateDir);
  const added = store.add(stored);
  store.close();
  if (!added.ok) {
    return refuse(
      terminal,
      `there is a token "${name}" already; revoke it first, or choose another name`,
      EXIT_FAILED,
    );
  }
  terminal.stdout.write(
    flags["json"] === true ? `${JSON.stringify({ ...toListed(stored, now), token: text })}\n` : `${text}\n`,
  );
  terminal.stderr.write(
    `Token "${name}" (${meaning(scope)}) holds until ${toDay(expiresAt.value)}. It is not shown again.\n` +
      "Callers send it as: Authorization: Bearer <token>\n",
  );
  return EXIT_FINE;
}

function list(terminal: Terminal, config: Config, asJson: boolean): number {
  const now = Date.now();
  const tokens = withStore(config, (store) => store.list()) ?? [];
  if (asJson) for (const token of tokens) terminal.stdout.write(`${JSON.stringify(toListed(token, now))}\n`);
  else if (tokens.length === 0) terminal.stdout.write("There are no tokens yet.\n");
  else terminal.stdout.write(toTable(tokens, now));
  return EXIT_FINE;
}

async function revoke(terminal: Terminal, config: Config, which: string): Promise<number> {
  const revoked = withStore(config, (store) => store.revoke(which, Date.now()));
  if (revoked === null)
    return refuse(terminal, "there is no such token, or it was revoked before", EXIT_FAILED);
  // A running bridge may have looked just before: what is said here is true when it is said.
  await sleep(2 * REMEMBERED_MS);
  terminal.stdout.write(`Token "${revoked.name}" (${revoked.tokenId}) lets nobody in any more.\n`);
  return EXIT_FINE;
}

/** Null where no token was ever made. */
function withStore<T>({ stateDir }: Config, use: (store: TokenStore) => T): T | null {
  const reader = createTokenReader(stateDir);
  try {
    const store = reader.store();
    return store === null ? null : use(store);
  } finally {
    reader.close();
  }
}

function toListed(token: StoredToken, now: number) {
  const { tokenId, name, scope, createdAt, expiresAt, lastUsedAt } = token;
  return {
    id: tokenId,
    name,
    scope,
    state: stateOf(token, now),
    createdAt: new Date(createdAt).toISOString(),
    expiresAt: new Date(expiresAt).toISOString(),
    lastUsedAt: lastUsedAt === null ? null : new Date(lastUsedAt).toISOString(),
  };
}

function toTable(tokens: readonly StoredToken[], now: number): string {
  const rows = [
    ["name", "id", "scope", "state", "until", "last used"],
    ...tokens.map((token) => [
      toShown(token.name),
      token.tokenId,
      token.scope,
      stateOf(token, now),
      toDay(token.expiresAt),
      token.lastUsedAt === null
        ? "never"
        : new Date(token.lastUsedAt).toISOString().slice(0, 16).replace("T", " "),
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

function stateOf(token: StoredToken, now: number): string {
  if (isLive(token, now)) return "holds";
  return token.revokedAt === null ? "expired" : "revoked";
}

function meaning(scope: Scope): string {
  return scope === "write" ? "read and write" : "read only";
}

function toDay(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

function refuse(terminal: Terminal, why: string, code: number): number {
  terminal.stderr.write(`codex-gpt-bridge token: ${toShown(why)}\n`);
  return code;
}
