import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Result } from "../lib/result.ts";
import type { Failure } from "../policy/failure.ts";
import type { Grant } from "../policy/grant.ts";
import type { CodexInstall } from "./install.ts";
import type { CodexEvent, FileChange, Usage } from "./events.ts";
import type { CommandChanges } from "./seen-changes.ts";

export type BackendKind = "app-server" | "mcp-server";

/** What Codex said of itself in the handshake. `loggedIn` is null where Codex could not tell. */
export interface BackendFacts {
  readonly kind: BackendKind;
  readonly codexVersion: string;
  /** False only when Codex says that its provider needs an OpenAI account and there is none. */
  readonly loggedIn: boolean | null;
}

export interface TurnRequest {
  readonly grant: Grant;
  /** `resume` and `fork` name a thread that this bridge made; the runner has checked that. */
  readonly thread: { readonly kind: "new" } | { readonly kind: "resume" | "fork"; readonly threadId: string };
  readonly prompt: string;
  /** JSON Schema for the final message, or null. Backends that cannot pass it refuse with `codex_unsupported`. */
  readonly outputSchema: unknown;
  /** The project's own AGENTS.md, handed over because Codex does not load it from an untrusted project; or null. */
  readonly projectInstructions: string | null;
  /** The turn does not begin before this settles (it never rejects); its thread may be opened meanwhile. */
  readonly beforeTurn?: Promise<void>;
  /** URL of a model on loopback that plays this turn instead of the user's own. For the canary alone. */
  readonly standInModelUrl?: string;
}

/** How a turn ended. Whatever was produced before a bad end is still given. */
export interface TurnOutcome {
  readonly threadId: string | null;
  readonly turnId: string | null;
  /** Codex's final message; null when there is none. */
  readonly answer: string | null;
  readonly changes: readonly FileChange[];
  /** What commands changed, where somebody looked; a backend itself knows its patches only. */
  readonly commandChanges?: CommandChanges | null;
  /** Unified diff of the whole turn, or null. */
  readonly diff: string | null;
  readonly usage: Usage | null;
  /** null: completed. `cancelled` never comes from a backend: an aborted turn ends as `interrupted`. */
  readonly failure: Failure | null;
}

/** A turn that was begun earlier, perhaps by a process that is gone. */
export interface PastTurn {
  readonly threadId: string;
  readonly turnId: string;
  /** The project's root, for the paths of the changes. */
  readonly root: string;
}

/**
 * Port to a Codex. One instance serves all threads; test/contract/codex-backend.ts is its suite.
 *
 * - `connect` starts Codex when it does not run and answers with what it says of itself; calling it again is cheap.
 *   A Codex that cannot be used is a refusal (`codex_not_found`, `codex_unsupported`), never a throw.
 * - `runTurn` never rejects and always ends: completed, or with a failure. A Codex process that dies ends the turn
 *   as `interrupted`; the next call starts a new one. Aborting `signal` interrupts the turn, ends the commands that
 *   it started, and settles within a few seconds. Events come in order, none after the outcome; `thread` is the
 *   first, before any work. Two turns on one thread at a time are the caller's mistake (the runner's lock).
 * - `readTurn` tells what Codex has kept of a turn that does not run any more: its outcome, as `runTurn` would have
 *   given it, save tokens and diff. It opens no thread and starts nothing. A turn that was cut off is `interrupted`;
 *   a thread or turn that Codex does not know is refused as `unknown_thread`. Never rejects.
 * - `close` ends the process and everything it started; turns that run end as `interrupted`.
 */
export interface CodexBackend {
  readonly kind: BackendKind;
  connect(signal?: AbortSignal): Promise<Result<BackendFacts, Failure>>;
  runTurn(
    request: TurnRequest,
    onEvent: (event: CodexEvent) => void,
    signal: AbortSignal,
  ): Promise<TurnOutcome>;
  readTurn(turn: PastTurn): Promise<Result<TurnOutcome, Failure>>;
  close(): Promise<void>;
}

/** What every backend is made from. */
export interface BackendParts {
  readonly install: CodexInstall;
  /** The whole environment of the Codex process (codex/environment.ts makes it). */
  readonly env: Readonly<Record<string, string>>;
  /** Where Codex runs between turns; never a project. */
  readonly cwd: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends a turn with `timeout` when nothing was heard from Codex for this long while no command runs. */
  readonly silenceMs: number;
  /** Told of every Codex process that a backend starts, before it is used. */
  readonly onChild?: (pid: number, exited: Promise<unknown>) => Promise<void>;
}
