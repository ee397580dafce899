/** Callers who go away while they wait: nothing of them stays, and what they asked for goes on. */
import { readdir, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { say, shell } from "../../src/demo/scripted-model/steps.ts";
import { connectHeapProbe } from "../bench/support/memory.ts";
import { startBridge, token, type RunningBridge } from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  type ScratchCodexHome,
  type ScratchProject,
} from "../support/scripted-codex.ts";

const LEAVERS = 1_000;
const AT_ONCE = 50;
/** What a thousand callers may leave in caches that are bounded; leaked ones are 22 MB (seen once). */
const MOST_BYTES = 4_000_000;

let model: ScriptedModel;
let home: ScratchCodexHome;
let project: ScratchProject;
let bridge: RunningBridge;

beforeAll(async () => {
  model = await startScriptedModel();
  home = await createCodexHome({ modelUrl: model.url });
  project = await createProject({ "readme.txt": "hello\n" });
  await writeFile(join(project.path, "wait"), "");
  bridge = await startBridge({
    codex: codexBinaries["0.169.0"],
    codexHome: home.path,
    roots: [project.path],
    flags: ["--fast-return-ms=25000", "--requests-per-minute=0"],
    env: { NODE_OPTIONS: "--inspect=127.0.0.1:0" },
  });
});
afterAll(async () => {
  await bridge?.stop();
  await model.close();
  await home.dispose();
  await project.dispose();
});

/** Sends a call that waits; the returned function hangs up. */
function callAndLeave(name: string, args: object, protocol: "2025-11-25" | "2026-07-28"): () => void {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": protocol,
    "io.modelcontextprotocol/clientInfo": { name: "leaver", version: "0" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const params = { name, arguments: args, ...(protocol === "2026-07-28" ? { _meta: meta } : {}) };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
  const outgoing = request(`${bridge.url}/mcp`, {
    method: "POST",
    agent: false,
    headers: {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      accept: "application/json, text/event-stream",
      authorization: `Bearer ${token}`,
      "mcp-protocol-version": protocol,
      ...(protocol === "2026-07-28" ? { "mcp-method": "tools/call", "mcp-name": name } : {}),
    },
  });
  outgoing.on("error", () => {}); // it is we who hang up
  outgoing.end(body);
  return () => outgoing.destroy();
}

/** That come and go besides: the model's, the inspector's, the caller's own. */
const SOME = 15;
const SOON = { timeout: 20_000, interval: 10 };

const sockets = async (): Promise<number> => (await readdir(`/proc/${bridge.pid}/fd`)).length;

test(
  `${LEAVERS} callers who hang up while they wait leave no memory, no listener and no socket; their job goes on`,
  { timeout: 300_000 },
  async () => {
    // Codex lets go of a command after a while and asks the model again: it waits once more.
    const wait = shell("while [ -e wait ]; do sleep 0.2; done", { yieldMs: 10_000 });
    model.script("be patient", [...Array.from({ length: 25 }, () => wait), say("it was worth it")]);
    const caller = await bridge.connect();
    const leaveFirst = callAndLeave("codex_read", { prompt: "be patient" }, "2026-07-28");
    const jobOf = async () => (await caller.call("codex_job_status", { waitMs: 0 })).content;
    await expect.poll(async () => (await jobOf()).progress?.commands, { timeout: 60_000 }).toBeGreaterThan(0);
    leaveFirst();
    const { jobId } = await jobOf();

    async function comeAndGo(count: number): Promise<void> {
      for (let done = 0; done < count; done += AT_ONCE) {
        const leave = Array.from({ length: AT_ONCE }, (_, n) =>
          callAndLeave(
            "codex_job_status",
            n % 3 === 0 ? { jobId, cursor: "999" } : { jobId },
            n % 2 === 0 ? "2026-07-28" : "2025-11-25",
          ),
        );
        await expect.poll(sockets, SOON).toBeGreaterThan(idle + AT_ONCE - SOME);
        await caller.call("bridge_status"); // answered after what came before it
        for (const hangUp of leave) hangUp();
        await expect.poll(sockets, SOON).toBeLessThan(idle + SOME);
      }
    }

    const idle = await sockets();
    await comeAndGo(200);
    const probe = await connectHeapProbe(bridge.strayLines.join("\n"));
    const heapBefore = await probe.heapBytes();
    await comeAndGo(LEAVERS);
    const heapAfter = await probe.heapBytes();
    probe.close();
    expect(heapAfter - heapBefore).toBeLessThan(MOST_BYTES);
    expect(bridge.strayLines.filter((line) => /MaxListeners|Warning|Error/.test(line))).toEqual([]);
    expect(bridge.logLines.filter(({ level }) => level === "error")).toEqual([]);

    expect(await jobOf()).toMatchObject({ jobId, status: "running" });
    await rm(join(project.path, "wait"));
    const { content } = await caller.finish("codex_job_status", { jobId });
    expect(content).toMatchObject({ jobId, status: "completed", answer: "it was worth it" });
    await caller.close();
  },
);
