/**
 * Where the numbers come from: sits between the rooms and what they use (audit log, workspace, Codex processes),
 * counts, and passes everything on unchanged. Loads prom-client only when somebody asks for the numbers.
 */
import type { AuditLog } from "../audit/audit-log.ts";
import type { Clock } from "../lib/clock.ts";
import type { ScanVerdict } from "../policy/decide.ts";
import type { MetricFacts } from "./exposition.ts";
import { createTally } from "./tally.ts";

export interface Meter {
  audit(log: AuditLog): AuditLog;
  workspace<W extends Scanning>(workspace: W): W;
  children<C extends NotesChildren>(children: C): Pick<C, "note">;
  /** In Prometheus' text format. */
  text(facts: MetricFacts): Promise<string>;
}

interface Scanning {
  scan(...parameters: never): Promise<ScanVerdict>;
}

interface NotesChildren {
  note(pid: number, exited: Promise<unknown>): Promise<void>;
}

export function createMeter(clock: Clock): Meter {
  const tally = createTally();
  let expose: Promise<(facts: MetricFacts) => Promise<string>> | null = null;
  return {
    audit: (log) => ({
      ...log,
      record(entry) {
        tally.hear(entry);
        log.record(entry);
      },
    }),

    workspace: (workspace) => ({
      ...workspace,
      async scan(...parameters: Parameters<typeof workspace.scan>) {
        const began = clock.monotonic();
        const verdict = await workspace.scan(...parameters);
        tally.noteScan(verdict.kind, clock.monotonic() - began);
        return verdict;
      },
    }),

    children: (children) => ({
      async note(pid, exited) {
        tally.noteCodexStart();
        return children.note(pid, exited);
      },
    }),

    async text(facts) {
      expose ??= import("./exposition.ts").then(({ createExposition }) => createExposition(tally));
      return (await expose)(facts);
    },
  };
}
