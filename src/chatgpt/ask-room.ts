/** What a call of the two tools needs besides its arguments; made with the first call, its heavy parts with the first question. */
import type { AskEntry } from "../audit/audit-entry.ts";
import type { Redactor } from "../audit/redact.ts";
import type { AskConfig } from "../config/ask-load.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { DirectoryIdentity } from "../policy/grant.ts";
import type { ProjectFile } from "./project-file.ts";
import type { Purse } from "./purse.ts";
import type { ResponsesApi } from "./responses-api.ts";

export interface AskRoom {
  readonly config: AskConfig;
  /** The current project as it was at start; null: there is none, and no file can be sent. */
  readonly project: DirectoryIdentity | null;
  readonly cwd: string;
  readonly redactor: Redactor;
  readonly clock: Clock;
  readonly log: Log;
  /** Aborted when the process is about to end. */
  readonly shutdown: AbortSignal;
  /** Throws where the ledger cannot be opened; tried anew with each call. */
  purse(): Promise<Purse>;
  /** Only called when there is a key. */
  api(): Promise<ResponsesApi>;
  /** Whether the owner's exceptions from the look for secrets cover all of this, for this very content. */
  isExcepted(
    root: string,
    file: Pick<ProjectFile, "path" | "sha256">,
    found: readonly { readonly kind: string; readonly reason: "name" | "content" }[],
  ): Promise<boolean>;
  newCallId(): string;
  /** Resolves when the line is kept; never rejects. */
  record(entry: AskEntry): Promise<void>;
}

/** What is told of a call while it runs. */
export interface AskProgress {
  phase: string;
  /** An estimate while the answer is made. */
  outputTokens: number;
}

export interface AskCall {
  /** Aborted by the client, with its reason. */
  readonly signal: AbortSignal;
  /** Monotonic milliseconds when the call arrived. */
  readonly arrivedAt: number;
  /** Kept up to date for whoever shows it. */
  readonly progress: AskProgress;
}
