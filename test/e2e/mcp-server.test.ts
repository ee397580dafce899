import { existsSync } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createAppServerBackend } from "../../src/codex/app-server/backend.ts";
import type { BackendParts, CodexBackend, TurnOutcome, TurnRequest } from "../../src/codex/backend.ts";
import type { CodexEvent } from "../../src/codex/events.ts";
import { createMcpServerBackend } from "../../src/codex/mcp-server/backend.ts";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import {
  dropConnection,
  httpError,
  patch,
  say,
  shell,
  silence,
} from "../../src/demo/scripted-model/steps.ts";
import type { Log } from "../../src/lib/log.ts";
import { silentLog } from "../../src/lib/log.ts";
import type { GrantTerms } from "../../src/policy/grant.ts";
import { codexBackendContract, partsFor } from "../contract/codex-backend.ts";
import { grantFor } from "../support/grant.ts";
import {
  createCodexHome,
  createProject,
  descendants,
  isAlive,
  type ScratchCodexHome,
  type ScratchProject,
} from "../support/scripted-codex.ts";

const VERSION = "0.153.4";

codexBackendContract({
  name: "mcp-server",
  version: VERSION,
  create: withResumer,
  lacks: ["outputSchema"],
});

describe("what only codex mcp-server needs", () => {
  let model: ScriptedModel;
  let home: ScratchCodexHome;
  let project: ScratchProject;
  let parts: BackendParts;
  let backend: CodexBackend;

  beforeEach(async () => {
    model = await startScriptedModel();
    home = await createCodexHome({ modelUrl: model.url, retries: 1 });
    project = await createProject({ "readme.txt": "hello\n" });
    parts = await partsFor(VERSION, home.path);
    backend = withResumer(parts);
  });
  afterEach(async () => {
    await backend.close();
    await model.close();
    await home.dispose();
    await project.dispose();
  });

  test("three replies in a row are answered after an abort, in the same process", async () => {
    backend = createMcpServerBackend(parts, null, "0.0.0-test");
    const threadId = await aborted("wait", [silence("before", 60_000)], (event) => event.type === "turn");
    const pid = await pidOf("mcp-server");
    for (const word of ["one", "two", "three"]) {
      model.script(`say ${word}`, [shell("cat readme.txt"), say(word)]);
      const { outcome, events } = await run(`say ${word}`, { thread: { kind: "resume", threadId } });
      expect(outcome).toMatchObject({ failure: null, answer: word, threadId });
      expect(events.map(({ type }) => type)).toEqual(
        expect.arrayContaining(["thread", "turn", "command-finished", "message", "usage"]),
      );
    }
    expect(await pidOf("mcp-server")).toBe(pid);
  });

  test("an abort leaves no process of the turn behind, and none of another turn is touched", async () => {
    const command = shell("sleep 30; echo slept", { yieldMs: 60_000 });
    model.script("the other", [shell("sleep 3; echo slept", { yieldMs: 60_000 }), say("slept well")]);
    const other = run("the other");
    await aborted("the one", [command, say("never")], (event) => event.type === "command-started");
    const codex = await pidOf("mcp-server");
    expect(await commandLines(codex)).not.toContain("sleep 30");
    expect(await commandLines(codex)).toContain("sleep 3;");
    expect((await other).outcome).toMatchObject({ failure: null, answer: "slept well" });
  });

  test("aborting the one of two turns with the same command ends that one alone", async () => {
    const steps = [shell("sleep 4; echo slept", { yieldMs: 60_000 }), say("slept well")];
    model.script("twin", steps);
    const other = run("twin");
    await aborted("the other twin", steps, (event) => event.type === "command-started");
    expect((await other).outcome).toMatchObject({ failure: null, answer: "slept well" });
  });

  test.each([0, 5, 20, 40, 80, 160, 320])("an abort after %d ms ends within seconds", async (afterMs) => {
    await backend.connect();
    model.script("abort me", [shell("sleep 50", { yieldMs: 60_000 }), say("never")]);
    const stop = new AbortController();
    const turn = run("abort me", { signal: stop.signal });
    setTimeout(() => stop.abort(), afterMs);
    const stoppedAt = performance.now() + afterMs;
    const { outcome } = await turn;
    expect(outcome.failure?.code).toBe("interrupted");
    expect(performance.now() - stoppedAt).toBeLessThan(5_000);
    await expect.poll(async () => commandLines(await pidOf("mcp-server"))).not.toContain("sleep 50");
    if (outcome.threadId === null) return;
    model.script("go on", [say("on")]);
    const next = await run("go on", { thread: { kind: "resume", threadId: outcome.threadId } });
    expect(next.outcome).toMatchObject({ failure: null, answer: "on" });
  });

  test("a reply after a failed turn is never an empty success", async () => {
    model.script("fail", [httpError(500)]);
    const { outcome: failed } = await run("fail");
    expect(failed.failure).toMatchObject({ code: "codex_failed", kind: "internalServerError" });
    model.script("recover", [say("recovered")]);
    const thread = { kind: "resume", threadId: failed.threadId ?? "" } as const;
    expect((await run("recover", { thread })).outcome).toMatchObject({ failure: null, answer: "recovered" });
    expect((await run("recover", { thread })).outcome).toMatchObject({ failure: null, answer: "recovered" });
  });

  test("without a resumer, a reply after a failed turn is refused", async () => {
    backend = createMcpServerBackend(parts, null, "0.0.0-test");
    model.script("fail", [httpError(500)]);
    const threadId = (await run("fail")).outcome.threadId ?? "";
    const asked = model.requests.length;
    for (const kind of ["resume", "fork"] as const) {
      const { outcome } = await run("recover", { thread: { kind, threadId } });
      expect(outcome.failure?.code).toBe("codex_unsupported");
    }
    expect(model.requests.length).toBe(asked);
  });

  test("a reply that needs a new process waits for the turns of the old one", async () => {
    model.script("fail", [httpError(500)]);
    const threadId = (await run("fail")).outcome.threadId ?? "";
    model.script("long", [say("word ".repeat(20), { chunks: 20, chunkMs: 100 })]);
    const order: string[] = [];
    const long = run("long").finally(() => order.push("long"));
    model.script("recover", [say("recovered")]);
    const reply = run("recover", { thread: { kind: "resume", threadId } }).finally(() => order.push("reply"));
    model.script("meanwhile", [say("new process")]);
    expect((await run("meanwhile")).outcome).toMatchObject({ failure: null, answer: "new process" });
    expect((await long).outcome.failure).toBeNull();
    expect((await reply).outcome).toMatchObject({ failure: null, answer: "recovered", threadId });
    expect(order).toEqual(["long", "reply"]);
  });

  test("after kill -9 in a turn, its thread goes on through the resumer", async () => {
    model.script("long", [say("word ".repeat(50), { chunks: 50, chunkMs: 100 })]);
    const { outcome } = await run("long", {
      onEvent: (event) => {
        if (event.type === "turn") {
          void pidOf("mcp-server").then((pid) => process.kill(pid, "SIGKILL"));
        }
      },
    });
    expect(outcome.failure).toMatchObject({ code: "interrupted", reason: "The Codex process ended." });
    model.script("go on", [say("on")]);
    const thread = { kind: "resume", threadId: outcome.threadId ?? "" } as const;
    expect((await run("go on", { thread })).outcome).toMatchObject({ failure: null, answer: "on" });
    expect((await run("go on", { thread })).outcome).toMatchObject({ failure: null, answer: "on" });
  });

  test("a reply on a thread that works is refused and reaches no model", async () => {
    model.script("busy", [say("word ".repeat(10), { chunks: 10, chunkMs: 100 })]);
    const second = Promise.withResolvers<TurnOutcome>();
    const first = await run("busy", {
      onEvent: (event) => {
        if (event.type !== "turn") return;
        const { threadId } = busyThread;
        void run("cut in", { thread: { kind: "resume", threadId } }).then(({ outcome }) =>
          second.resolve(outcome),
        );
      },
      onThread: (threadId) => (busyThread.threadId = threadId),
    });
    expect((await second.promise).failure).toEqual({ code: "thread_busy" });
    expect(first.outcome.failure).toBeNull();
    expect(JSON.stringify(model.requests)).not.toContain("cut in");
  });
  const busyThread = { threadId: "" };

  test("what the owner wants to be asked about is not run unasked", async () => {
    const { outcome } = await run("anything", { terms: { approvalPolicy: "untrusted" } });
    expect(outcome.failure?.code).toBe("codex_unsupported");
    expect(model.requests).toHaveLength(0);
  });

  test("a patch that needs an approval is declined and the turn goes on", async () => {
    const edit = "*** Begin Patch\n*** Add File: made.txt\n+one\n*** End Patch";
    model.script("patch it", [patch(edit), say("I was told no.")]);
    const { outcome, events } = await run("patch it", { terms: { approvalPolicy: "on-request" } });
    expect(outcome).toMatchObject({ failure: null, answer: "I was told no.", changes: [] });
    expect(events.filter(({ type }) => type === "declined")).toHaveLength(1);
    expect(existsSync(`${project.path}/made.txt`)).toBe(false);
  });

  test("the effort of the grant reaches the model, and a retry is told", async () => {
    model.script("try hard", [dropConnection("mid", { times: 1 }), say("tried")]);
    const { outcome, events } = await run("try hard", { terms: { effort: "high" } });
    expect(outcome).toMatchObject({ failure: null, answer: "tried" });
    expect(events.map(({ type }) => type)).toContain("retrying");
    expect(model.requests.at(-1)?.effort).toBe("high");
  });

  test("the user's own MCP servers start only where the grant names them, also new ones", async () => {
    const add = async (name: string): Promise<void> => {
      const touch = `args = ["-c", "touch ${home.path}/started-${name}; sleep 1"]`;
      await appendFile(
        `${home.path}/config.toml`,
        `\n[mcp_servers.${name}]\ncommand = "/bin/sh"\n${touch}\n`,
      );
    };
    await add("first");
    model.script("hello", [say("hi")]);
    expect((await run("hello")).outcome.failure).toBeNull();
    await add("second");
    expect((await run("hello")).outcome.failure).toBeNull();
    expect((await run("hello", { terms: { mcpServers: ["second"] } })).outcome.failure).toBeNull();
    expect(existsSync(`${home.path}/started-second`)).toBe(true);
    expect(existsSync(`${home.path}/started-first`)).toBe(false);
  });

  test("the deprecation is told once", async () => {
    const told: string[] = [];
    const log: Log = { ...silentLog, warn: (_fields, message) => told.push(message) };
    backend = withResumer({ ...parts, log });
    await backend.connect();
    process.kill(await pidOf("mcp-server"), "SIGKILL");
    await expect.poll(async () => (await backend.connect()).ok).toBe(true);
    expect(told.filter((message) => message.includes("deprecated"))).toHaveLength(1);
  });

  test("closing after an abort ends the process too, which would live on by itself", async () => {
    await aborted("wait", [silence("before", 60_000)], (event) => event.type === "turn");
    const pid = await pidOf("mcp-server");
    const startedAt = performance.now();
    await backend.close();
    expect(performance.now() - startedAt).toBeLessThan(6_000);
    expect(await isAlive(pid)).toBe(false);
  });

  test("a Codex that has no mcp-server is refused", async () => {
    const newer = await partsFor("0.169.0", home.path);
    const own = createMcpServerBackend(newer, null, "0.0.0-test");
    expect(await own.connect()).toMatchObject({ ok: false, failure: { code: "codex_unsupported" } });
    await own.close();
  });

  async function run(
    prompt: string,
    options: {
      terms?: Partial<GrantTerms>;
      thread?: TurnRequest["thread"];
      signal?: AbortSignal;
      onEvent?: (event: CodexEvent) => void;
      onThread?: (threadId: string) => void;
    } = {},
  ): Promise<{ outcome: TurnOutcome; events: CodexEvent[] }> {
    const events: CodexEvent[] = [];
    const outcome = await backend.runTurn(
      {
        grant: await grantFor(project.path, options.terms),
        thread: options.thread ?? { kind: "new" },
        prompt,
        outputSchema: null,
        projectInstructions: null,
      },
      (event) => {
        events.push(event);
        if (event.type === "thread") options.onThread?.(event.threadId);
        options.onEvent?.(event);
      },
      options.signal ?? new AbortController().signal,
    );
    return { outcome, events };
  }

  /** Runs a turn and aborts it 200 ms after `when` has come true; the thread's id. */
  async function aborted(
    prompt: string,
    steps: Parameters<ScriptedModel["script"]>[1],
    when: (event: CodexEvent) => boolean,
  ): Promise<string> {
    model.script(prompt, steps);
    const stop = new AbortController();
    let stoppedAt = 0;
    const { outcome } = await run(prompt, {
      signal: stop.signal,
      onEvent: (event) => {
        if (!when(event)) return;
        setTimeout(() => {
          stoppedAt = performance.now();
          stop.abort();
        }, 200);
      },
    });
    expect(performance.now() - stoppedAt).toBeLessThan(5_000);
    expect(outcome.failure?.code).toBe("interrupted");
    return outcome.threadId ?? "";
  }

  /** The Codex process of this test that runs as `kind`. */
  async function pidOf(kind: "mcp-server" | "app-server"): Promise<number> {
    await backend.connect();
    for (const pid of await descendants(process.pid)) {
      const environ = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
      const cmdline = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
      if (environ.includes(`CODEX_HOME=${home.path}`) && cmdline.includes(`codex\0${kind}`)) return pid;
    }
    throw new Error(`no codex ${kind}`);
  }
});

function withResumer(parts: BackendParts): CodexBackend {
  return createMcpServerBackend(parts, createAppServerBackend(parts, "0.0.0-test"), "0.0.0-test");
}

async function commandLines(pid: number): Promise<string> {
  const all = await Promise.all(
    (await descendants(pid)).map(async (child) => readFile(`/proc/${child}/cmdline`, "utf8").catch(() => "")),
  );
  return all.join("\n").replaceAll("\0", " ");
}
