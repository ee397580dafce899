/** A job as its owner reads it: a row of 79 columns, a page, a line of its story, a line of its progress. Pure. */
import { toChangesNote } from "../jobs/changes-note.ts";
import { isFinal, JOB_ID_LENGTH, type JobEvent, type JobRecord } from "../jobs/job.ts";
import { toShown } from "./command-flags.ts";
import { toTableLine } from "./table.ts";

/** With the spaces between them, one less than 80. */
const COLUMNS = [
  ["job", JOB_ID_LENGTH],
  ["state", 9],
  ["tool", 11],
  ["project", 13],
  ["begun (UTC)", 14],
  ["took", 6],
] as const;
const WIDTHS = COLUMNS.map(([, width]) => width);

export function toTable(jobs: readonly JobRecord[], now: number): string {
  const rows = jobs.map((job) => [
    job.jobId,
    job.state,
    job.tool,
    job.project,
    toTime(job.createdAt),
    toDuration(elapsed(job, now)),
  ]);
  return [COLUMNS.map(([heading]) => heading), ...rows].map((row) => toTableLine(row, WIDTHS)).join("");
}

export function toPage(job: JobRecord, events: readonly JobEvent[], now: number): string {
  const { progress, usage, failure } = job;
  const facts: (readonly [string, string])[] = [
    ["job", job.jobId],
    ["state", failure === null ? job.state : `${job.state}: ${toReason(job)}`],
    ["tool", `${job.tool} (${job.sandbox}) in ${job.project}`],
    ["caller", job.caller],
    ["begun", `${new Date(job.createdAt).toISOString()}, took ${toDuration(elapsed(job, now))}`],
    ["thread", job.threadId ?? "none"],
    ["progress", `${progress.phase}, ${counted(progress.commands, "command")}`],
    ["tokens", usage === null ? "not known" : `${usage.inputTokens} in, ${usage.outputTokens} out`],
  ];
  const lines = facts.map(([name, value]) => `${name.padEnd(9)} ${toShown(value)}`);
  const changes = job.changes.map(({ path, kind, additions, deletions }) =>
    toShown(`  ${kind.padEnd(6)} ${path} (+${additions ?? "?"} -${deletions ?? "?"})`),
  );
  if (changes.length > 0) lines.push("", "changes", ...changes);
  const note = toChangesNote(job);
  if (note !== null) lines.push("", note);
  if (events.length > 0) lines.push("", "story", ...events.map((event) => `  ${toStory(event)}`));
  if (job.answer !== null) lines.push("", "answer", ...job.answer.split("\n").map(toShown));
  return `${lines.join("\n")}\n`;
}

export function toStory({ at, text }: JobEvent): string {
  return `${toTime(at).slice(6)} ${toShown(text)}`;
}

/** One line for a terminal that is this wide. */
export function toProgressLine(job: JobRecord, now: number, columns: number): string {
  const { phase, commands, filesChanged, lastEvent } = job.progress;
  const counts = `${counted(commands, "command")}, ${counted(filesChanged, "file")} changed`;
  const line = `${toDuration(elapsed(job, now))} ${isFinal(job.state) ? job.state : phase}, ${counts}`;
  const text = toShown(lastEvent === null ? line : `${line}: ${lastEvent}`);
  return text.length < columns ? text : `${text.slice(0, Math.max(0, columns - 2))}…`;
}

/** Why it ended badly, in one line. */
export function toReason({ failure }: JobRecord): string {
  if (failure === null) return "";
  const detail = "message" in failure ? failure.message : "reason" in failure ? failure.reason : null;
  return detail === null ? failure.code : `${failure.code} (${detail})`;
}

function elapsed(job: JobRecord, now: number): number {
  return Math.max(0, (job.finishedAt ?? now) - job.createdAt);
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function toTime(ms: number): string {
  return new Date(ms).toISOString().slice(5, 19).replace("T", " ");
}

function toDuration(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 600) return `${seconds}s`;
  return seconds < 36_000 ? `${Math.floor(seconds / 60)}min` : `${Math.floor(seconds / 3_600)}h`;
}
