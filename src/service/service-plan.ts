/** What a service manager has to know to run the bridge; the unit files are made from this alone. Holds no secret. */

export interface ServicePlan {
  /** The program and its arguments; the first is an absolute path. */
  readonly command: readonly string[];
  /** The whole environment besides what the service manager gives by itself. */
  readonly environment: Readonly<Record<string, string>>;
  readonly home: string;
}

/** How the service is called. launchd wants a name that reads like a domain. */
export const LAUNCHD_LABEL = "local.codex-gpt-bridge";
export const SYSTEMD_UNIT = "codex-gpt-bridge.service";
