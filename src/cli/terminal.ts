/** What a subcommand knows of the process that it runs in. */
export interface Terminal {
  /** After the program's name. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdout: Output;
  readonly stderr: Output;
  /** SIGINT, SIGTERM, and SIGHUP where a terminal was closed. */
  onSignal(listener: () => void): void;
  /** For the second signal only: everything else ends by returning its exit code. */
  exitNow(code: number): void;
}

export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export const EXIT_FINE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
