/**
 * The text file for a bug report: what the checks found, which settings there are, the newest audit lines and how the
 * newest jobs ended. Of secrets it says only that they are set; addresses, prompts and answers are not in it.
 */
import { open } from "node:fs/promises";
import { platform, release } from "node:os";
import { resolve } from "node:path";
import { auditDirectoryOf } from "../audit/audit-directory.ts";
import { newestLines } from "../audit/log-end.ts";
import { createRedactor } from "../audit/redact.ts";
import type { Config, ConfigProblem } from "../config/load.ts";
import { settingNames } from "../config/settings.ts";
import type { CheckReport } from "../doctor/run-checks.ts";
import { openJobView } from "../jobs/sqlite/job-view.ts";
import type { Result } from "../lib/result.ts";
import { version } from "../lib/version.ts";
import { isSecretSetting } from "./doctor-secrets.ts";
import type { Terminal } from "./terminal.ts";

interface BundleParts {
  readonly config: Result<Config, readonly ConfigProblem[]>;
  readonly reports: readonly CheckReport[];
  readonly secrets: readonly string[];
}

const AUDIT_LINES = 50;
const JOBS = 20;
/** Where the bridge can be reached is nobody's business but the owner's. */
const ADDRESS = /url|hosts|hostname|domain|issuer|audience|subject|client|tunnel/i;
const OUR_VARIABLES = /^(CODEX|OPENAI|CONTROL_PLANE|MCP|NGROK|XDG|NO_COLOR|HTTPS?_PROXY|NO_PROXY)/i;

/** False where it could not be written; says so, and what was written. */
export async function writeBundle(terminal: Terminal, path: string, parts: BundleParts): Promise<boolean> {
  const { stderr } = terminal;
  const text = await toBundle(terminal, parts);
  const file = resolve(terminal.cwd, path);
  try {
    const handle = await open(file, "wx", 0o600);
    try {
      await handle.writeFile(text);
    } finally {
      await handle.close();
    }
  } catch (error) {
    const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
    const why = isThere ? "there is a file of that name; choose another" : String(error);
    stderr.write(`codex-gpt-bridge doctor: ${path} was not written: ${why}\n`);
    return false;
  }
  stderr.write(`Written: ${path}. It should hold no secret; read it before you send it.\n`);
  return true;
}

async function toBundle(
  { environment }: Terminal,
  { config, reports, secrets }: BundleParts,
): Promise<string> {
  const projects = config.ok ? config.value.projects : [];
  const { redactDeep } = createRedactor({
    secrets,
    roots: projects.map(({ name, path }) => ({ path, name })),
    ...(environment["HOME"] === undefined ? {} : { home: environment["HOME"] }),
  });
  const bundle = {
    about: "Report of codex-gpt-bridge doctor. Read it before you send it.",
    at: new Date().toISOString(),
    version,
    node: process.version,
    system: `${platform()} ${release()} ${process.arch}`,
    checks: reports,
    settings: config.ok ? settingsOf(config.value) : "not read: the configuration is wrong",
    variables: Object.keys(environment)
      .filter((name) => OUR_VARIABLES.test(name))
      .toSorted(),
    jobs: config.ok ? await jobsOf(config.value.stateDir) : [],
    audit: config.ok ? await auditOf(config.value.stateDir) : [],
  };
  return `${JSON.stringify(redactDeep(bundle), null, 2)}\n`;
}

function settingsOf(config: Config): Record<string, unknown> {
  const settings = settingNames.map((name) => {
    const value = config[name];
    const isHidden = isSecretSetting(name) || (name !== "tunnel" && ADDRESS.test(name));
    const isSet = typeof value === "string" || (Array.isArray(value) && value.length > 0);
    return [name, isHidden && isSet ? "set" : value] as const;
  });
  const projects = config.projects.map(({ name, write, secrets }) => ({ name, write, secrets }));
  // Where the projects lie is not needed, and their paths may tell names.
  return { ...Object.fromEntries(settings), root: undefined, roots: undefined, projects };
}

async function jobsOf(stateDir: string): Promise<unknown> {
  try {
    const view = openJobView(stateDir);
    if (view === null) return [];
    try {
      const jobs = await view.newest(JOBS);
      return jobs.map(({ jobId, tool, sandbox, state, createdAt, finishedAt, failure }) => ({
        jobId,
        tool,
        sandbox,
        state,
        at: new Date(createdAt).toISOString(),
        tookMs: finishedAt === null ? null : finishedAt - createdAt,
        failure: failure?.code ?? null,
      }));
    } finally {
      view.close();
    }
  } catch (error) {
    return `not read: ${String(error)}`;
  }
}

async function auditOf(stateDir: string): Promise<unknown> {
  try {
    const newest = await newestLines(auditDirectoryOf(stateDir), AUDIT_LINES);
    return newest.toReversed().map(({ line }) => withoutPrompt(line.entry));
  } catch (error) {
    return `not read: ${String(error)}`;
  }
}

/** `audit_prompts = full` keeps whole prompts in the log; here they are not wanted. */
function withoutPrompt(entry: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { prompt, ...rest } = entry;
  if (typeof prompt !== "object" || prompt === null) return rest;
  return { ...rest, prompt: "length" in prompt ? { length: prompt.length } : {} };
}
