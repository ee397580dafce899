/**
 * One running `codex app-server`: handshake, routing of notifications to the turn that they belong to, and the few
 * calls that the bridge makes. Never exposes the methods that would read files or run commands by themselves.
 */
import { fail, ok, type Result } from "../../lib/result.ts";
import type { BackendFacts, BackendParts } from "../backend.ts";
import { spawnChild, type ChildExit } from "../../lib/child.ts";
import { toHandshakeFailure, type HandshakeFailure } from "../handshake.ts";
import { declineRequest, type Decline } from "./decline.ts";
import { createRpcConnection } from "./rpc.ts";
import {
  accountResult,
  configResult,
  initializeResult,
  parseNotification,
  threadIdOf,
  threadReadResult,
  threadResult,
  turnStartResult,
  type Notification,
  type PastWireTurn,
} from "./wire.ts";

export interface ThreadListener {
  /** Something was said about this thread, whether we read it or not. */
  onHeard(): void;
  onNotification(notification: Notification): void;
  /** A notification that we read came in a shape that we do not know. */
  onUnreadable(method: string): void;
  onDeclined(decline: Decline): void;
  /** The process is gone; nothing more will come. */
  onLost(): void;
}

export interface OpenThread {
  readonly threadId: string;
  readonly activeProfileId: string | null;
}

export interface AppServerConnection {
  readonly facts: BackendFacts;
  readonly pid: number;
  readonly ended: Promise<ChildExit>;
  /** Threads that this process was given and has not let go of. */
  readonly loadedThreads: ReadonlySet<string>;
  /** What is said of a thread goes to its listener; the returned function ends that. */
  listen(threadId: string, listener: ThreadListener): () => void;
  openThread(
    method: "thread/start" | "thread/resume" | "thread/fork",
    params: { threadId?: string; [name: string]: unknown },
  ): Promise<OpenThread>;
  startTurn(params: {
    threadId: string;
    input: { type: "text"; text: string }[];
    outputSchema?: unknown;
  }): Promise<string>;
  /** All turns of a thread, from its file: the thread is neither opened nor taken. */
  readTurns(threadId: string): Promise<readonly PastWireTurn[]>;
  interruptTurn(threadId: string, turnId: string): Promise<void>;
  /** Ends commands that a thread left running. */
  cleanTerminals(threadId: string): Promise<void>;
  /** Lets go of a thread, so that Codex may unload it. */
  releaseThread(threadId: string): Promise<void>;
  /** Names of the MCP servers in the user's own configuration, read anew. */
  userMcpServers(): Promise<string[]>;
  close(): Promise<void>;
  kill(): void;
}

const HANDSHAKE_WITHIN_MS = 20_000;
const CLIENT = { name: "codex_gpt_bridge", title: "codex-gpt-bridge" };

/**
 * Codex need not send what the bridge does not use. The small pieces of messages and of reasoning are not read either,
 * but they have to come: a model that speaks is not silent.
 */
const UNUSED_NOTIFICATIONS = ["item/commandExecution/outputDelta", "account/rateLimits/updated"];

export async function connectAppServer(
  parts: BackendParts,
  clientVersion: string,
  signal: AbortSignal,
): Promise<Result<AppServerConnection, HandshakeFailure>> {
  const listeners = new Map<string, ThreadListener>();
  const loadedThreads = new Set<string>();

  const rpc = createRpcConnection(
    {
      onNotification(method, params) {
        const threadId = threadIdOf(params);
        if (method === "thread/closed" && threadId !== null) loadedThreads.delete(threadId);
        const listener = threadId === null ? undefined : listeners.get(threadId);
        if (listener === undefined) return;
        listener.onHeard();
        const notification = parseNotification(method, params);
        if (notification === "broken") listener.onUnreadable(method);
        else if (notification !== null) listener.onNotification(notification);
      },
      onRequest(method, params) {
        if (method === "currentTime/read") return { currentTimeAt: Math.floor(parts.clock.now() / 1000) };
        const decline = declineRequest(method);
        if (decline === null) return null;
        const threadId = threadIdOf(params);
        if (threadId !== null) listeners.get(threadId)?.onDeclined(decline);
        return decline.result;
      },
    },
    parts.clock,
  );

  const spawned = await spawnChild(
    {
      command: parts.install.command,
      args: ["app-server"],
      env: parts.env,
      cwd: parts.cwd,
      endsWithStdout: true,
    },
    (line) => {
      rpc.receive(line);
    },
  );
  if (!spawned.ok) {
    return fail({ code: "codex_unsupported", reason: `Codex did not start (${spawned.failure.reason})` });
  }
  const child = spawned.value;
  let ended: ChildExit | null = null;
  void child.exited.then((exit) => {
    ended = exit;
  });
  rpc.attach(child);
  await parts.onChild?.(child.pid, child.exited);

  const giveUp = (): void => {
    child.kill();
  };
  signal.addEventListener("abort", giveUp);
  if (signal.aborted) giveUp();
  let facts: BackendFacts;
  try {
    facts = await shakeHands();
  } catch (error) {
    const failure = toHandshakeFailure("codex app-server", ended);
    const { stderrTail } = await child.stop();
    parts.log.error({ error: messageOf(error), stderrTail }, "codex app-server did not shake hands");
    return fail(failure);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
  void child.exited.then((exit) => {
    parts.log.info({ pid: child.pid, code: exit.code, signal: exit.signal }, "codex app-server ended");
    for (const listener of listeners.values()) listener.onLost();
  });

  async function shakeHands(): Promise<BackendFacts> {
    const answer = await rpc.request(
      "initialize",
      {
        clientInfo: { ...CLIENT, version: clientVersion },
        capabilities: { experimentalApi: true, optOutNotificationMethods: UNUSED_NOTIFICATIONS },
      },
      HANDSHAKE_WITHIN_MS,
    );
    rpc.notify("initialized");
    const { userAgent } = initializeResult.parse(answer);
    const codexVersion = /\/(\d+\.\d+\.\d+\S*)/.exec(userAgent)?.[1] ?? parts.install.version;
    return { kind: "app-server", codexVersion, loggedIn: await readLogin() };
  }

  /** Codex itself says whether its provider needs an account; where it cannot tell (offline), nor can we. */
  async function readLogin(): Promise<boolean | null> {
    try {
      const { account, requiresOpenaiAuth } = accountResult.parse(await rpc.request("account/read", {}));
      return !requiresOpenaiAuth || (account !== null && account !== undefined);
    } catch (error) {
      parts.log.debug({ error: messageOf(error) }, "codex could not tell whether it is logged in");
      return null;
    }
  }

  return ok({
    facts,
    pid: child.pid,
    ended: child.exited,
    loadedThreads,

    listen(threadId, listener) {
      listeners.set(threadId, listener);
      return () => {
        if (listeners.get(threadId) === listener) listeners.delete(threadId);
      };
    },

    async openThread(method, params) {
      const { thread, activePermissionProfile } = threadResult.parse(await rpc.request(method, params));
      const isTheWanted =
        method === "thread/resume"
          ? thread.id === params.threadId
          : thread.id !== params.threadId && !loadedThreads.has(thread.id);
      // Its story would be told to the caller of another.
      if (!isTheWanted) throw new Error(`${method} answered with another thread`);
      loadedThreads.add(thread.id);
      return { threadId: thread.id, activeProfileId: activePermissionProfile?.id ?? null };
    },

    async startTurn(params) {
      return turnStartResult.parse(await rpc.request("turn/start", params)).turn.id;
    },

    async readTurns(threadId) {
      return threadReadResult.parse(await rpc.request("thread/read", { threadId, includeTurns: true })).thread
        .turns;
    },

    async interruptTurn(threadId, turnId) {
      await rpc.request("turn/interrupt", { threadId, turnId });
    },

    async cleanTerminals(threadId) {
      await rpc.request("thread/backgroundTerminals/clean", { threadId });
    },

    async releaseThread(threadId) {
      await rpc.request("thread/unsubscribe", { threadId });
    },

    async userMcpServers() {
      const answer = await rpc.request("config/read", { includeLayers: false });
      return Object.keys(configResult.parse(answer).config.mcp_servers ?? {});
    },

    async close() {
      await child.stop();
    },

    kill() {
      child.kill();
    },
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
