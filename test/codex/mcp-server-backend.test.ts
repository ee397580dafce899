import { chmod, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { BackendParts, CodexBackend, TurnOutcome, TurnRequest } from "../../src/codex/backend.ts";
import type { CodexEvent } from "../../src/codex/events.ts";
import { createMcpServerBackend } from "../../src/codex/mcp-server/backend.ts";
import { systemClock, type Clock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { grantFor } from "../support/grant.ts";

/** A program that speaks like codex mcp-server and misbehaves as the prompt says. */
const FAKE_CODEX = `#!${process.execPath}
const [command] = process.argv.slice(2);
if (command === "mcp") {
  console.log("[]");
  process.exit(0);
}
if (process.env.FAKE_STILLBORN === "1") process.exit(1);
if (process.env.FAKE_STILLBORN === "killed") process.kill(process.pid, "SIGKILL");
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => hear(JSON.parse(line)));
const write = (message) => console.log(JSON.stringify({ jsonrpc: "2.0", ...message }));
let turns = 0;
function hear({ id, method, params }) {
  if (method === "initialize") {
    const serverInfo = { name: "codex-mcp-server", version: "0.153.4" };
    return write({ id, result: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo } });
  }
  if (method !== "tools/call") return;
  const { prompt, config, threadId = "thread-" + id } = params.arguments;
  const turn = "turn-" + (turns += 1);
  const tell = (msg, of = turn) =>
    write({ method: "codex/event", params: { _meta: { requestId: id, threadId }, id: of, msg } });
  const profile = prompt === "unconfined" ? "workspace" : config?.default_permissions;
  if (config !== undefined) {
    tell({ type: "session_configured", thread_id: threadId, active_permission_profile: { id: profile } }, "");
  }
  tell({ type: "task_started" });
  if (prompt === "ignore the cancellation" || prompt === "unconfined") return;
  if (prompt === "die") process.exit(3);
  if (prompt === "garble") {
    console.log("thread 'main' panicked");
    console.log('"just a string"');
    tell({ type: "agent_message", message: ["not", "a", "text"] });
    tell({ type: "never_heard_of_it", threadId: "x" });
    write({ method: "codex/event", params: "nonsense" });
  }
  if (prompt !== "say nothing") tell({ type: "agent_message", message: "echo: " + prompt });
  tell({ type: "task_complete", last_agent_message: prompt === "say nothing" ? null : "echo: " + prompt });
  write({ id, result: { content: [], structuredContent: { threadId, content: "" } } });
}
`;

let directory: string;
let parts: BackendParts;
let backend: CodexBackend;

/** Every wait of the backend is 20 times shorter. */
const fastClock: Clock = { ...systemClock, after: (ms, then) => systemClock.after(ms / 20, then) };

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), "fake-codex-")));
  const command = join(directory, "codex");
  await writeFile(command, FAKE_CODEX);
  await chmod(command, 0o755);
  parts = {
    install: { command, version: "0.153.4", programDirectories: [directory], hasMcpServer: true },
    env: { PATH: "/usr/bin:/bin", CODEX_HOME: directory },
    cwd: directory,
    clock: fastClock,
    log: silentLog,
    silenceMs: 20_000,
  };
  backend = createMcpServerBackend(parts, null, "0.0.0-test");
});
afterEach(async () => {
  await backend.close();
  await rm(directory, { recursive: true });
});

async function run(
  prompt: string,
  options: { thread?: TurnRequest["thread"]; outputSchema?: unknown; abortAt?: CodexEvent["type"] } = {},
): Promise<{ outcome: TurnOutcome; events: CodexEvent[] }> {
  const stop = new AbortController();
  const events: CodexEvent[] = [];
  const outcome = await backend.runTurn(
    {
      grant: await grantFor(directory),
      thread: options.thread ?? { kind: "new" },
      prompt,
      outputSchema: options.outputSchema ?? null,
      projectInstructions: null,
    },
    (event) => {
      events.push(event);
      if (event.type === options.abortAt) stop.abort();
    },
    stop.signal,
  );
  return { outcome, events };
}

test("a turn runs, and a reply goes to the process that holds the thread", async () => {
  const first = await run("hello");
  expect(first.outcome).toMatchObject({ failure: null, answer: "echo: hello", turnId: "turn-1" });
  const threadId = first.outcome.threadId ?? "";
  const { outcome, events } = await run("again", { thread: { kind: "resume", threadId } });
  expect(outcome).toMatchObject({ failure: null, answer: "echo: again", turnId: "turn-2", threadId });
  expect(events[0]).toEqual({ type: "thread", threadId });
});

test("a thread whose profile Codex did not apply is stopped, whatever it says", async () => {
  const { outcome } = await run("unconfined");
  expect(outcome.failure?.code).toBe("confinement_unavailable");
});

test("a process that ignores a cancellation is left behind", async () => {
  const { outcome } = await run("ignore the cancellation", { abortAt: "turn" });
  expect(outcome.failure?.code).toBe("interrupted");
  const thread = { kind: "resume", threadId: outcome.threadId ?? "" } as const;
  expect((await run("hello", { thread })).outcome.failure?.code).toBe("codex_unsupported");
  const next = await run("hello");
  expect(next.outcome).toMatchObject({ failure: null, turnId: "turn-1" }); // the first of a new process
});

test("a model that says nothing at all is given up", async () => {
  backend = createMcpServerBackend({ ...parts, silenceMs: 1_000 }, null, "0.0.0-test");
  const { outcome } = await run("ignore the cancellation");
  expect(outcome.failure).toEqual({ code: "timeout", limitMs: 1_000, what: "model" });
});

test("a process that dies ends the turn, and the next turn gets a new one", async () => {
  expect((await run("die")).outcome.failure?.code).toBe("interrupted");
  expect((await run("hello")).outcome.failure).toBeNull();
});

test("what cannot be read is told as a warning and breaks nothing", async () => {
  const { outcome, events } = await run("garble");
  expect(outcome).toMatchObject({ failure: null, answer: "echo: garble" });
  expect(events.filter(({ type }) => type === "warning")).toHaveLength(1);
});

test("an end without an answer is a failure", async () => {
  const { outcome } = await run("say nothing");
  expect(outcome.failure).toMatchObject({ code: "codex_failed", kind: "noAnswer" });
});

test("an output schema is refused before anything starts", async () => {
  const { outcome, events } = await run("hello", { outputSchema: { type: "object" } });
  expect(outcome.failure?.code).toBe("codex_unsupported");
  expect(events).toEqual([]);
});

test("a program that does not shake hands is refused, and so is one that does not start", async () => {
  const stillborn = createMcpServerBackend(
    { ...parts, env: { ...parts.env, FAKE_STILLBORN: "1" } },
    null,
    "0",
  );
  const killed = createMcpServerBackend(
    { ...parts, env: { ...parts.env, FAKE_STILLBORN: "killed" } },
    null,
    "0",
  );
  const install = { ...parts.install, command: join(directory, "missing") };
  const missing = createMcpServerBackend({ ...parts, install }, null, "0");
  expect((await missing.connect()).ok).toBe(false);
  expect(await stillborn.connect()).toMatchObject({ ok: false, failure: { code: "codex_unsupported" } });
  expect(await killed.connect()).toEqual({
    ok: false,
    failure: { code: "codex_unsupported", reason: "it is killed each time it starts" },
  });
  await killed.close();
  await stillborn.close();
  await missing.close();
});

test("a closed backend runs nothing more, and its running turn is interrupted", async () => {
  const running = run("ignore the cancellation");
  await new Promise((resolve) => {
    setTimeout(resolve, 300);
  });
  await backend.close();
  expect((await running).outcome.failure?.code).toBe("interrupted");
  expect((await run("hello")).outcome.failure?.code).toBe("interrupted");
});
