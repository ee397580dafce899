/**
 * Drives the user's Codex through `codex app-server`: one process for all threads, restarted when it dies.
 * Every thread is opened under the profile that its Grant asks for, or not at all.
 */
import { STAND_IN_MODEL, toStandInConfig, toThreadConfinement } from "../confinement.ts";
import type { BackendParts, CodexBackend, TurnOutcome, TurnRequest } from "../backend.ts";
import type { CodexEvent } from "../events.ts";
import type { Failure } from "../../policy/failure.ts";
import { insistOnStart } from "../handshake.ts";
import { createRespawner } from "../respawn.ts";
import { connectAppServer, type AppServerConnection } from "./connection.ts";
import { toRpcFailure } from "./rpc-failure.ts";
import { ConnectionLost } from "./rpc.ts";
import { toPastOutcome } from "./past-turn.ts";
import { createThreadCare } from "./thread-care.ts";
import { runTurnOn } from "./turn.ts";

export function createAppServerBackend(parts: BackendParts, clientVersion: string): CodexBackend {
  const connections = createRespawner<Connection, Failure>(
    insistOnStart(async (signal) => connectAppServer(parts, clientVersion, signal)),
    () => ({ code: "interrupted", reason: "The bridge is shutting down." }),
    parts.clock,
  );
  const care = createThreadCare<Connection>((connection) => {
    connections.retire(connection);
  }, parts);

  return {
    kind: "app-server",

    async connect() {
      const acquired = await connections.acquire();
      return acquired.ok ? { ok: true, value: acquired.value.facts } : acquired;
    },

    async runTurn(request, onEvent, signal) {
      const wanted = request.thread.kind === "new" ? null : request.thread.threadId;
      if (wanted !== null) await care.released(wanted);
      for (let attempt = 1; ; attempt += 1) {
        const acquired = await connections.acquire();
        if (!acquired.ok) return endedBeforeStart(acquired.failure);
        const ran = await runOn(acquired.value, request, onEvent, signal);
        // A process that died before the call reached it has done nothing: the call goes to the next one.
        if (ran !== "never-reached") return ran;
        if (attempt > 1 || signal.aborted) return endedBeforeStart(PROCESS_ENDED);
      }
    },

    async readTurn({ threadId, turnId, root }) {
      const acquired = await connections.acquire();
      if (!acquired.ok) return acquired;
      try {
        const turns = await acquired.value.readTurns(threadId);
        const turn = turns.find(({ id }) => id === turnId);
        if (turn === undefined) return { ok: false, failure: { code: "unknown_thread" } };
        return { ok: true, value: toPastOutcome(threadId, turn, root) };
      } catch (error) {
        return { ok: false, failure: toRpcFailure(error) };
      }
    },

    async close() {
      await connections.close();
      await care.close();
    },
  };

  async function runOn(
    connection: Connection,
    request: TurnRequest,
    onEvent: (event: CodexEvent) => void,
    signal: AbortSignal,
  ): Promise<TurnOutcome | "never-reached"> {
    care.hold(connection);
    let threadId: string | null = null;
    let settled = true;
    try {
      const opened = await openThread(connection, request);
      threadId = opened.threadId;
      onEvent({ type: "thread", threadId });
      if (!opened.confined) {
        return endedBeforeStart({
          code: "confinement_unavailable",
          reason: "Codex did not apply the profile",
        });
      }
      const ran = await runTurnOn(
        {
          connection,
          threadId,
          root: request.grant.root.path,
          prompt: request.prompt,
          outputSchema: request.outputSchema,
          beforeTurn: request.beforeTurn ?? null,
          silenceMs: parts.silenceMs,
          clock: parts.clock,
          log: parts.log,
        },
        onEvent,
        signal,
      );
      settled = ran.settled;
      return ran.outcome;
    } catch (error) {
      if (error instanceof ConnectionLost) {
        if (error.processEnded && threadId === null) return "never-reached";
        settled = false;
      }
      return endedBeforeStart(toRpcFailure(error), threadId);
    } finally {
      care.letGo(connection, threadId, settled);
    }
  }

  async function openThread(connection: Connection, request: TurnRequest) {
    const { grant, thread } = request;
    const userMcpServers = await connection.userMcpServers();
    const { programDirectories } = parts.install;
    const { profileId, config } = toThreadConfinement(grant, { programDirectories, userMcpServers });
    if (grant.effort !== null) config["model_reasoning_effort"] = grant.effort;
    const { standInModelUrl } = request;
    if (standInModelUrl !== undefined) Object.assign(config, toStandInConfig(standInModelUrl));
    const opened = await connection.openThread(OPEN_METHODS[thread.kind], {
      ...(thread.kind === "new" ? {} : { threadId: thread.threadId, excludeTurns: true }),
      cwd: grant.cwd.path,
      approvalPolicy: grant.approvalPolicy,
      ...(grant.model === null ? {} : { model: grant.model }),
      ...(standInModelUrl === undefined ? {} : { model: STAND_IN_MODEL, ephemeral: true }),
      ...(request.projectInstructions === null ? {} : { developerInstructions: request.projectInstructions }),
      config,
    });
    return { threadId: opened.threadId, confined: opened.activeProfileId === profileId };
  }
}

type Connection = AppServerConnection & { readonly ended: Promise<unknown> };

const PROCESS_ENDED: Failure = { code: "interrupted", reason: "The Codex process ended." };

const OPEN_METHODS = { new: "thread/start", resume: "thread/resume", fork: "thread/fork" } as const;

function endedBeforeStart(failure: Failure, threadId: string | null = null): TurnOutcome {
  return { threadId, turnId: null, answer: null, changes: [], diff: null, usage: null, failure };
}
