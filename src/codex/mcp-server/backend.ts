/**
 * Drives a Codex before 0.154 through `codex mcp-server`: one process for all threads, restarted when it dies.
 * It can only start threads and continue those that it holds; everything else goes to `resumer`. Never opens a
 * thread under other terms than its Grant's, and never sends Codex's own `sandbox`.
 */
import { untilAborted } from "../../lib/until-aborted.ts";
import type { Failure } from "../../policy/failure.ts";
import type { BackendParts, CodexBackend, TurnOutcome, TurnRequest } from "../backend.ts";
import type { CodexEvent } from "../events.ts";
import { insistOnStart } from "../handshake.ts";
import { createRespawner } from "../respawn.ts";
import { connectMcpServer, type McpServerConnection } from "./connection.ts";
import { createHeldThreads } from "./held-threads.ts";
import { toOpening, type Opening } from "./opening.ts";
import { createThreadTurns } from "./thread-turns.ts";
import { NO_USAGE } from "./turn-record.ts";
import { LOST, STOPPED } from "./turn.ts";
import { createUserMcpServers } from "./user-mcp-servers.ts";

/** A process never lets go of a thread, and each costs about 2 MB; what it held goes on in `resumer`. */
const MAX_THREADS = 40;

/**
 * `resumer` is an app-server backend of the same Codex: it continues threads that this process does not hold, and
 * forks. Without one those turns are refused. It is closed together with this backend.
 */
export function createMcpServerBackend(
  parts: BackendParts,
  resumer: CodexBackend | null,
  clientVersion: string,
): CodexBackend {
  const connections = createRespawner<McpServerConnection, Failure>(
    insistOnStart(connectOnce),
    () => ({ code: "interrupted", reason: "The bridge is shutting down." }),
    parts.clock,
  );
  const threads = createHeldThreads((connection) => {
    connections.retire(connection);
  }, parts.log);
  const runThreadTurn = createThreadTurns(parts, threads);
  const userMcpServers = createUserMcpServers(parts);
  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();
  const busy = new Set<string>();
  let toldDeprecation = false;

  async function connectOnce(signal: AbortSignal) {
    if (!parts.install.hasMcpServer) {
      return {
        ok: false as const,
        failure: unsupported("This Codex has no mcp-server (removed in 0.154.0)"),
      };
    }
    const connected = await connectMcpServer(parts, clientVersion, signal);
    if (connected.ok && !toldDeprecation) {
      toldDeprecation = true;
      parts.log.warn(
        { codexVersion: connected.value.codexVersion },
        "codex mcp-server is deprecated and gone from Codex 0.154: prefer the app-server backend",
      );
    }
    return connected;
  }

  async function route(request: TurnRequest, tell: Tell, stop: AbortSignal): Promise<TurnOutcome> {
    if (request.outputSchema !== null) {
      return refused(unsupported("codex mcp-server cannot pass an output schema"));
    }
    if (request.beforeTurn !== undefined) await untilAborted(request.beforeTurn, stop);
    if (stop.aborted) return refused(STOPPED);
    const { thread } = request;
    if (thread.kind === "new") return startThread(request, tell, stop);
    if (thread.kind === "fork") return passOn(request, tell, stop);
    if (busy.has(thread.threadId)) return refused({ code: "thread_busy" }, thread.threadId);
    busy.add(thread.threadId);
    try {
      return await continueThread(thread.threadId, request, tell, stop);
    } finally {
      busy.delete(thread.threadId);
    }
  }

  /** A process that died before the call reached it has done nothing: the call goes to the next one. */
  async function routeTwice(request: TurnRequest, onEvent: Tell, stop: AbortSignal): Promise<TurnOutcome> {
    let toldThread = false;
    const tell: Tell = (event) => {
      if (event.type === "thread" && toldThread) return;
      toldThread ||= event.type === "thread";
      onEvent(event);
    };
    const first = await route(request, tell, stop);
    const neverReached = first.failure === LOST && first.turnId === null && !stop.aborted;
    return neverReached && request.thread.kind !== "new" ? route(request, tell, stop) : first;
  }

  async function startThread(request: TurnRequest, tell: Tell, stop: AbortSignal): Promise<TurnOutcome> {
    const { grant } = request;
    // Codex 0.153.4 knows no `untrusted` any more. Doing as if would run what the owner wants to be asked about.
    if (grant.approvalPolicy === "untrusted") {
      return refused(unsupported("codex mcp-server has no approval policy `untrusted`"));
    }
    const acquired = await connections.acquire();
    if (!acquired.ok) return refused(acquired.failure);
    const connection = acquired.value;
    const leave = threads.enter(connection);
    let threadId: string | null = null;
    try {
      const opening = await openingOf(request);
      if (opening === null) return refused(UNKNOWN_SERVERS);
      const { profileId, terms } = opening;
      const args = { ...opening.args, prompt: request.prompt };
      const held = { connection, terms, pastTurns: new Set<string>(), usage: NO_USAGE, spent: false };
      return await runThreadTurn(
        {
          held,
          threadId,
          profileId,
          root: grant.root.path,
          call: (listener) => connection.startThread(args, listener),
        },
        (event) => {
          if (event.type === "thread") {
            ({ threadId } = event);
            busy.add(threadId);
            threads.hold(threadId, held);
          }
          tell(event);
        },
        stop,
      );
    } finally {
      if (threadId !== null) busy.delete(threadId);
      if (resumer !== null && threads.heldBy(connection) >= MAX_THREADS) {
        threads.retire(connection, "it keeps threads that are done");
      }
      leave();
    }
  }

  async function continueThread(
    threadId: string,
    request: TurnRequest,
    tell: Tell,
    stop: AbortSignal,
  ): Promise<TurnOutcome> {
    const held = threads.get(threadId);
    if (held === null) return passOn(request, tell, stop);
    const opening = await openingOf(request);
    if (opening === null) return refused(UNKNOWN_SERVERS, threadId);
    const { connection } = held;
    if (held.spent || held.terms !== opening.terms || threads.isRetired(connection)) {
      if (resumer === null) return refused(NO_RESUMER, threadId);
      threads.retire(connection, "a thread that it holds has to be opened anew");
      if (!(await endsBefore(stop, connection))) return refused(STOPPED, threadId);
      return passOn(request, tell, stop);
    }
    tell({ type: "thread", threadId });
    return runThreadTurn(
      {
        held,
        threadId,
        profileId: opening.profileId,
        root: request.grant.root.path,
        call: (listener) => connection.reply(threadId, request.prompt, listener),
      },
      tell,
      stop,
    );
  }

  async function passOn(request: TurnRequest, tell: Tell, stop: AbortSignal): Promise<TurnOutcome> {
    if (resumer === null) return refused(NO_RESUMER);
    return resumer.runTurn(request, tell, stop);
  }

  /** null: Codex cannot say which MCP servers it would start. */
  async function openingOf({
    grant,
    projectInstructions,
    standInModelUrl,
  }: TurnRequest): Promise<Opening | null> {
    try {
      const { programDirectories } = parts.install;
      return toOpening(
        grant,
        { programDirectories, userMcpServers: await userMcpServers() },
        projectInstructions,
        standInModelUrl,
      );
    } catch (error) {
      parts.log.error({ error: String(error) }, "codex cannot list the user's MCP servers");
      return null;
    }
  }

  return {
    kind: "mcp-server",

    async connect() {
      const acquired = await connections.acquire();
      if (!acquired.ok) return acquired;
      const { codexVersion } = acquired.value;
      return { ok: true, value: { kind: "mcp-server", codexVersion, loggedIn: null } };
    },

    async runTurn(request, onEvent, signal) {
      const turn = routeTwice(request, onEvent, AbortSignal.any([signal, closing.signal])).catch(
        (error: unknown) => {
          parts.log.error({ error: String(error) }, "a turn on codex mcp-server failed");
          return refused({ code: "internal" });
        },
      );
      running.add(turn);
      try {
        return await turn;
      } finally {
        running.delete(turn);
      }
    },

    async readTurn(turn) {
      return resumer === null ? { ok: false, failure: NO_RESUMER } : resumer.readTurn(turn);
    },

    async close() {
      closing.abort();
      await Promise.all(running);
      await Promise.all([connections.close(), threads.close(), resumer?.close()]);
    },
  };
}

type Tell = (event: CodexEvent) => void;

const NO_RESUMER = unsupported("codex mcp-server cannot open a thread again");
const UNKNOWN_SERVERS: Failure = {
  code: "confinement_unavailable",
  reason: "Codex cannot list the MCP servers that it would start",
};

function unsupported(reason: string) {
  return { code: "codex_unsupported", reason } as const;
}

function refused(failure: Failure, threadId: string | null = null): TurnOutcome {
  return { threadId, turnId: null, answer: null, changes: [], diff: null, usage: null, failure };
}

/** False when `stop` came first. */
async function endsBefore(stop: AbortSignal, connection: McpServerConnection): Promise<boolean> {
  const stopped = Promise.withResolvers<false>();
  const onStop = (): void => {
    stopped.resolve(false);
  };
  stop.addEventListener("abort", onStop, { once: true });
  if (stop.aborted) onStop();
  const ended = await Promise.race([connection.ended.then(() => true), stopped.promise]);
  stop.removeEventListener("abort", onStop);
  return ended;
}
