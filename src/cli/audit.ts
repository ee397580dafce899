/** `codex-gpt-bridge audit`: the newest lines of the audit log, and whether every line of it is in its place. Only reads. */
import { newestLines } from "../audit/log-end.ts";
import { askAuditDirectoryOf, auditDirectoryOf } from "../audit/audit-directory.ts";
import { verifyLog, type BreakReason, type VerifyReport } from "../audit/verify-log.ts";
import { JOB_ID_LENGTH } from "../jobs/job.ts";
import { NO_PROJECT, openCommandLine, refuseWord, toShown } from "./command-flags.ts";
import { toTableLine } from "./table.ts";
import { loadConfigFor, printProblems } from "./flags.ts";
import { EXIT_FAILED, EXIT_FINE, EXIT_USAGE, type Terminal } from "./terminal.ts";

const HELP = `Usage: codex-gpt-bridge audit tail [-n <lines>] [--json]
       codex-gpt-bridge audit verify [--json]

tail     the newest calls and jobs, oldest first (20, unless you say otherwise);
         --json: the lines as they are kept
verify   whether every line is as it was written and in its place; names the
         first that is not (exit 1)

Examples:
  codex-gpt-bridge audit tail -n 50
  codex-gpt-bridge audit tail --json | jq 'select(.type == "call")'
  codex-gpt-bridge audit verify
`;

const OPTIONS = { lines: { type: "string", short: "n" }, json: { type: "boolean" } } as const;
const DEFAULT_LINES = 20;

export async function run(terminal: Terminal, argv: readonly string[]): Promise<number> {
  const opened = openCommandLine(terminal, argv, OPTIONS, HELP);
  if (typeof opened === "number") return opened;
  const { flags, positionals } = opened;
  const [action, ...more] = positionals;
  const { lines = String(DEFAULT_LINES) } = flags;
  const isWrong = more.length > 0 || !/^[1-9]\d{0,6}$/.test(String(lines));
  if (isWrong || (action !== "tail" && action !== "verify")) {
    return refuseWord(terminal, HELP, ["tail", "verify"], action);
  }
  // The log can be read from wherever the owner is, also where no project could be served.
  const config = await loadConfigFor(terminal, { ...flags, roots: NO_PROJECT });
  if (!config.ok) {
    printProblems(terminal, config.failure);
    return EXIT_USAGE;
  }
  const { stateDir } = config.value;
  const logs: Logs = { bridge: auditDirectoryOf(stateDir), chatgpt: askAuditDirectoryOf(stateDir) };
  const asJson = flags["json"] === true;
  try {
    if (action === "verify") return await verify(terminal, logs, asJson);
    return await tail(terminal, logs, Number(lines), asJson);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    terminal.stderr.write(`codex-gpt-bridge audit: the log cannot be read: ${toShown(why)}\n`);
    return EXIT_FAILED;
  }
}

/** The bridge's own log, and that of `codex-chatgpt-mcp`: two chains, for the latter has many writers. */
interface Logs {
  readonly bridge: string;
  readonly chatgpt: string;
}

async function verify({ stdout }: Terminal, logs: Logs, asJson: boolean): Promise<number> {
  const bridge = await verifyLog(logs.bridge);
  const chatgpt = await verifyLog(logs.chatgpt);
  const wasAsked = !chatgpt.ok || chatgpt.last !== null;
  if (asJson) stdout.write(`${JSON.stringify({ ...bridge, ok: bridge.ok && chatgpt.ok, chatgpt })}\n`);
  else {
    stdout.write(toWords(bridge));
    if (wasAsked) stdout.write(`\nchatgpt (calls of ask_chatgpt):\n${toWords(chatgpt)}`);
  }
  return bridge.ok && chatgpt.ok ? EXIT_FINE : EXIT_FAILED;
}

const BREAKS: Readonly<Record<BreakReason, string>> = {
  unparsable: "it is no line of this log",
  altered: "it is not as it was written",
  sequence: "its number does not follow: lines before it were removed, added or moved",
  chain: "it does not belong to the line before it",
  beginning: "what came before it is gone, and the log does not say that it was pruned",
};

function toWords(report: VerifyReport): string {
  const { files, lines, firstSeq, last, torn, lost } = report;
  if (!report.ok) {
    return `Broken at ${report.file}:${report.line}: ${BREAKS[report.reason]}.
The ${lines} ${lines === 1 ? "line" : "lines"} before it ${lines === 1 ? "is" : "are"} in order.
`;
  }
  if (last === null) return "There is no audit log yet.\n";
  const notes = [`${lines} lines in ${files} ${files === 1 ? "file" : "files"}, all in order.`];
  if (firstSeq !== null && firstSeq > 1)
    notes.push(`Older lines were pruned; the first kept is ${firstSeq}.`);
  if (torn > 0) notes.push(`${torn} torn by a crash and closed off at the next start.`);
  if (lost > 0) notes.push(`${lost} could not be kept while writing failed.`);
  if (report.unfinished !== null) {
    notes.push(`The last line is torn (line ${report.unfinished.line}); everything up to it is in order.`);
  }
  return `${notes.join("\n")}\nLast line: ${last.seq} ${last.hash}\n`;
}

async function tail({ stdout }: Terminal, logs: Logs, n: number, asJson: boolean): Promise<number> {
  const [bridge, chatgpt] = [await newestLines(logs.bridge, n), await newestLines(logs.chatgpt, n)];
  // Within a millisecond the lines of one log stay in their order.
  const both = [...bridge.toReversed(), ...chatgpt.toReversed()];
  const newest = both.toSorted((a, b) => timeOf(a).localeCompare(timeOf(b))).slice(-n);
  if (asJson) for (const { text } of newest) stdout.write(`${text}\n`);
  else if (newest.length === 0) stdout.write("There is no audit log yet.\n");
  else
    for (const row of [HEADINGS, ...newest.map(({ line }) => toRow(line.entry))])
      stdout.write(toTableLine(row, WIDTHS));
  return EXIT_FINE;
}

function timeOf({ line }: Awaited<ReturnType<typeof newestLines>>[number]): string {
  return String(line.entry["ts"]);
}

type Row = readonly [at: string, what: string, outcome: string, took: string, reference: string];

const HEADINGS: Row = ["time (UTC)", "what", "outcome", "took", "reference"];
/** With the spaces between them, one less than 80. */
const WIDTHS = [14, 16, 18, 6, JOB_ID_LENGTH] as const;

function toRow(entry: Readonly<Record<string, unknown>>): Row {
  const text = (name: string): string => (typeof entry[name] === "string" ? entry[name] : "");
  const at = text("ts").slice(5, 19).replace("T", " ");
  const took = typeof entry["durationMs"] === "number" ? toDuration(entry["durationMs"]) : "";
  switch (entry["type"]) {
    case "call":
      return [at, text("tool") || toHttp(entry["http"]), text("outcome"), took, text("requestId")];
    case "job":
      return [at, `end of ${text("tool")}`, text("failure") || text("state"), took, text("jobId")];
    case "ask":
      return [at, text("tool") || "unknown tool", text("outcome"), took, text("responseId")];
    case "sign_in":
      return [at, "sign-in", text("outcome"), "", text("requestId")];
    case "lost":
      return [at, "lost entries", String(entry["count"]), "", ""];
    case "torn":
      return [at, "torn line", `${String(entry["bytes"])} bytes`, "", ""];
    case "pruned":
      return [at, "pruned", `up to ${String(entry["upToSeq"])}`, "", text("file")];
    default:
      return [at, text("type"), text("version"), "", ""];
  }
}

function toHttp(http: unknown): string {
  if (typeof http !== "object" || http === null) return "unknown tool";
  const { method, path } = http as Readonly<Record<string, unknown>>;
  return `${String(method)} ${String(path)}`;
}

function toDuration(ms: number): string {
  if (ms < 10_000) return `${Math.round(ms)}ms`;
  return ms < 600_000 ? `${(ms / 1000).toFixed(0)}s` : `${(ms / 60_000).toFixed(0)}min`;
}
