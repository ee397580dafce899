/** Does a bridge answer on this machine? Asks `/healthz` and `/readyz`, which need no credential. */
import type { Config } from "../config/load.ts";

export interface BridgeHealth {
  readonly up: boolean;
  /** For the owner: "ready", "up, starting", "up, not ready: codex_not_found", "no answer". */
  readonly state: string;
}

const STARTING = "up, starting";
const ASK_MS = 3_000;
const START_MS = 30_000;
const PAUSE_MS = 200;

export function bridgeUrl({ host, port }: Pick<Config, "host" | "port">): string {
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

export async function askBridge(url: string): Promise<BridgeHealth> {
  try {
    const health = await ask(`${url}/healthz`);
    if (health["name"] !== "codex-gpt-bridge") return { up: false, state: "another program answers there" };
    const ready = await ask(`${url}/readyz`);
    if (ready["ok"] === true) return { up: true, state: "ready" };
    const { reason } = ready;
    return { up: true, state: reason === "starting" ? STARTING : `up, not ready: ${String(reason)}` };
  } catch {
    return { up: false, state: "no answer" };
  }
}

/** Waits for a bridge that has just been started, until it is ready or says why it is not. */
export async function awaitBridge(url: string): Promise<BridgeHealth> {
  const deadline = performance.now() + START_MS;
  for (;;) {
    const health = await askBridge(url);
    const isSettled = health.up && health.state !== STARTING;
    if (isSettled || performance.now() > deadline) return health;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

async function ask(url: string): Promise<Record<string, unknown>> {
  const response = await fetch(url, { signal: AbortSignal.timeout(ASK_MS) });
  const body: unknown = await response.json();
  return typeof body === "object" && body !== null ? { ...body } : {};
}
