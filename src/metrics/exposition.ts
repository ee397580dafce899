/**
 * The numbers as Prometheus reads them. With taken-histogram.ts all that knows prom-client, loaded with the first request for
 * /metrics; until then, and between two requests, nothing of it runs.
 */
import { Counter, Gauge, Registry } from "prom-client";
import type { Counts, Durations } from "./series.ts";
import { TakenHistogram } from "./taken-histogram.ts";
import type { Tally } from "./tally.ts";

/** What is asked when somebody looks, and counted by somebody else. */
export interface MetricFacts {
  readonly version: string;
  readonly codexVersion: string | null;
  readonly backend: string | null;
  readonly isReady: boolean;
  readonly confinementIsProven: boolean;
  readonly auditIsWritten: boolean;
  readonly storageIsWritten: boolean;
  readonly jobs: { readonly running: number; readonly queued: number; readonly waitingCallers: number };
  readonly limits: { readonly running: number; readonly queued: number };
  readonly redactions: number;
  /** What `ask_chatgpt` has cost this month, by model, in US dollars; empty where it was never used. */
  readonly spendUsd: Readonly<Record<string, number>>;
}

const PREFIX = "codex_gpt_bridge_";

export function createExposition(tally: Tally): (facts: MetricFacts) => Promise<string> {
  const registry = new Registry();
  const registers = [registry];
  const count = <Name extends string>(name: string, help: string, labels: Name[], counts: Counts<Name>) =>
    new Counter<Name>({
      name: PREFIX + name,
      help,
      labelNames: labels,
      registers,
      collect() {
        this.reset();
        for (const { labels: own, value } of counts.all()) this.inc(own, value);
      },
    });
  const gauge = <Name extends string = never>(name: string, help: string, labelNames: Name[] = []) =>
    new Gauge<Name>({ name: PREFIX + name, help, labelNames, registers });
  const total = (name: string, help: string, value: () => number) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  const durations = (name: string, help: string, labelNames: string[], taken: Durations<string>) =>
    new TakenHistogram({ name: PREFIX + name, help, labelNames, taken, registers });

  const info = gauge("info", "Always 1; the versions are its labels.", ["version", "codex", "backend"]);
  const ready = gauge("ready", "1 while Codex can be used and the confinement has its verdict.");
  const proven = gauge("confinement_proven", "1 when the confinement was proven on this machine.");
  const auditWritten = gauge("audit_writable", "1 while the audit log can be written.");
  const storageWritten = gauge("storage_writable", "1 while jobs can be kept.");
  const jobsNow = gauge("jobs", "Jobs that have not ended, by state.", ["state"]);
  const jobsLimit = gauge("jobs_limit", "How many jobs may be in that state at once.", ["state"]);
  const waiting = gauge("waiting_callers", "Calls that wait for a job right now.");
  count(
    "calls_total",
    "Tool calls by tool and outcome: answered, or the code of the refusal.",
    ["tool", "outcome"],
    tally.calls,
  );
  durations(
    "call_duration_seconds",
    "How long tool calls took, waiting for a job included.",
    ["tool"],
    tally.callDurations,
  );
  count(
    "requests_total",
    "Requests to /mcp that were no tool calls: answered, or the code of the refusal.",
    ["outcome"],
    tally.requests,
  );
  count(
    "jobs_ended_total",
    "Ended jobs by tool, final state and code of the failure.",
    ["tool", "state", "code"],
    tally.jobs,
  );
  durations(
    "job_duration_seconds",
    "From the acceptance of a job to its end.",
    ["tool", "state"],
    tally.jobDurations,
  );
  count("tokens_total", "Tokens that Codex reported for ended jobs.", ["kind"], tally.tokens);
  count("scans_total", "Looks for secrets in a project, by verdict.", ["verdict"], tally.scans);
  durations("scan_duration_seconds", "How long the looks for secrets took.", [], tally.scanDurations);
  let redactions = 0;
  total(`${PREFIX}redactions_total`, "Secrets that were struck out of what left.", () => redactions);
  total(
    `${PREFIX}codex_starts_total`,
    "Codex processes that were started; all but the first are restarts.",
    () => tally.codexStarts(),
  );
  const spend = gauge("ask_chatgpt_usd", "What ask_chatgpt has cost this month (UTC), in US dollars.", [
    "model",
  ]);
  total("process_cpu_seconds_total", "CPU time of the bridge itself.", cpuSeconds);
  const memory = new Gauge({
    name: "process_resident_memory_bytes",
    help: "Memory of the bridge itself.",
    registers,
  });
  new Gauge({ name: "process_start_time_seconds", help: "When the bridge was started.", registers }).set(
    Date.now() / 1_000 - process.uptime(),
  );

  return async (facts) => {
    const { version, codexVersion, backend, jobs, limits } = facts;
    info.reset();
    info.set({ version, codex: codexVersion ?? "none", backend: backend ?? "none" }, 1);
    ready.set(Number(facts.isReady));
    proven.set(Number(facts.confinementIsProven));
    auditWritten.set(Number(facts.auditIsWritten));
    storageWritten.set(Number(facts.storageIsWritten));
    jobsNow.set({ state: "running" }, jobs.running);
    jobsNow.set({ state: "queued" }, jobs.queued);
    jobsLimit.set({ state: "running" }, limits.running);
    jobsLimit.set({ state: "queued" }, limits.queued);
    waiting.set(jobs.waitingCallers);
    redactions = facts.redactions;
    spend.reset();
    for (const [model, usd] of Object.entries(facts.spendUsd)) spend.set({ model }, usd);
    memory.set(process.memoryUsage.rss());
    return registry.metrics();
  };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
