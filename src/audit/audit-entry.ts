/**
 * What the audit log keeps: the entries as the rooms report them, and the one way from there to a stored line's
 * fields. Here every string passes the redactor, and a prompt becomes a hash and a length. Never keeps an answer.
 */
import { hash } from "node:crypto";
import type { Usage } from "../codex/events.ts";
import type { JobRecord } from "../jobs/job.ts";

/** One call that reached the bridge, accepted or refused. */
export interface CallEntry {
  readonly type: "call";
  readonly requestId: string;
  /** null where the call was refused before its caller was known. */
  readonly subject: string | null;
  readonly via: string | null;
  /** null: none, or none that exists. */
  readonly tool: string | null;
  /** Only for a call that the HTTP room answered itself. */
  readonly http: { readonly method: string; readonly path: string; readonly status: number } | null;
  /** "answered", "unknown_tool", or the code of the refusal. */
  readonly outcome: string;
  readonly project: string | null;
  readonly sandbox: string | null;
  readonly jobId: string | null;
  readonly threadId: string | null;
  /** The client's own name for the conversation; stored as a hash. */
  readonly conversation: string | null;
  /** Stored as a hash and a length; the text only where the owner asked for it. */
  readonly prompt: string | null;
  readonly durationMs: number | null;
  /** How many secrets were taken out of the answer. */
  readonly redactions: number;
}

/** One job's end. */
export interface JobEntry {
  readonly type: "job";
  readonly jobId: string;
  readonly subject: string;
  readonly tool: string;
  readonly project: string;
  readonly sandbox: string;
  readonly threadId: string | null;
  readonly state: string;
  /** Code of the failure. */
  readonly failure: string | null;
  readonly durationMs: number | null;
  readonly usage: Usage | null;
  readonly changedFiles: number;
  readonly commands: number;
}

/** What the owner said to a client that asked to be let in. */
export interface SignInEntry {
  readonly type: "sign_in";
  readonly requestId: string;
  readonly outcome: "granted" | "denied" | "wrong_passcode" | "too_many_attempts";
  readonly clientId: string;
  readonly scopes: readonly string[];
}

/** One call of `codex-chatgpt-mcp`, in a log of its own. */
export interface AskEntry {
  readonly type: "ask";
  /** null: none that exists. */
  readonly tool: string | null;
  /** Status of the answer, or the code of the failure. */
  readonly outcome: string;
  readonly model: string | null;
  readonly effort: string | null;
  readonly background: boolean;
  readonly responseId: string | null;
  /** OpenAI's. */
  readonly requestId: string | null;
  /** Stored as a hash and a length; the text only where the owner asked for it. */
  readonly prompt: string | null;
  /** How many were sent along. */
  readonly files: number;
  readonly usage: Usage | null;
  readonly costUsd: number | null;
  readonly durationMs: number;
  readonly redactions: number;
}

export type AuditEntry =
  | CallEntry
  | JobEntry
  | SignInEntry
  | AskEntry
  | { readonly type: "start"; readonly version: string; readonly projects: readonly string[] }
  | { readonly type: "stop" };

/** What the log says about itself. */
export type LogEntry =
  /** A line that a crash cut off; it was taken out of the file and stands here, as far as it is readable. */
  | { readonly type: "torn"; readonly bytes: number; readonly text: string }
  /** Entries that could not be kept while writing failed. */
  | { readonly type: "lost"; readonly count: number; readonly from: string; readonly to: string }
  /** A file that was old enough to go: its last line, so that the first line still there can be told to be the next. */
  | { readonly type: "pruned"; readonly file: string; readonly upToSeq: number; readonly upToHash: string };

/** A request to /mcp that was no tool call: refused before it became one, or a message of the protocol itself. */
export function toRequestEntry(request: {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly caller: { readonly subject: string; readonly via: string } | null;
  readonly reason?: string;
}): CallEntry {
  const { requestId, method, path, status, caller, reason } = request;
  return {
    type: "call",
    requestId,
    subject: caller?.subject ?? null,
    via: caller?.via ?? null,
    tool: null,
    http: { method, path, status },
    outcome: reason ?? "answered",
    project: null,
    sandbox: null,
    jobId: null,
    threadId: null,
    conversation: null,
    prompt: null,
    durationMs: null,
    redactions: 0,
  };
}

export interface EntryRules {
  readonly redact: (text: string) => string;
  readonly prompts: "hash" | "full";
}

const MAX_CHARACTERS = 512;
/** Nothing in a line may steer the terminal that shows it, or turn its text around. */
const STEERING = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu;

/** An entry as it is stored; a line adds its place in the chain. */
export type StoredEntry = Readonly<Record<string, unknown>>;

/** Never throws. `at` is ISO 8601. */
export function toStoredEntry(entry: AuditEntry, at: string, rules: EntryRules): StoredEntry {
  const { type, ...rest } = entry;
  const stored: Record<string, unknown> = { ts: at, type };
  for (const [name, value] of Object.entries(rest)) stored[name] = toStored(name, value, rules);
  return stored;
}

/** The log's own words need no redaction, save what it found in its file. */
export function toStoredNote(note: LogEntry, at: string, rules: EntryRules): StoredEntry {
  if (note.type !== "torn") return { ts: at, ...note };
  return { ts: at, ...note, text: shorten(redacted(note.text, rules)) };
}

/** A JSON object's text without its braces. */
export function toFields(stored: StoredEntry): string {
  return JSON.stringify(stored).slice(1, -1);
}

function toStored(name: string, value: unknown, rules: EntryRules): unknown {
  if (typeof value === "string") {
    if (name === "prompt") return toStoredPrompt(value, rules);
    if (name === "conversation") return hash("sha256", value);
    return shorten(redacted(value, rules));
  }
  if (Array.isArray(value)) return value.slice(0, 64).map((part) => toStored("", part, rules));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, part]) => [key, toStored("", part, rules)] as const),
    );
  }
  return value;
}

function toStoredPrompt(prompt: string, rules: EntryRules): Record<string, unknown> {
  const stored = { sha256: hash("sha256", prompt), length: prompt.length };
  return rules.prompts === "full" ? { ...stored, text: redacted(prompt, rules) } : stored;
}

/** A redactor that fails lets nothing through. */
function redacted(text: string, { redact }: EntryRules): string {
  try {
    return redact(text);
  } catch {
    return "[redacted:error]";
  }
}

function shorten(text: string): string {
  const cut = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS - 1)}…` : text;
  return cut.toWellFormed().replaceAll(STEERING, "\uFFFD");
}

/** For a job that has ended. */
export function toJobEntry(job: JobRecord): JobEntry {
  const { jobId, caller, tool, project, sandbox, threadId, state, usage } = job;
  return {
    type: "job",
    jobId,
    subject: caller,
    tool,
    project,
    sandbox,
    threadId,
    state,
    failure: job.failure?.code ?? null,
    durationMs: job.finishedAt === null ? null : job.finishedAt - job.createdAt,
    usage,
    changedFiles: job.changes.length,
    commands: job.progress.commands,
  };
}
