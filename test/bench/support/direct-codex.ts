/**
 * The reference: `codex app-server` driven by a bare script, under the same profile and config as the bridge's, and
 * letting go of threads as the bridge does. Nothing is checked, recorded or bounded.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { findCodex } from "../../../src/codex/install.ts";
import { toThreadConfinement } from "../../../src/codex/confinement.ts";
import { grantFor } from "../../support/grant.ts";

export interface DirectCodex {
  readonly pid: number;
  /** From `thread/start` to `turn/completed`; the answer, and when its last line was there. */
  runTurn(prompt: string): Promise<{ readonly answer: string; readonly at: number }>;
  close(): Promise<void>;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly threadId?: string; readonly item?: { type: string; text?: string } };
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

interface Turn {
  answer: string;
  readonly done: (end: { answer: string; at: number }) => void;
}

export async function startDirectCodex(
  binary: string,
  codexHome: string,
  project: string,
): Promise<DirectCodex> {
  const env = codexEnvironment(codexHome);
  const install = await findCodex({
    codex: binary,
    path: "",
    env,
    skipUnder: null,
    isInProject: () => false,
  });
  if (!install.ok) throw new Error(`no codex: ${install.failure.code}`);
  const { programDirectories } = install.value;
  const grant = await grantFor(project);
  const { config, profileId } = toThreadConfinement(grant, { programDirectories, userMcpServers: [] });

  const child = spawn(binary, ["app-server"], {
    cwd: codexHome,
    env,
    detached: true,
    stdio: ["pipe", "pipe", "ignore"],
  });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  const turns = new Map<string, Turn>();
  let lastId = 0;
  let rest = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) hear(JSON.parse(line) as Message);
  });

  function hear({ id, method, params, result, error }: Message): void {
    if (method === undefined) {
      const asked = waiting.get(id ?? 0);
      waiting.delete(id ?? 0);
      if (error === undefined) asked?.resolve(result);
      else asked?.reject(new Error(error.message));
      return;
    }
    const threadId = params?.threadId ?? "";
    const turn = turns.get(threadId);
    if (turn === undefined) return;
    if (method === "item/completed" && params?.item?.type === "agentMessage")
      turn.answer = params.item.text ?? "";
    if (method !== "turn/completed") return;
    turns.delete(threadId);
    turn.done({ answer: turn.answer, at: performance.now() });
    void request("thread/unsubscribe", { threadId });
  }

  function request(method: string, params: object): Promise<unknown> {
    const id = ++lastId;
    child.stdin.write(`${JSON.stringify({ id, method, params })}\n`);
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
    });
  }

  await request("initialize", {
    clientInfo: { name: "bench", title: "bench", version: "0.0.0" },
    capabilities: {
      experimentalApi: true,
      optOutNotificationMethods: ["item/agentMessage/delta", "item/commandExecution/outputDelta"],
    },
  });
  child.stdin.write('{"method":"initialized"}\n');

  return {
    pid: child.pid ?? 0,
    async runTurn(prompt) {
      const { thread, activePermissionProfile } = (await request("thread/start", {
        cwd: project,
        approvalPolicy: grant.approvalPolicy,
        config,
      })) as { thread: { id: string }; activePermissionProfile?: { id: string } };
      if (activePermissionProfile?.id !== profileId) throw new Error("codex did not apply the profile");
      const ended = new Promise<{ answer: string; at: number }>((resolve) => {
        turns.set(thread.id, { answer: "", done: resolve });
      });
      await request("turn/start", { threadId: thread.id, input: [{ type: "text", text: prompt }] });
      return ended;
    },
    async close() {
      child.stdin.end();
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}

/**
 * What the bridge gives its Codex too. An empty home: with every thread Codex runs the user's shell once to learn its
 * environment, and a slow `.bashrc` would be measured instead of Codex.
 */
export function codexEnvironment(codexHome: string): Record<string, string> {
  const { PATH = "", LANG = "C.UTF-8" } = process.env;
  return { HOME: codexHome, PATH, LANG, CODEX_HOME: codexHome };
}
