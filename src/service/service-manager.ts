/**
 * Port to the system's service manager, for the one service of this user.
 *
 * - `install` puts the unit file in place, has it read again and starts the service; it replaces an older one.
 * - `uninstall` stops the service and takes the unit file away; what is not there is no failure.
 * - `start` starts it, again if it runs; `stop` stops it until the next login or `start`.
 * - `status` never fails because there is no service.
 * - `logCommand`: the command that shows the newest log lines.
 *
 * Refusals are one plain line.
 */
import type { Result } from "../lib/result.ts";
import type { ServicePlan } from "./service-plan.ts";

export interface ServiceStatus {
  readonly installed: boolean;
  readonly running: boolean;
  readonly pid: number | null;
  /** As the service manager says it: "running", "failed", "exited with 2". */
  readonly state: string;
}

export interface ServiceManager {
  readonly title: string;
  readonly unitPath: string;
  unitText(plan: ServicePlan): Promise<string>;
  install(plan: ServicePlan): Promise<Result<null, string>>;
  uninstall(): Promise<Result<null, string>>;
  start(): Promise<Result<null, string>>;
  stop(): Promise<Result<null, string>>;
  status(): Promise<Result<ServiceStatus, string>>;
  logCommand(lines: number, follow: boolean): readonly string[];
  /** What the owner should know after `install`, or null. */
  readonly hint: string | null;
}

/** Runs one command of the service manager; `stdout` where it ended with 0, else why not. */
export type RunCommand = (
  command: string,
  args: readonly string[],
) => Promise<Result<string, CommandFailure>>;

export interface CommandFailure {
  readonly exitCode: number | null;
  /** One line, with the command in it. */
  readonly why: string;
}
