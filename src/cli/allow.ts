/**
 * `codex-gpt-bridge allow`: the owner's exception for one file that the secret scan blocks. Shows what was found and
 * asks at the terminal, every time: there is no flag that answers. Never shows a secret, never makes an exception
 * for what the scan does not report.
 */
import { realpath } from "node:fs/promises";
import { userInfo } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import type { Config } from "../config/load.ts";
import type { Result } from "../lib/result.ts";
import { fail, ok } from "../lib/result.ts";
import { identifyDirectory, isInside, relativeToRoot } from "../workspace/directory.ts";
import {
  applyExceptions,
  hashContent,
  readExceptions,
  writeExceptions,
  type SecretException,
} from "../workspace/exceptions.ts";
import { FIRST_LOOK_MS } from "../workspace/workspace.ts";
import { scanProject, type ScanFinding } from "../workspace/scan.ts";
import { openCommandLine, toShown } from "./command-flags.ts";
import { exceptionsFileOf } from "./exceptions-file.ts";
import { DEFAULT_DAYS, parseExpiry } from "./expiry.ts";
import { loadConfigFor, printProblems, type Flags } from "./flags.ts";
import { createOwner, type Owner } from "./owner.ts";
import { EXIT_FAILED, EXIT_FINE, EXIT_USAGE, type Terminal } from "./terminal.ts";

const HELP = `Usage: codex-gpt-bridge allow <path> --reason <text> [--expires 30d|2027-01-31]
       codex-gpt-bridge allow --list
       codex-gpt-bridge allow <path> --remove

Lets Codex read one file although it looks like a secret: this path, with this
very content, until it expires (${DEFAULT_DAYS} days, unless you say otherwise; a year at
most). When the file changes, it blocks again. You are asked at the terminal;
nothing else can make an exception.

  --reason <text>   why this file is no secret; kept with the exception
  --expires <when>  a number of days, or the last day
  --list            show the exceptions, and which of them still hold
  --remove          take the exception for <path> back
The flags and variables that tell projects apart (--root, --roots, --config)
work here too.

Examples:
  codex-gpt-bridge allow test/fixtures/key.pem --reason "made for the tests"
  codex-gpt-bridge allow test/fixtures/key.pem --remove
  codex-gpt-bridge allow --list
`;

const OPTIONS = {
  reason: { type: "string" },
  expires: { type: "string" },
  list: { type: "boolean" },
  remove: { type: "boolean" },
} as const;

interface Root {
  readonly name: string;
  readonly path: string;
}

interface Work {
  readonly terminal: Terminal;
  readonly config: Config;
  readonly roots: readonly Root[];
  readonly file: string;
  readonly exceptions: readonly SecretException[];
  readonly owner: Owner;
  readonly now: number;
}

/** A file as the owner may have meant it. */
interface Candidate {
  readonly root: Root;
  readonly path: string;
}

export async function run(
  terminal: Terminal,
  argv: readonly string[],
  owner: Owner = createOwner(terminal),
): Promise<number> {
  const opened = openCommandLine(terminal, argv, OPTIONS, HELP);
  if (typeof opened === "number") return opened;
  const { flags, positionals } = opened;
  const [path, ...more] = positionals;
  const lists = flags["list"] === true;
  if (more.length > 0 || (path === undefined) !== lists || (lists && flags["remove"] === true)) {
    terminal.stderr.write(HELP);
    return EXIT_USAGE;
  }
  const config = await loadConfigFor(terminal, flags);
  if (!config.ok) {
    printProblems(terminal, config.failure);
    return EXIT_USAGE;
  }
  const roots = await identifyRoots(config.value);
  const file = exceptionsFileOf(config.value, terminal.environment);
  const exceptions = await readExceptions(
    file,
    roots.map((root) => root.path),
  );
  if (!exceptions.ok) return refuse(terminal, exceptions.failure, EXIT_USAGE);
  const now = Date.now();
  const work: Work = {
    terminal,
    config: config.value,
    roots,
    file,
    exceptions: exceptions.value,
    owner,
    now,
  };
  if (path === undefined) return list(work);
  return flags["remove"] === true ? remove(work, path) : make(work, path, flags);
}

async function make(work: Work, asked: string, flags: Flags): Promise<number> {
  const { terminal, owner, now } = work;
  const { reason, expires = `${DEFAULT_DAYS}d` } = flags;
  if (typeof reason !== "string" || !/^\P{Cc}{1,500}$/u.test(reason) || reason.trim() === "") {
    return refuse(terminal, "--reason has to say in one line why this file is no secret", EXIT_USAGE);
  }
  const expiresAt = parseExpiry(String(expires), now);
  if (!expiresAt.ok) return refuse(terminal, `--expires ${expiresAt.failure}`, EXIT_USAGE);
  const absence = owner.absence();
  if (absence !== null) return refuse(terminal, absence, EXIT_USAGE);

  const found = await findBlocking(work, asked);
  if (!found.ok) return refuse(terminal, found.failure, EXIT_FAILED);
  const { root, path, findings } = found.value;
  const sha256 = await hashContent(root.path, path);
  if (sha256 === null) {
    return refuse(terminal, "only a regular file of at most 64 MiB can have an exception", EXIT_FAILED);
  }
  const until = new Date(expiresAt.value).toISOString();
  terminal.stdout.write(
    `The scan blocks this file of project ${root.name}:
  path     ${toShown(path)}
  finding  ${findings.map(({ kind, reason: why }) => `${kind} (by its ${why})`).join(", ")}
  sha256   ${sha256}
With the exception, Codex may read it and ChatGPT may be shown what is in it:
  until    ${until.slice(0, 10)}, or until the file changes
  reason   ${reason}
`,
  );
  if (!(await owner.agrees("Make this exception? [y/N] "))) {
    return refuse(terminal, "nothing was changed", EXIT_FAILED);
  }
  const exception: SecretException = {
    root: root.path,
    path,
    kinds: [...new Set(findings.map(({ kind }) => kind))],
    sha256,
    reason,
    by: userName(terminal),
    madeAt: new Date(now).toISOString(),
    expiresAt: until,
  };
  return save(work, [...work.exceptions.filter((old) => !isFor(old, { root, path })), exception], "Made.");
}

async function remove(work: Work, asked: string): Promise<number> {
  const candidates = await toCandidates(work, asked);
  const left = work.exceptions.filter((old) => !candidates.some((candidate) => isFor(old, candidate)));
  const removed = work.exceptions.length - left.length;
  if (removed === 0) return refuse(work.terminal, "there is no exception for that file", EXIT_FAILED);
  return save(work, left, "Removed.");
}

async function save(
  { terminal, file }: Work,
  exceptions: readonly SecretException[],
  done: string,
): Promise<number> {
  try {
    await writeExceptions(file, exceptions);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return refuse(terminal, `the exceptions could not be kept: ${why}`, EXIT_FAILED);
  }
  terminal.stdout.write(`${done} The exceptions are kept in ${file}\n`);
  return EXIT_FINE;
}

async function list({ terminal, exceptions, roots, now }: Work): Promise<number> {
  if (exceptions.length === 0) terminal.stdout.write("There are no exceptions.\n");
  for (const exception of exceptions) {
    const { path, kinds, reason, by, expiresAt, root } = exception;
    const project = roots.find((candidate) => candidate.path === root)?.name ?? root;
    terminal.stdout.write(
      `${toShown(`${project}: ${path}`)}\n  ${await stateOf(exception, roots, now)}, ` +
        `${kinds.join(", ")}, until ${expiresAt.slice(0, 10)}\n  ${reason} (${by})\n`,
    );
  }
  return EXIT_FINE;
}

async function stateOf(exception: SecretException, roots: readonly Root[], now: number): Promise<string> {
  if (!roots.some(({ path }) => path === exception.root)) return "of no project";
  if (Date.parse(exception.expiresAt) <= now) return "expired";
  const [kind] = exception.kinds as [ScanFinding["kind"]];
  const finding: ScanFinding = { path: exception.path, kind, verdict: "block", reason: "name" };
  const blocking = await applyExceptions(exception.root, [finding], [exception], now);
  return blocking.length === 0 ? "holds" : "changed or gone";
}

/** The one file that is meant, and that a scan of its project blocks right now. */
async function findBlocking(
  work: Work,
  asked: string,
): Promise<Result<Candidate & { findings: readonly ScanFinding[] }, string>> {
  const candidates = await toCandidates(work, asked);
  if (candidates.length === 0) return fail("that file lies in no project of this configuration");
  const found = [];
  let unlooked: string | null = null;
  for (const root of new Set(candidates.map((candidate) => candidate.root))) {
    const report = await scanProject(root.path, { deadlineMs: FIRST_LOOK_MS, content: true });
    if (!report.complete) unlooked = report.incompleteReason ?? "unknown";
    for (const candidate of candidates.filter((other) => other.root === root)) {
      const findings = report.findings.filter(
        (one) => one.path === candidate.path && one.verdict === "block",
      );
      if (findings.length > 0) found.push({ ...candidate, findings });
    }
  }
  const [first, ...others] = found;
  if (first === undefined) {
    return fail(
      unlooked === null
        ? "the scan does not block that file; it needs no exception"
        : `the scan did not come to that file: ${unlooked}`,
    );
  }
  if (others.length > 0) return fail("more than one project has such a file; give its absolute path");
  if (first.findings.some(({ reason }) => reason === "link")) return fail("a link cannot have an exception");
  return ok(first);
}

/** Relative to where the owner is, or, as the log shows paths, to a project's root. The last part is never followed. */
async function toCandidates({ terminal, roots }: Work, asked: string): Promise<Candidate[]> {
  const candidates = new Map<string, Candidate>();
  for (const root of roots) {
    for (const base of [terminal.cwd, root.path]) {
      const wanted = resolve(base, asked);
      const parent = await realpath(dirname(wanted)).catch(() => dirname(wanted));
      const full = join(parent, basename(wanted));
      if (full === root.path || !isInside(root.path, full)) continue;
      candidates.set(`${root.path}\n${full}`, { root, path: relativeToRoot(root.path, full) });
    }
  }
  return [...candidates.values()];
}

async function identifyRoots(config: Config): Promise<Root[]> {
  const roots: Root[] = [];
  for (const { name, path } of config.projects) {
    const directory = await identifyDirectory(path);
    if (directory !== null) roots.push({ name, path: directory.path });
  }
  return roots;
}

function isFor(exception: SecretException, { root, path }: Candidate): boolean {
  return exception.root === root.path && exception.path === path;
}

function userName({ environment }: Terminal): string {
  try {
    return userInfo().username;
  } catch {
    return environment["USER"] ?? "unknown"; // a user that the system has no entry for
  }
}

function refuse(terminal: Terminal, why: string, code: number): number {
  terminal.stderr.write(`codex-gpt-bridge allow: ${toShown(why)}\n`);
  return code;
}
