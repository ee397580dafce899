/**
 * Searches what a process of ours wrote for the credentials that the tests of this file know: its streams, what it
 * answered, and every file of its directories as raw bytes (SQLite and its WAL too). Says where a value lies and what
 * it is, never the value. The support code that starts processes calls it when they have ended.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { secretItems } from "../../src/keychain/secret-items.ts";

export interface Written {
  /** What this process is, for the message. */
  readonly process: string;
  /** By name: stdout, stderr, the answer of a tool. */
  readonly texts: Readonly<Record<string, string>>;
  /** Those that are not there are left out. */
  readonly directories?: readonly string[];
  /** Names of texts where the owner asked for a credential to be shown. */
  readonly shown?: readonly string[];
}

/** Shorter ones are no credentials, and stand in texts by chance. */
const SHORTEST = 12;

/** By value. Vitest loads this module once for each test file, so each file searches for what it has seen itself. */
const known = new Map<string, { readonly name: string; readonly spellings: ReadonlyMap<string, Buffer> }>();

export function noteCredential(name: string, value: string | undefined): void {
  if (value === undefined || value.length < SHORTEST || known.has(value)) return;
  known.set(value, { name, spellings: spellingsOf(value) });
}

/** The tunnel's id is no secret among the kept ones: its own log has it. */
const KEPT = Object.values(secretItems).filter(({ name }) => name !== "control-plane-tunnel-id");
const FLAGS = [...KEPT.map(({ variable }) => variable), "CODEX_GPT_BRIDGE_OAUTH_CLIENT_SECRET"].flatMap(
  (variable) => {
    const setting = /^CODEX_GPT_BRIDGE_(\w+)$/.exec(variable)?.[1];
    return setting === undefined ? [] : [`--${setting.toLowerCase().replaceAll("_", "-")}`];
  },
);
const SETTING = /^(\w+) = "(.+)"$/gm;
const VARIABLE = /(?:KEY|TOKEN|SECRET|PASSCODE|PASSWORD)$/;

/** Notes what this environment, these arguments and the config file that they name give to a process. */
export function noteGiven(argv: readonly string[], env: Readonly<Record<string, string>>): void {
  const config = argumentOf(argv, "--config") ?? env["CODEX_GPT_BRIDGE_CONFIG"];
  if (config !== undefined && existsSync(config)) {
    for (const [, setting = "", value] of readFileSync(config, "utf8").matchAll(SETTING))
      if (FLAGS.includes(`--${setting.replaceAll("_", "-")}`)) noteCredential(setting, value);
  }
  for (const [name, value] of Object.entries(env)) if (VARIABLE.test(name)) noteCredential(name, value);
  for (const flag of FLAGS) noteCredential(flag, argumentOf(argv, flag));
}

/** `--flag value` or `--flag=value`. */
export function argumentOf(argv: readonly string[], flag: string): string | undefined {
  const at = argv.indexOf(flag);
  return at >= 0
    ? argv[at + 1]
    : argv.find((argument) => argument.startsWith(`${flag}=`))?.slice(flag.length + 1);
}

/** Notes a token that a bridge has made; its last part alone gives it away too. */
export function noteMadeToken(stdout: string): void {
  for (const [token, secret] of stdout.matchAll(/\bcgb_[A-Za-z0-9]+_([A-Za-z0-9]+)/g)) {
    noteCredential("a created token", token);
    noteCredential("the secret part of a created token", secret);
  }
}

/** Of a process that has been started and will be searched. */
export function countStart(): void {
  count({ started: 1 });
}

/** Throws where anything was found. Once for each process, at its end, while its directories are still there. */
export async function searchWritten(written: Written): Promise<void> {
  const { texts, directories = [], shown = [] } = written;
  const found: string[] = [];
  let bytes = 0;
  let files = 0;
  for (const [name, text] of Object.entries(texts)) {
    bytes += text.length;
    if (!shown.includes(name)) found.push(...findIn(name, Buffer.from(text)));
  }
  for (const directory of new Set(directories)) {
    for (const path of await filesBelow(directory)) {
      const content = await readFile(path).catch(() => null); // gone since it was listed, or a socket
      if (content === null || (await isSecretsFile(path))) continue;
      files += 1;
      bytes += content.length;
      found.push(...findIn(path.slice(directory.length + 1), content));
    }
  }
  count({ ended: 1, files, bytes, values: known.size });
  complain(written.process, found);
}

/** At once, for what a process answers while it runs. */
export function searchAnswer(what: string, answer: unknown): void {
  const text = Buffer.from(typeof answer === "string" ? answer : (JSON.stringify(answer) ?? ""));
  count({ answers: 1, bytes: text.length });
  complain(what, findIn("its answer", text));
}

/** For a test that has its own places to look at: what of the known credentials stands where. Files may be latin1. */
export function leaksIn(texts: Readonly<Record<string, string>>): string[] {
  const found = new Set<string>();
  for (const [name, text] of Object.entries(texts)) {
    for (const encoding of ["utf8", "latin1"] as const)
      for (const line of findIn(name, Buffer.from(text, encoding))) found.add(line);
  }
  return [...found];
}

/** What of `known` stands in there, as words for the message. */
function findIn(place: string, content: Buffer): string[] {
  const found: string[] = [];
  for (const { name, spellings } of known.values()) {
    for (const [spelling, bytes] of spellings) {
      if (content.includes(bytes)) found.push(`${name} (${spelling}) in ${place}`);
    }
  }
  return found;
}

function complain(process: string, found: readonly string[]): void {
  if (found.length > 0) throw new Error(`credentials leaked, ${process}: ${[...new Set(found)].join("; ")}`);
}

function spellingsOf(value: string): Map<string, Buffer> {
  const spellings = new Map<string, Buffer>();
  const add = (name: string, text: string): void => {
    const isNew = ![...spellings.values()].some((other) => other.equals(Buffer.from(text)));
    if (isNew) spellings.set(name, Buffer.from(text));
  };
  add("plain", value);
  add("as JSON", JSON.stringify(value).slice(1, -1));
  add("percent-encoded", encodeURIComponent(value));
  add("as a form field", new URLSearchParams({ "": value }).toString().slice(1));
  add("hex", Buffer.from(value).toString("hex"));
  // Wherever it begins in what was encoded; the characters that its neighbours share are left out.
  for (const before of [0, 1, 2]) {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(value)]);
    const whole = bytes.subarray(0, bytes.length - (bytes.length % 3)).toString("base64");
    const own = whole.slice(before === 0 ? 0 : 4);
    add(`base64, ${before}`, own);
    add(`base64url, ${before}`, own.replaceAll("+", "-").replaceAll("/", "_"));
  }
  return spellings;
}

/** Where credentials are kept on purpose: that file, in that directory, closed to everybody else. */
async function isSecretsFile(path: string): Promise<boolean> {
  if (basename(path) !== "secrets.json" || basename(dirname(path)) !== "codex-gpt-bridge") return false;
  return ((await stat(path)).mode & 0o777) === 0o600;
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
      throw error;
    },
  );
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}

export interface LeakCount {
  readonly started: number;
  readonly ended: number;
  readonly answers: number;
  readonly files: number;
  readonly bytes: number;
  readonly values: number;
}

/** A line for each, in a file that the whole run shares: leak-count.ts adds them up. */
function count(part: Partial<LeakCount>): void {
  const path = process.env["LEAK_COUNT_FILE"];
  if (path !== undefined) appendFileSync(path, `${JSON.stringify(part)}\n`);
}
