/** The app-server driver against a program that plays Codex without a model: what real Codexes do rarely. */
import { chmod, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createAppServerBackend } from "../../src/codex/app-server/backend.ts";
import type { CodexBackend, TurnRequest } from "../../src/codex/backend.ts";
import type { CodexEvent } from "../../src/codex/events.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { grantFor } from "../support/grant.ts";

const program = fileURLToPath(new URL("../support/fixture-child-app-server.ts", import.meta.url));
let scratch: string;
let backends: CodexBackend[];
beforeEach(async () => {
  scratch = await realpath(await mkdtemp(join(tmpdir(), "app-server-")));
  backends = [];
  await writeFile(join(scratch, "codex"), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`);
  await chmod(join(scratch, "codex"), 0o755);
});
afterEach(async () => {
  await Promise.all(backends.map(async (backend) => backend.close()));
  await rm(scratch, { recursive: true, force: true });
});

function backendWith(fixture = "", silenceMs = 20_000, clock = systemClock): CodexBackend {
  const backend = createAppServerBackend(
    {
      install: {
        command: join(scratch, "codex"),
        version: "0.169.0",
        programDirectories: ["/opt/codex/bin"],
        hasMcpServer: false,
      },
      env: { FIXTURE: fixture, FIXTURE_LOG: join(scratch, "log") },
      cwd: scratch,
      clock,
      log: silentLog,
      silenceMs,
    },
    "1.2.3",
  );
  backends.push(backend);
  return backend;
}

/** By default as the machine's lack of memory would do it. */
async function dieAtNextStarts(times: number, death = "kill -9 $$"): Promise<void> {
  for (let n = 0; n < times; n++) await writeFile(join(scratch, `death-${n}`), "");
  const dying = `for due in "${scratch}"/death-*; do [ -e "$due" ] && rm "$due" && { ${death}; }; done`;
  await writeFile(
    join(scratch, "codex"),
    `#!/bin/sh\n${dying}\nexec "${process.execPath}" "${program}" "$@"\n`,
  );
}

interface Options {
  readonly thread?: TurnRequest["thread"];
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: CodexEvent) => void;
}

async function run(backend: CodexBackend, prompt: string, options: Options = {}) {
  const events: CodexEvent[] = [];
  const outcome = await backend.runTurn(
    {
      grant: await grantFor(scratch),
      thread: options.thread ?? { kind: "new" },
      prompt,
      outputSchema: null,
      projectInstructions: "Be kind.",
    },
    (event) => {
      events.push(event);
      options.onEvent?.(event);
    },
    options.signal ?? new AbortController().signal,
  );
  return { outcome, events };
}

async function messages(): Promise<{ method?: string; params?: Record<string, unknown> }[]> {
  // The last line may be half written yet.
  const lines = (await readFile(join(scratch, "log"), "utf8")).split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as { method?: string });
}

describe("the handshake", () => {
  test.each([
    { fixture: "", facts: { kind: "app-server", codexVersion: "9.9.9", loggedIn: true } },
    { fixture: "no-version", facts: { codexVersion: "0.169.0" } },
    { fixture: "garbage", facts: { codexVersion: "9.9.9" } },
    { fixture: "account", facts: { loggedIn: true } },
    { fixture: "needs-login", facts: { loggedIn: false } },
    { fixture: "refuses:account/read", facts: { loggedIn: null } },
  ])("with a Codex that is $fixture", async ({ fixture, facts }) => {
    expect(await backendWith(fixture).connect()).toMatchObject({ ok: true, value: facts });
  });

  test.each(["dies-at-start", "refuses:initialize"])(
    "that fails (%s) is a refusal, not a throw",
    async (fixture) => {
      expect(await backendWith(fixture).connect()).toEqual({
        ok: false,
        failure: { code: "codex_unsupported", reason: "codex app-server did not answer its handshake" },
      });
    },
  );

  test("from which Codex was killed is tried once more", async () => {
    await dieAtNextStarts(1);
    expect(await backendWith().connect()).toMatchObject({ ok: true });
  });

  test.each(["kill -9 $$", "sh -c 'kill -9 $$'; exit $?"])(
    "from which Codex was killed ends a turn as interrupted once it has answered before (%s)",
    async (death) => {
      const backend = backendWith();
      expect(await backend.connect()).toMatchObject({ ok: true });
      await run(backend, "die");
      await dieAtNextStarts(2, death);
      const { failure } = (await run(backend, "say never")).outcome;
      expect(failure).toEqual({ code: "interrupted", reason: "Codex was killed while it started." });
      expect((await run(backend, "say back")).outcome).toMatchObject({ failure: null, answer: "back" });
    },
  );

  test("at which Codex is killed each time is no handshake to wait for", async () => {
    const unsupported = { code: "codex_unsupported", reason: "it is killed each time it starts" };
    const stranger = backendWith("dies-at:initialize");
    expect(await stranger.connect()).toEqual({ ok: false, failure: unsupported });
    const backend = backendWith();
    expect(await backend.connect()).toMatchObject({ ok: true });
    await run(backend, "die");
    await dieAtNextStarts(8);
    const codes: (string | undefined)[] = [];
    for (let call = 0; call < 4; call++) codes.push((await run(backend, "say x")).outcome.failure?.code);
    expect(codes).toEqual(["interrupted", "interrupted", "interrupted", "codex_unsupported"]);
    expect((await run(backend, "say back")).outcome).toMatchObject({ failure: null, answer: "back" });
  });

  test("that fails by an exit code is the program's own, also when it has answered before", async () => {
    const backend = backendWith();
    expect(await backend.connect()).toMatchObject({ ok: true });
    await run(backend, "die");
    await dieAtNextStarts(1, "exit 1");
    expect((await run(backend, "say x")).outcome.failure).toMatchObject({ code: "codex_unsupported" });
  });

  test("with a program that is gone is a refusal", async () => {
    const backend = backendWith();
    await rm(join(scratch, "codex"));
    expect(await backend.connect()).toMatchObject({ ok: false, failure: { code: "codex_unsupported" } });
    expect((await run(backend, "say x")).outcome.failure).toMatchObject({ code: "codex_unsupported" });
  });
});

describe("opening a thread", () => {
  test("sends the profile, the project's words and the owner's approval policy, and no sandbox mode", async () => {
    await run(backendWith(), "say hello");
    const opened = (await messages()).find(({ method }) => method === "thread/start");
    expect(opened?.params).toMatchObject({
      cwd: scratch,
      approvalPolicy: "never",
      developerInstructions: "Be kind.",
      config: { default_permissions: expect.stringMatching(/^bridge-[0-9a-f]{16}$/) },
    });
    expect(Object.keys(opened?.params ?? {})).not.toContain("sandbox");
    expect(JSON.stringify(opened?.params)).not.toContain("sandbox_mode");
    expect(JSON.stringify(opened?.params)).toContain("docs");
  });

  test("whose profile Codex does not confirm ends without a turn", async () => {
    const { outcome } = await run(backendWith("no-profile"), "say hello");
    expect(outcome.failure).toMatchObject({ code: "confinement_unavailable" });
    expect((await messages()).map(({ method }) => method)).not.toContain("turn/start");
  });

  test("is not tried when Codex cannot say which MCP servers it would start", async () => {
    const { outcome } = await run(backendWith("refuses:config/read"), "say hello");
    expect(outcome.failure).not.toBeNull();
    expect((await messages()).map(({ method }) => method)).not.toContain("thread/start");
  });

  test("that Codex does not know is unknown", async () => {
    const { outcome } = await run(backendWith("refuses:thread/resume"), "say hello", {
      thread: { kind: "resume", threadId: "gone" },
    });
    expect(outcome.failure).toEqual({ code: "unknown_thread" });
  });

  test("by resume and fork names the thread", async () => {
    const backend = backendWith();
    expect(
      (await run(backend, "say a", { thread: { kind: "resume", threadId: "t" } })).outcome.threadId,
    ).toBe("t");
    expect((await run(backend, "say b", { thread: { kind: "fork", threadId: "t" } })).outcome.threadId).toBe(
      "fork-of-t",
    );
  });
});

describe("a turn", () => {
  test("answers, and its thread is told first and let go of at the end", async () => {
    const { outcome, events } = await run(backendWith(), "say hello there");
    expect(outcome).toMatchObject({ failure: null, answer: "hello there" });
    expect(events.map(({ type }) => type)).toEqual(["thread", "turn", "message"]);
    await expect.poll(async () => (await messages()).at(-1)?.method).toBe("thread/unsubscribe");
  });

  test("goes on past notifications that nobody can read, and says so", async () => {
    const { outcome, events } = await run(backendWith(), "unreadable");
    expect(outcome).toMatchObject({ failure: null, answer: "still fine" });
    expect(events.filter(({ type }) => type === "warning")).toHaveLength(2);
  });

  test.each([
    { method: "item/commandExecution/requestApproval", answer: '{"decision":"decline"}', declined: true },
    { method: "item/fileChange/requestApproval", answer: '{"decision":"decline"}', declined: true },
    { method: "item/tool/requestUserInput", answer: '{"answers":{}}', declined: true },
    { method: "something/new", answer: "-32601", declined: false },
  ])("that asks $method is told no and goes on", async ({ method, answer, declined }) => {
    const { outcome, events } = await run(backendWith(), `ask ${method}`);
    expect(outcome).toMatchObject({ failure: null, answer });
    expect(events.some(({ type }) => type === "declined")).toBe(declined);
  });

  test("that asks for the time is told it", async () => {
    const { outcome } = await run(backendWith(), "ask currentTime/read");
    expect(JSON.parse(outcome.answer ?? "")).toEqual({
      currentTimeAt: expect.closeTo(Date.now() / 1000, -1),
    });
  });

  test("that fails carries Codex's own kind", async () => {
    const { outcome } = await run(backendWith(), "fail contextWindowExceeded");
    expect(outcome.failure).toMatchObject({ code: "codex_failed", kind: "contextWindowExceeded" });
  });

  test("whose process dies is interrupted, and the next call gets a new process", async () => {
    const backend = backendWith();
    const { outcome } = await run(backend, "die");
    expect(outcome).toMatchObject({ failure: { code: "interrupted" } });
    expect(outcome.threadId).not.toBeNull();
    expect((await run(backend, "say alive")).outcome).toMatchObject({ failure: null, answer: "alive" });
  });

  test("whose thread no process lives to open ends as interrupted, and is not tried for ever", async () => {
    const { outcome, events } = await run(backendWith("dies-at:thread/start"), "say never");
    expect(outcome).toMatchObject({ threadId: null, failure: { code: "interrupted" } });
    expect(events).toEqual([]);
    const opened = (await messages()).filter(({ method }) => method === "thread/start");
    expect(opened.length).toBeLessThanOrEqual(3);
  });

  test("that is aborted is interrupted at once, and its commands are ended", async () => {
    const stop = new AbortController();
    const { outcome } = await run(backendWith(), "hold", {
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === "turn") stop.abort();
      },
    });
    expect(outcome.failure).toEqual({ code: "interrupted", reason: "The turn was stopped." });
    const methods = (await messages()).map(({ method }) => method);
    expect(methods).toContain("turn/interrupt");
    expect(methods).toContain("thread/backgroundTerminals/clean");
  });

  test("that was aborted before it began asks Codex for nothing", async () => {
    const { outcome } = await run(backendWith(), "say never", { signal: AbortSignal.abort() });
    expect(outcome.failure).toMatchObject({ code: "interrupted" });
    expect((await messages()).map(({ method }) => method)).not.toContain("turn/start");
  });

  test("that does not end when it is told to costs the process, and the next one gets a new one", async () => {
    const clock = createFakeClock();
    const backend = backendWith("never-interrupts", 60_000, clock);
    const stop = new AbortController();
    const running = run(backend, "hold", { signal: stop.signal });
    await expect
      .poll(async () => (await messages().catch(() => [])).map(({ method }) => method))
      .toContain("turn/start");
    stop.abort();
    await expect.poll(async () => (await messages()).map(({ method }) => method)).toContain("turn/interrupt");
    // The limit for the interruption is set when its message has gone out, so the time is moved until it has passed.
    let ended = false;
    void running.finally(() => (ended = true));
    await expect
      .poll(async () => {
        await clock.advance(5_000);
        return ended;
      })
      .toBe(true);
    const { outcome } = await running;
    const next = await run(backend, "say new");
    expect(outcome.failure).toMatchObject({ code: "interrupted" });
    expect(next.outcome.answer).toBe("new");
    expect(next.outcome.threadId?.split("-")[1]).not.toBe(outcome.threadId?.split("-")[1]);
  });

  test("of which nothing is heard for too long ends as timeout; a command that runs is no silence", async () => {
    const { outcome } = await run(backendWith("", 300), "hold");
    expect(outcome.failure).toEqual({ code: "timeout", limitMs: 300, what: "model" });
    const stop = new AbortController();
    const working = run(backendWith("", 1_500), "command", { signal: stop.signal });
    setTimeout(() => stop.abort(), 4_000);
    expect((await working).outcome.failure).toMatchObject({ code: "interrupted" });
  });

  test("is one of many in one process, each with its own events", async () => {
    const backend = backendWith();
    const all = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => run(backend, `say number ${n}`)),
    );
    expect(all.map(({ outcome }) => outcome.answer)).toEqual(
      Array.from({ length: 20 }, (_, n) => `number ${n}`),
    );
    expect((await messages()).filter(({ method }) => method === "initialize")).toHaveLength(1);
  });
});

test("closing ends a running turn as interrupted, and nothing starts any more", async () => {
  const backend = backendWith();
  const running = run(backend, "hold", {
    onEvent: (event) => {
      if (event.type === "turn") void backend.close();
    },
  });
  expect((await running).outcome.failure).toMatchObject({ code: "interrupted" });
  expect(await backend.connect()).toMatchObject({ ok: false, failure: { code: "interrupted" } });
});
