/**
 * `codex-gpt-bridge jobs`: what Codex did and does for callers, for the owner's eyes, and the owner's way to end a job.
 * Reads the database beside a running bridge; changes nothing but asking that bridge to cancel.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isFinal, type JobRecord } from "../jobs/job.ts";
import { openJobView, requestCancel, withdrawCancel, type JobView } from "../jobs/sqlite/job-view.ts";
import { NO_PROJECT, openCommandLine, refuseWord, toShown } from "./command-flags.ts";
import { loadConfigFor, printProblems } from "./flags.ts";
import { toPage, toProgressLine, toReason, toStory, toTable } from "./job-text.ts";
import { EXIT_FAILED, EXIT_FINE, EXIT_USAGE, type Terminal } from "./terminal.ts";

const HELP = `Usage: codex-gpt-bridge jobs list [-n <jobs>] [--json]
       codex-gpt-bridge jobs show <job> [--json]
       codex-gpt-bridge jobs watch [<job>] [--json]
       codex-gpt-bridge jobs cancel <job>

list     the newest jobs of all callers (20, unless you say otherwise)
show     everything that is kept of one job; its id may be cut short
watch    follows a job to its end (the newest, unless you name one); exit 1 when
         it did not complete
cancel   ends a job of the running bridge

Examples:
  codex-gpt-bridge jobs list -n 5
  codex-gpt-bridge jobs show V1StGX
  codex-gpt-bridge jobs watch
  codex-gpt-bridge jobs cancel V1StGX
`;

const OPTIONS = { jobs: { type: "string", short: "n" }, json: { type: "boolean" } } as const;
const DEFAULT_JOBS = 20;
const LOOK_EVERY_MS = 250;
/** The bridge looks for requests every 300 ms, and Codex takes a few seconds to stop at most. */
const CANCEL_WITHIN_MS = 15_000;

interface Room {
  readonly terminal: Terminal;
  readonly view: JobView;
  readonly stateDir: string;
  readonly asJson: boolean;
}

export async function run(terminal: Terminal, argv: readonly string[]): Promise<number> {
  const opened = openCommandLine(terminal, argv, OPTIONS, HELP);
  if (typeof opened === "number") return opened;
  const { flags, positionals } = opened;
  const [action = "", jobId, ...more] = positionals;
  const { jobs: limit = String(DEFAULT_JOBS) } = flags;
  const isWrong = more.length > 0 || !/^[1-9]\d{0,5}$/.test(String(limit)) || !fits(action, jobId);
  if (isWrong) {
    return refuseWord(terminal, HELP, ["list", "show", "watch", "cancel"], positionals[0]);
  }
  // Jobs can be seen from wherever the owner is, also where no project could be served.
  const config = await loadConfigFor(terminal, { ...flags, roots: NO_PROJECT });
  if (!config.ok) {
    printProblems(terminal, config.failure);
    return EXIT_USAGE;
  }
  const { stateDir } = config.value;
  try {
    const view = openJobView(stateDir);
    if (view === null) return nothingYet(terminal, action);
    try {
      const room: Room = { terminal, view, stateDir, asJson: flags["json"] === true };
      return await act(room, action, jobId ?? null, Number(limit));
    } finally {
      view.close();
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    terminal.stderr.write(`codex-gpt-bridge jobs: the jobs cannot be read: ${toShown(why)}\n`);
    return EXIT_FAILED;
  }
}

function fits(action: string, jobId: string | undefined): boolean {
  if (action === "list") return jobId === undefined;
  if (action === "watch") return true;
  return (action === "show" || action === "cancel") && jobId !== undefined;
}

function nothingYet({ stdout, stderr }: Terminal, action: string): number {
  if (action === "list") {
    stdout.write("There are no jobs yet.\n");
    return EXIT_FINE;
  }
  stderr.write("codex-gpt-bridge jobs: there are no jobs yet\n");
  return EXIT_FAILED;
}

async function act(room: Room, action: string, jobId: string | null, limit: number): Promise<number> {
  const { terminal, view, asJson } = room;
  if (action === "list") {
    const jobs = await view.newest(limit);
    if (asJson) for (const job of jobs) terminal.stdout.write(`${JSON.stringify(job)}\n`);
    else if (jobs.length === 0) terminal.stdout.write("There are no jobs yet.\n");
    else terminal.stdout.write(toTable(jobs, Date.now()));
    return EXIT_FINE;
  }
  const job = await (jobId === null ? newestOf(view) : view.find(jobId));
  if (job === null && jobId === null) return nothingYet(terminal, action);
  if (job === null) {
    terminal.stderr.write(
      "codex-gpt-bridge jobs: there is no such job, or more than one; see codex-gpt-bridge jobs list\n",
    );
    return EXIT_FAILED;
  }
  if (action === "cancel") return cancel(room, job);
  if (action === "watch") return watch(room, job);
  const events = view.events(job.jobId, 0);
  terminal.stdout.write(asJson ? `${JSON.stringify({ job, events })}\n` : toPage(job, events, Date.now()));
  return EXIT_FINE;
}

/** One that runs, if there is one. */
async function newestOf(view: JobView): Promise<JobRecord | null> {
  const jobs = await view.newest(DEFAULT_JOBS);
  return jobs.find(({ state }) => !isFinal(state)) ?? jobs[0] ?? null;
}

const CLEAR_LINE = "\r\u001B[K";

async function watch({ terminal, view, asJson }: Room, first: JobRecord): Promise<number> {
  const { stdout } = terminal;
  const isLive = stdout.isTTY === true && !asJson;
  const stop = new AbortController();
  terminal.onSignal(() => {
    stop.abort();
  });
  let cursor = 0;
  for (let job = first; ; job = (await view.find(job.jobId)) ?? job) {
    if (isLive) stdout.write(CLEAR_LINE);
    for (const event of view.events(job.jobId, cursor)) {
      stdout.write(`${asJson ? JSON.stringify({ event }) : toStory(event)}\n`);
      cursor = event.id;
    }
    if (isFinal(job.state)) {
      stdout.write(asJson ? `${JSON.stringify({ job })}\n` : `${endOf(job)}\n`);
      return job.state === "completed" ? EXIT_FINE : EXIT_FAILED;
    }
    if (stop.signal.aborted) return EXIT_FINE;
    if (isLive) stdout.write(toProgressLine(job, Date.now(), stdout.columns ?? 80));
    await sleep(LOOK_EVERY_MS, null, { signal: stop.signal }).catch(() => {});
  }
}

function endOf(job: JobRecord): string {
  return job.failure === null ? `${job.jobId} ${job.state}` : `${job.jobId} ${job.state}: ${toReason(job)}`;
}

async function cancel({ terminal, view, stateDir }: Room, first: JobRecord): Promise<number> {
  const { stdout, stderr } = terminal;
  const { jobId } = first;
  if (isFinal(first.state)) {
    stdout.write(`${jobId} has ended already: ${first.state}\n`);
    return EXIT_FINE;
  }
  requestCancel(stateDir, jobId);
  for (let waited = 0; waited < CANCEL_WITHIN_MS; waited += LOOK_EVERY_MS) {
    const job = await view.find(jobId);
    if (job !== null && isFinal(job.state)) {
      stdout.write(`${toShown(endOf(job))}\n`);
      return EXIT_FINE;
    }
    await sleep(LOOK_EVERY_MS);
  }
  withdrawCancel(stateDir, jobId);
  stderr.write(
    `codex-gpt-bridge jobs: no bridge has ended ${jobId}; does one run on ${toShown(stateDir)}?\n`,
  );
  return EXIT_FAILED;
}
