/**
 * Runs all checks at once and tells their findings in the order of the chain. Always comes to an end: a check that
 * takes too long, or breaks, is a finding like any other.
 */
import type { Clock } from "../lib/clock.ts";
import { broken, doubtful, type Check, type Finding } from "./check.ts";
import type { DoctorContext } from "./context.ts";

export interface CheckReport extends Finding {
  readonly name: string;
  readonly title: string;
  readonly elapsedMs: number;
}

export interface RunOptions {
  readonly clock: Clock;
  /** For all checks together. */
  readonly deadlineMs: number;
  /** Told of each finding as soon as it and all before it are there; and of whom is waited for. */
  readonly onReport?: (report: CheckReport) => void;
  readonly onWaiting?: (check: Check) => void;
}

export async function runChecks(
  checks: readonly Check[],
  context: DoctorContext,
  { clock, deadlineMs, onReport, onWaiting }: RunOptions,
): Promise<CheckReport[]> {
  const ending = new AbortController();
  const late = Promise.withResolvers<Finding>();
  const stopTimer = clock.after(deadlineMs, () => {
    const seconds = Math.round(deadlineMs / 1_000);
    late.resolve(
      doubtful(`there was no answer within ${seconds} s`, "run doctor again when the machine is less busy"),
    );
    ending.abort();
  });
  // A timer of the clock keeps no process alive; this one has to.
  const alive = setInterval(() => {}, 1_000);
  try {
    const running = checks.map(async (check): Promise<CheckReport> => {
      const began = clock.monotonic();
      const finding = await Promise.race([attempt(check, context, ending.signal), late.promise]);
      const { name, title } = check;
      return { name, title, ...finding, elapsedMs: Math.round(clock.monotonic() - began) };
    });
    const reports: CheckReport[] = [];
    for (const [index, check] of checks.entries()) {
      onWaiting?.(check);
      // oxlint-disable-next-line no-await-in-loop -- told in the order of the chain
      const report = await running[index];
      if (report === undefined) continue;
      reports.push(report);
      onReport?.(report);
    }
    return reports;
  } finally {
    stopTimer();
    clearInterval(alive);
    ending.abort();
  }
}

async function attempt(check: Check, context: DoctorContext, signal: AbortSignal): Promise<Finding> {
  try {
    return await check.run(context, signal);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return broken(
      `the check itself failed: ${why}`,
      "report this with: codex-gpt-bridge doctor --bundle report.txt",
    );
  }
}
