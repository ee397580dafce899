/**
 * The user's Codex, whatever it is: finds it, picks the driver, and says what was picked and why. A machine without
 * a usable Codex is a state, not an error: the bridge runs and explains, and looks again when a call comes.
 */
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import type { Failure } from "../policy/failure.ts";
import type { BackendFacts, BackendKind, CodexBackend } from "./backend.ts";
import type { CodexInstall } from "./install.ts";

export type BackendChoice = "auto" | BackendKind;

export interface CodexStatus {
  /** null until Codex has answered, or when it cannot be used. */
  readonly facts: BackendFacts | null;
  readonly backend: BackendKind | null;
  /** Why this backend, or why none; for the owner and for bridge_status. */
  readonly why: string;
  /** null while everything is fine or nothing is known yet. */
  readonly failure: Failure | null;
}

export interface Codex extends CodexBackend {
  /** From memory, at once. */
  status(): CodexStatus;
  /** Ready for a turn: facts, or the refusal that a caller gets. Looks again when it was not. */
  ready(): Promise<Result<BackendFacts, Failure>>;
}

export interface CodexParts {
  readonly choice: BackendChoice;
  /** `signal`: nobody wants to know any more. */
  readonly find: (signal: AbortSignal) => Promise<Result<CodexInstall, Failure>>;
  readonly drivers: Readonly<
    Record<BackendKind, (install: CodexInstall) => CodexBackend | Promise<CodexBackend>>
  >;
  readonly clock: Clock;
  readonly log: Log;
}

/** A Codex that was not usable is looked for again, but not with every call. */
const LOOK_AGAIN_MS = 3_000;

export function createCodex(parts: CodexParts): Codex {
  let driver: CodexBackend | null = null;
  let status: CodexStatus = {
    facts: null,
    backend: null,
    why: "Codex has not been asked yet.",
    failure: null,
  };
  let looking: Promise<Result<BackendFacts, Failure>> | null = null;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let isClosed = false;
  const closing = new AbortController();

  async function look(): Promise<Result<BackendFacts, Failure>> {
    if (isClosed) return fail(SHUT_DOWN);
    if (driver === null) {
      const found = await parts.find(closing.signal);
      if (isClosed) return fail(SHUT_DOWN);
      if (!found.ok) return note(found);
      const picked = pickBackend(parts.choice, found.value);
      if (!picked.ok) return note(picked);
      driver = await parts.drivers[picked.value.kind](found.value);
      status = { ...status, backend: picked.value.kind, why: picked.value.why };
      parts.log.info({ backend: picked.value.kind, codex: found.value.version }, picked.value.why);
    }
    const connected = await driver.connect();
    if (!connected.ok || connected.value.loggedIn === false) {
      // A driver keeps what Codex said at its start: the next look has to see a new login, or a new binary.
      const useless = driver;
      driver = null;
      await useless.close();
    }
    return isClosed ? fail(SHUT_DOWN) : note(connected);
  }

  function note(result: Result<BackendFacts, Failure>): Result<BackendFacts, Failure> {
    if (result.ok) {
      status = { ...status, facts: result.value, failure: null };
      if (result.value.loggedIn === false) {
        status = { ...status, failure: { code: "codex_not_logged_in" } };
        parts.log.warn({ code: "codex_not_logged_in" }, "codex is not logged in; run: codex login");
      }
    } else {
      const why = "reason" in result.failure ? result.failure.reason : WHY[result.failure.code];
      status = { ...status, facts: null, failure: result.failure, why: why ?? status.why };
      parts.log.warn({ code: result.failure.code, why }, "codex cannot be used");
    }
    return result;
  }

  async function ready(): Promise<Result<BackendFacts, Failure>> {
    if (status.facts !== null && status.failure === null) return ok(status.facts);
    if (status.failure !== null && parts.clock.monotonic() - lookedAt < LOOK_AGAIN_MS)
      return fail(status.failure);
    looking ??= look().finally(() => {
      looking = null;
      lookedAt = parts.clock.monotonic();
    });
    const result = await looking;
    return result.ok && status.failure !== null ? fail(status.failure) : result;
  }

  return {
    get kind() {
      return status.backend ?? "app-server";
    },
    status: () => status,
    ready,
    async connect() {
      return ready();
    },
    async runTurn(request, onEvent, signal) {
      const usable = await ready();
      if (usable.ok && driver !== null && !isClosed) return driver.runTurn(request, onEvent, signal);
      const failure = usable.ok ? SHUT_DOWN : usable.failure;
      return { threadId: null, turnId: null, answer: null, changes: [], diff: null, usage: null, failure };
    },
    async readTurn(turn) {
      const usable = await ready();
      if (!usable.ok) return usable;
      return driver === null || isClosed ? fail(SHUT_DOWN) : driver.readTurn(turn);
    },
    async close() {
      isClosed = true;
      closing.abort();
      await driver?.close();
      await looking?.catch(() => {});
      await driver?.close();
    },
  };
}

const SHUT_DOWN: Failure = { code: "interrupted", reason: "The bridge was shut down." };

const WHY: Partial<Record<Failure["code"], string>> = {
  codex_not_found: "No codex on PATH.",
};

/** Pure: which driver for this Codex. */
export function pickBackend(
  choice: BackendChoice,
  install: CodexInstall,
): Result<{ kind: BackendKind; why: string }, Failure> {
  switch (choice) {
    case "auto":
      return ok({
        kind: "app-server",
        why: `Codex ${install.version} has app-server, the driver for every version.`,
      });
    case "app-server":
      return ok({ kind: "app-server", why: "The owner asked for app-server." });
    case "mcp-server":
      return install.hasMcpServer
        ? ok({
            kind: "mcp-server",
            why: `The owner asked for mcp-server, and Codex ${install.version} still has it.`,
          })
        : fail({
            code: "codex_unsupported",
            reason: `Codex ${install.version} has no mcp-server (it was removed in 0.154.0)`,
          });
  }
}
