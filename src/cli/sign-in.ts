/** `codex-gpt-bridge sign-in`: the owner's passcode, and who was let in with it. Works while the bridge runs; never starts one. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { Config } from "../config/load.ts";
import { NO_PROJECT, openCommandLine, refuseWord, toShown } from "./command-flags.ts";
import { loadConfigFor, printProblems } from "./flags.ts";
import { createOwner, type Owner } from "./owner.ts";
import { makeStateDirectory } from "./state-lock.ts";
import { EXIT_FAILED, EXIT_FINE, EXIT_USAGE, type Terminal } from "./terminal.ts";

const HELP = `Usage: codex-gpt-bridge sign-in passcode
       codex-gpt-bridge sign-in list [--json]
       codex-gpt-bridge sign-in end <id> | --all

passcode   makes a new passcode and shows it, at a terminal only; you type it
           in the browser when ChatGPT connects
list       the clients that you have let in
end        ends a client's sign-in at once; its tokens count no more

Examples:
  codex-gpt-bridge sign-in passcode
  codex-gpt-bridge sign-in list
  codex-gpt-bridge sign-in end --all
`;

const OPTIONS = { json: { type: "boolean" }, all: { type: "boolean" } } as const;

export async function run(
  terminal: Terminal,
  argv: readonly string[],
  owner: Pick<Owner, "absence"> = createOwner(terminal),
): Promise<number> {
  const opened = openCommandLine(terminal, argv, OPTIONS, HELP);
  if (typeof opened === "number") return opened;
  const { flags, positionals } = opened;
  const [action, signInId, ...more] = positionals;
  const isAll = flags["all"] === true;
  const needsId = action === "end" && !isAll;
  const isKnown = action === "passcode" || action === "list" || action === "end";
  if (!isKnown || more.length > 0 || (signInId !== undefined) !== needsId) {
    return refuseWord(terminal, HELP, ["passcode", "list", "end"], action);
  }
  const loaded = await loadConfigFor(terminal, { ...flags, roots: NO_PROJECT });
  if (!loaded.ok) {
    printProblems(terminal, loaded.failure);
    return EXIT_USAGE;
  }
  const config = loaded.value;
  const why = action === "passcode" ? whyNoPasscode(owner, config) : null;
  if (why !== null) {
    terminal.stderr.write(`codex-gpt-bridge sign-in: no passcode was made: ${why}\n`);
    return EXIT_FAILED;
  }
  return withDatabase(terminal, config, action === "passcode", async (sql) => {
    if (action === "passcode") return showNewPasscode(terminal, sql);
    if (action === "list") return list(terminal, sql, flags["json"] === true);
    return end(terminal, sql, isAll ? null : (signInId ?? ""));
  });
}

function whyNoPasscode(owner: Pick<Owner, "absence">, { oauthPasscode }: Config): string | null {
  return oauthPasscode === undefined ? owner.absence() : "you have set your own (oauth_passcode)";
}

async function showNewPasscode({ stdout }: Terminal, sql: DatabaseSync): Promise<number> {
  const { makePasscode } = await import("../auth/oauth/passcode.ts");
  stdout.write(`${await makePasscode(sql)}\n`);
  return EXIT_FINE;
}

async function list({ stdout }: Terminal, sql: DatabaseSync, asJson: boolean): Promise<number> {
  const { listSignIns } = await import("../auth/oauth/grants.ts");
  const signIns = listSignIns(sql, Date.now());
  if (asJson) stdout.write(`${JSON.stringify(signIns)}\n`);
  else if (signIns.length === 0) stdout.write("Nobody has signed in.\n");
  for (const { signInId, since, scopes, clientId } of asJson ? [] : signIns) {
    stdout.write(`${signInId}  ${since}  ${scopes.join(" ").padEnd(10)}  ${toShown(clientId)}\n`);
  }
  return EXIT_FINE;
}

async function end(
  { stdout, stderr }: Terminal,
  sql: DatabaseSync,
  signInId: string | null,
): Promise<number> {
  const { endSignIns } = await import("../auth/oauth/grants.ts");
  const ended = endSignIns(sql, signInId);
  if (ended === 0 && signInId !== null) {
    stderr.write("codex-gpt-bridge sign-in: there is no such sign-in; see: codex-gpt-bridge sign-in list\n");
    return EXIT_FAILED;
  }
  stdout.write(`${ended} ended.\n`);
  return EXIT_FINE;
}

/** The bridge may be running: each of these is one short write. */
async function withDatabase(
  terminal: Terminal,
  { stateDir }: Config,
  mayMake: boolean,
  work: (sql: DatabaseSync) => Promise<number>,
): Promise<number> {
  const { openOAuthDatabase, OAUTH_DATABASE_FILE } = await import("../auth/oauth/database.ts");
  const file = await stat(join(stateDir, OAUTH_DATABASE_FILE)).catch(() => null);
  const refuse = (why: string): number => {
    terminal.stderr.write(`codex-gpt-bridge sign-in: ${why}\n`);
    return EXIT_FAILED;
  };
  if (file === null && mayMake) {
    const made = await makeStateDirectory(stateDir);
    if (!made.ok) return refuse(made.failure);
  }
  const opened = openOAuthDatabase(file === null && !mayMake ? null : stateDir, Date.now());
  if (!opened.ok) return refuse(opened.failure);
  try {
    return await work(opened.value.sql);
  } finally {
    opened.value.sql.close();
  }
}
