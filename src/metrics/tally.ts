/**
 * Which event counts where. Hears what the audit log hears, so that a call is counted if and only if it is on record.
 * Never keeps a path, a prompt, an id or anything else that a caller chose.
 */
import type { AuditEntry, CallEntry, JobEntry } from "../audit/audit-entry.ts";
import type { ScanVerdict } from "../policy/decide.ts";
import { createCounts, createDurations } from "./series.ts";

export type Tally = ReturnType<typeof createTally>;

const CALL_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30];
const JOB_SECONDS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600];

export function createTally() {
  const calls = createCounts<"tool" | "outcome">();
  const callDurations = createDurations<"tool">(CALL_SECONDS);
  const requests = createCounts<"outcome">();
  const jobs = createCounts<"tool" | "state" | "code">();
  const jobDurations = createDurations<"tool" | "state">(JOB_SECONDS);
  const tokens = createCounts<"kind">();
  const scans = createCounts<"verdict">();
  const scanDurations = createDurations<never>(CALL_SECONDS);
  let codexStarts = 0;

  function hearCall({ tool, http, outcome, durationMs }: CallEntry): void {
    if (http !== null) {
      requests.add({ outcome });
      return;
    }
    const name = tool ?? "unknown";
    calls.add({ tool: name, outcome });
    if (durationMs !== null) callDurations.add({ tool: name }, durationMs);
  }

  function hearJob({ tool, state, failure, durationMs, usage }: JobEntry): void {
    jobs.add({ tool, state, code: failure ?? "none" });
    if (durationMs !== null) jobDurations.add({ tool, state }, durationMs);
    if (usage === null) return;
    tokens.add({ kind: "input" }, usage.inputTokens);
    tokens.add({ kind: "cached_input" }, usage.cachedInputTokens);
    tokens.add({ kind: "output" }, usage.outputTokens);
    tokens.add({ kind: "reasoning_output" }, usage.reasoningOutputTokens);
  }

  return {
    calls,
    callDurations,
    requests,
    jobs,
    jobDurations,
    tokens,
    scans,
    scanDurations,
    codexStarts: () => codexStarts,

    hear(entry: AuditEntry): void {
      if (entry.type === "call") hearCall(entry);
      else if (entry.type === "job") hearJob(entry);
    },
    noteScan(verdict: ScanVerdict["kind"], elapsedMs: number): void {
      scans.add({ verdict });
      scanDurations.add({}, elapsedMs);
    },
    noteCodexStart(): void {
      codexStarts += 1;
    },
  };
}
