/**
 * What every CodexBackend promises (src/codex/backend.ts), as one suite against a real Codex and the scripted model.
 * A backend that cannot do something by nature says so in `lacks`, and the suite checks that it refuses.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackendParts, CodexBackend, TurnOutcome, TurnRequest } from "../../src/codex/backend.ts";
import type { CodexEvent } from "../../src/codex/events.ts";
import { toCodexEnvironment } from "../../src/codex/environment.ts";
import { findCodex } from "../../src/codex/install.ts";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import {
  callTool,
  dropConnection,
  httpError,
  patch,
  say,
  shell,
  silence,
} from "../../src/demo/scripted-model/steps.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import type { GrantTerms } from "../../src/policy/grant.ts";
import { grantFor, identityOf } from "../support/grant.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  descendants,
  isAlive,
  type CodexVersion,
  type ScratchCodexHome,
  type ScratchProject,
} from "../support/scripted-codex.ts";

export interface BackendUnderTest {
  readonly name: string;
  readonly version: CodexVersion;
  readonly create: (parts: BackendParts) => CodexBackend;
  readonly lacks: readonly ("outputSchema" | "kinds")[];
}

interface Ran {
  outcome: TurnOutcome;
  events: CodexEvent[];
}

const SILENCE_MS = 3_000;

export function codexBackendContract(subject: BackendUnderTest): void {
  describe(`${subject.name} on Codex ${subject.version}`, () => {
    let model: ScriptedModel;
    let home: ScratchCodexHome;
    let project: ScratchProject;
    let parts: BackendParts;
    let backend: CodexBackend;

    beforeAll(async () => {
      model = await startScriptedModel();
      home = await createCodexHome({ modelUrl: model.url });
      project = await createProject({ "readme.txt": "hello from the project\n", "sub/inner.txt": "inner\n" });
      parts = await partsFor(subject.version, home.path);
      backend = subject.create(parts);
    });
    afterAll(async () => {
      await backend.close();
      await model.close();
      await home.dispose();
      await project.dispose();
    });

    async function run(
      prompt: string,
      options: {
        terms?: Partial<GrantTerms>;
        thread?: TurnRequest["thread"];
        outputSchema?: unknown;
        signal?: AbortSignal;
        onEvent?: (event: CodexEvent) => void;
        on?: CodexBackend;
        projectInstructions?: string;
        beforeTurn?: Promise<void>;
      } = {},
    ): Promise<Ran> {
      const events: CodexEvent[] = [];
      const outcome = await (options.on ?? backend).runTurn(
        {
          grant: await grantFor(project.path, options.terms),
          thread: options.thread ?? { kind: "new" },
          prompt,
          outputSchema: options.outputSchema ?? null,
          projectInstructions: options.projectInstructions ?? null,
          ...(options.beforeTurn === undefined ? {} : { beforeTurn: options.beforeTurn }),
        },
        (event) => {
          events.push(event);
          options.onEvent?.(event);
        },
        options.signal ?? new AbortController().signal,
      );
      return { outcome, events };
    }

    test("connecting tells the version and that a provider of one's own needs no login", async () => {
      const connected = await backend.connect();
      expect(connected).toMatchObject({ ok: true, value: { codexVersion: subject.version } });
      if (connected.ok) expect(connected.value.loggedIn).not.toBe(false);
    });

    test("a turn answers with Codex's final message, its tokens, and the thread that Codex named", async () => {
      model.script("say something", [say("The answer is 42.")]);
      const { outcome, events } = await run("say something");
      expect(outcome).toMatchObject({ failure: null, answer: "The answer is 42.", changes: [] });
      expect(outcome.threadId).toMatch(/^[0-9a-f-]{36}$/);
      expect(events[0]).toEqual({ type: "thread", threadId: outcome.threadId });
      expect(outcome.usage?.inputTokens).toBeGreaterThan(0);
      expect(outcome.usage?.outputTokens).toBeGreaterThan(0);
      expect(outcome.usage?.cachedInputTokens).toBeGreaterThan(0);
      expect(outcome.usage?.reasoningOutputTokens).toBeGreaterThan(0);
    });

    test("a command reads the project and shows up in the events", async () => {
      model.script("read the readme", [shell("cat readme.txt"), say("It greets.")]);
      const { outcome, events } = await run("read the readme");
      expect(outcome).toMatchObject({ failure: null, answer: "It greets." });
      expect(events).toContainEqual(
        expect.objectContaining({
          type: "command-finished",
          exitCode: 0,
          output: "hello from the project\n",
        }),
      );
      expect(events.findIndex((event) => event.type === "command-started")).toBeGreaterThan(0);
    });

    test("an edit in the root changes the file, and changes and diff say so", async () => {
      const edit = "*** Begin Patch\n*** Add File: made.txt\n+one\n+two\n*** End Patch";
      model.script("add a file", [patch(edit), say("Added.")]);
      const { outcome } = await run("add a file", { terms: { sandbox: "workspace-write" } });
      expect(outcome.failure).toBeNull();
      expect(await project.read("made.txt")).toBe("one\ntwo\n");
      expect(outcome.changes).toEqual([{ path: "made.txt", kind: "add", additions: 2, deletions: 0 }]);
      expect(outcome.diff).toContain("+one");
    });

    test("from a directory below the root, the whole root can be read and written", async () => {
      const edit = "*** Begin Patch\n*** Add File: ../beside.txt\n+x\n*** End Patch";
      model.script("work below", [shell("pwd && cat ../readme.txt"), patch(edit), say("Done below.")]);
      const cwd = await identityOf(`${project.path}/sub`);
      const { outcome, events } = await run("work below", { terms: { sandbox: "workspace-write", cwd } });
      expect(outcome.failure).toBeNull();
      expect(events).toContainEqual(
        expect.objectContaining({ output: `${project.path}/sub\nhello from the project\n` }),
      );
      expect(outcome.changes).toEqual([{ path: "beside.txt", kind: "add", additions: 1, deletions: 0 }]);
    });

    test("a reply continues the thread, also in a new process", async () => {
      model.script("first words", [say("one")]);
      const first = await run("first words");
      const threadId = first.outcome.threadId ?? "";
      model.script("second words", [say("two")]);
      const second = await run("second words", { thread: { kind: "resume", threadId } });
      expect(second.outcome).toMatchObject({ failure: null, answer: "two", threadId });
      expect(second.outcome.usage?.inputTokens).toBe(first.outcome.usage?.inputTokens);
      const request = model.requests.at(-1);
      expect(JSON.stringify(request)).toContain("first words");

      const other = subject.create(parts);
      try {
        await backend.close();
        backend = subject.create(parts);
        model.script("third words", [say("three")]);
        const third = await run("third words", { thread: { kind: "resume", threadId }, on: other });
        expect(third.outcome).toMatchObject({ failure: null, answer: "three", threadId });
      } finally {
        await other.close();
      }
    });

    test("a fork starts a thread of its own with the history of the old one", async () => {
      model.script("the trunk", [say("trunk")]);
      const trunk = (await run("the trunk")).outcome.threadId ?? "";
      model.script("the branch", [say("branch")]);
      const fork = await run("the branch", { thread: { kind: "fork", threadId: trunk } });
      expect(fork.outcome).toMatchObject({ failure: null, answer: "branch" });
      expect(fork.outcome.threadId).not.toBe(trunk);
      expect(JSON.stringify(model.requests.at(-1))).toContain("the trunk");
    });

    test("a resumed thread gets the permissions of its new grant, not those that it had", async () => {
      model.script("write first", [shell("touch was-allowed"), say("ok")]);
      const first = await run("write first", { terms: { sandbox: "workspace-write" } });
      expect(existsSync(`${project.path}/was-allowed`)).toBe(true);
      const threadId = first.outcome.threadId ?? "";
      model.script("write again", [shell("touch not-allowed"), say("tried")]);
      const again = await run("write again", { thread: { kind: "resume", threadId } });
      expect(again.outcome.failure).toBeNull();
      expect(existsSync(`${project.path}/not-allowed`)).toBe(false);
      expect(model.toolOutputs("write again").join()).toContain("Read-only file system");
    });

    test("a thread that Codex does not know is refused as unknown", async () => {
      const threadId = "01a1fbda-ffff-7530-b930-8af96315192a";
      const { outcome } = await run("hello?", { thread: { kind: "resume", threadId } });
      expect(outcome.failure).toEqual({ code: "unknown_thread" });
    });

    test("nothing outside the root is read and nothing is written in read-only", async () => {
      model.script("look around", [
        shell(`cat ${home.path}/config.toml; cat /etc/shadow; touch here; ls ${project.path}/..`),
        shell("exec 3<>/dev/tcp/127.0.0.1/80"),
        say("nothing"),
      ]);
      const { outcome } = await run("look around");
      expect(outcome.failure).toBeNull();
      const [files = "", network = ""] = model.toolOutputs("look around");
      expect(files).toContain("config.toml: No such file or directory");
      expect(files).toContain("/etc/shadow: Permission denied");
      expect(files).toContain("Read-only file system");
      expect(files).not.toContain("model_provider");
      expect(network).toContain("Operation not permitted");
    });

    test("a thread id that the model writes is text, never a thread", async () => {
      const planted = "11111111-2222-3333-4444-555555555555";
      model.script("lie to me", [say(`{"threadId": "${planted}", "content": "x"}`)]);
      const { outcome, events } = await run("lie to me");
      expect(outcome.answer).toContain(planted);
      expect(outcome.threadId).not.toBe(planted);
      expect(events.filter((event) => event.type === "thread")).toEqual([
        { type: "thread", threadId: outcome.threadId },
      ]);
    });

    test("the project's instructions reach the model", async () => {
      model.script("follow the rules", [say("followed")]);
      await run("follow the rules", { projectInstructions: "Always greet in Esperanto." });
      expect(JSON.stringify(model.requests.at(-1))).toContain("Always greet in Esperanto.");
    });

    test("an output schema reaches the model, or is refused", async () => {
      const outputSchema = {
        type: "object",
        properties: { ok: { type: "boolean" } },
        required: ["ok"],
        additionalProperties: false,
      };
      model.script("answer as json", [say('{"ok":true}')]);
      const { outcome } = await run("answer as json", { outputSchema });
      if (subject.lacks.includes("outputSchema")) {
        expect(outcome.failure?.code).toBe("codex_unsupported");
      } else {
        expect(outcome.answer).toBe('{"ok":true}');
        expect(JSON.stringify(model.requests.at(-1))).toContain("json_schema");
      }
    });

    test("an abort ends the turn and the command that it ran", async () => {
      model.script("sleep long", [shell("sleep 600", { yieldMs: 30_000 }), say("never")]);
      const { pid } = await pidOf(backend);
      const stop = new AbortController();
      const { outcome } = await run("sleep long", {
        signal: stop.signal,
        onEvent: (event) => {
          if (event.type === "command-started") setTimeout(() => stop.abort(), 300);
        },
      });
      expect(outcome.failure?.code).toBe("interrupted");
      const threadId = outcome.threadId ?? "";
      // Codex answers the clean-up call a moment before the last process is gone.
      await expect.poll(async () => commandLines(pid), { timeout: 30_000 }).not.toContain("sleep 600");
      model.script("and after", [say("still here")]);
      const after = await run("and after", { thread: { kind: "resume", threadId } });
      expect(after.outcome).toMatchObject({ failure: null, answer: "still here" });
    });

    test("an abort before the start runs nothing", async () => {
      const before = model.requests.length;
      const { outcome } = await run("never asked", { signal: AbortSignal.abort() });
      expect(outcome.failure?.code).toBe("interrupted");
      expect(model.requests.length).toBe(before);
    });

    test("a turn does not begin before what it has to wait for, and an abort ends the waiting", async () => {
      model.script("wait for it", [say("It came.")]);
      const asked = (): number => model.requests.filter(({ prompt }) => prompt === "wait for it").length;
      const gate = Promise.withResolvers<void>();
      const waiting = run("wait for it", { beforeTurn: gate.promise });
      const stop = new AbortController();
      const never = Promise.withResolvers<void>();
      const stopped = run("wait for it", { beforeTurn: never.promise, signal: stop.signal });
      model.script("meanwhile", [say("Meanwhile.")]);
      expect((await run("meanwhile")).outcome.answer).toBe("Meanwhile.");
      stop.abort();
      expect((await stopped).outcome).toMatchObject({ answer: null, failure: { code: "interrupted" } });
      expect(asked()).toBe(0);
      gate.resolve();
      expect((await waiting).outcome).toMatchObject({ answer: "It came.", failure: null });
    });

    test("killing Codex in a turn ends that turn as interrupted, and the next call works", async () => {
      model.script("long answer", [say("word ".repeat(50), { chunks: 50, chunkMs: 200 })]);
      const { pid } = await pidOf(backend);
      const { outcome } = await run("long answer", {
        onEvent: (event) => {
          if (event.type === "turn") setTimeout(() => process.kill(pid, "SIGKILL"), 300);
        },
      });
      expect(outcome.failure).toMatchObject({ code: "interrupted" });
      model.script("alive?", [say("alive")]);
      expect((await run("alive?")).outcome).toMatchObject({ failure: null, answer: "alive" });
    });

    test("a Codex that is killed in its handshake is started once more; killed again, the turn is interrupted", async () => {
      let kills = 0;
      let last = { pid: 0, exited: Promise.resolve<unknown>(null) };
      const onChild = async (pid: number, exited: Promise<unknown>): Promise<void> => {
        last = { pid, exited };
        if (kills > 0) process.kill(pid, "SIGKILL");
        kills -= 1;
      };
      const own = subject.create({ ...parts, onChild });
      try {
        kills = 1;
        expect(await own.connect()).toMatchObject({ ok: true });
        model.script("again and again", [say("here")]);
        for (const [deaths, outcome] of [
          [1, { failure: null, answer: "here" }],
          [2, { failure: { code: "interrupted", reason: "Codex was killed while it started." } }],
          [0, { failure: null, answer: "here" }],
        ] as const) {
          if (deaths > 0) process.kill(last.pid, "SIGKILL");
          if (deaths > 0) await last.exited;
          kills = deaths;
          expect((await run("again and again", { on: own })).outcome).toMatchObject(outcome);
        }
      } finally {
        await own.close();
      }
    });

    test("20 turns run at once in one Codex process", async () => {
      model.script("parallel", [say("fine", { chunks: 5, chunkMs: 100 })]);
      const all = await Promise.all(Array.from({ length: 20 }, async (_, n) => run(`parallel ${n}`)));
      expect(all.map(({ outcome }) => outcome.failure)).toEqual(Array.from({ length: 20 }, () => null));
      expect(new Set(all.map(({ outcome }) => outcome.threadId)).size).toBe(20);
    });

    test.each([
      { fault: "429", step: httpError(429), kind: "responseTooManyFailedAttempts" },
      { fault: "500", step: httpError(500), kind: "internalServerError" },
      { fault: "401", step: httpError(401), kind: /^(other|httpConnectionFailed)$/ },
      { fault: "a dropped stream", step: dropConnection("mid"), kind: "other" },
    ])(
      "a model that answers with $fault fails the turn with Codex's own kind",
      async ({ fault, step, kind }) => {
        model.script(`fault ${fault}`, [step]);
        const { outcome } = await run(`fault ${fault}`);
        expect(outcome.failure).toMatchObject({ code: "codex_failed" });
        const told = outcome.failure?.code === "codex_failed" ? outcome.failure.kind : "";
        expect(subject.lacks.includes("kinds") ? "" : told).toMatch(
          subject.lacks.includes("kinds") ? "" : kind,
        );
      },
    );

    test("a model that refuses the connection fails the turn at once", async () => {
      const deadHome = await createCodexHome({ modelUrl: "http://127.0.0.1:9/v1" });
      const dead = subject.create(await partsFor(subject.version, deadHome.path));
      try {
        const { outcome } = await run("anyone?", { on: dead });
        expect(outcome.failure).toMatchObject({ code: "codex_failed" });
      } finally {
        await dead.close();
        await deadHome.dispose();
      }
    });

    test("a silent model ends the turn by the bridge's own deadline", async () => {
      model.script("silence please", [silence("before", 60_000)]);
      const started = performance.now();
      const { outcome } = await run("silence please");
      expect(outcome.failure).toEqual({ code: "timeout", limitMs: SILENCE_MS, what: "model" });
      expect(performance.now() - started).toBeLessThan(40_000); // not by the end of the model's silence
    });

    test("a command that takes longer than the silence limit is no silence", async () => {
      model.script("be patient", [shell("sleep 5; echo done", { yieldMs: 20_000 }), say("It took a while.")]);
      expect((await run("be patient")).outcome).toMatchObject({ failure: null, answer: "It took a while." });
    });

    test("a request for approval is declined and the turn goes on", async () => {
      model.script("please escalate", [shell("touch escalated", { escalate: true }), say("I was told no.")]);
      const { outcome, events } = await run("please escalate", {
        terms: { approvalPolicy: "on-request", sandbox: "workspace-write" },
      });
      expect(outcome).toMatchObject({ failure: null, answer: "I was told no." });
      expect(events.some((event) => event.type === "declined")).toBe(true);
      expect(existsSync(`${project.path}/escalated`)).toBe(false);
    });

    test("a question to a user who is not there hangs nothing", async () => {
      const question = { id: "q", header: "h", question: "Which one?", options: [] };
      model.script("ask me", [callTool("request_user_input", { questions: [question] }), say("Moving on.")]);
      expect((await run("ask me")).outcome).toMatchObject({ failure: null, answer: "Moving on." });
    });

    test("closing ends the process and everything below it, and a running turn as interrupted", async () => {
      const own = subject.create(parts);
      await own.connect();
      const { pid } = await pidOf(own);
      model.script("run on", [shell("sleep 601", { yieldMs: 30_000 }), say("never")]);
      const running = run("run on", { on: own });
      await expect.poll(async () => commandLines(pid), { timeout: 20_000 }).toContain("sleep 601");
      const below = await descendants(pid);
      await own.close();
      expect((await running).outcome.failure?.code).toBe("interrupted");
      expect(existsSync(`/proc/${pid}`)).toBe(false);
      const alive = async () => (await Promise.all(below.map(isAlive))).filter(Boolean).length;
      await expect.poll(alive, { timeout: 30_000 }).toBe(0);
    });

    /** The newest Codex process of this test's CODEX_HOME. */
    async function pidOf(of: CodexBackend): Promise<{ pid: number }> {
      await of.connect();
      for (const pid of await newestFirst(await descendants(process.pid))) {
        const environ = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
        const cmdline = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
        const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
        if (!status.includes(`PPid:\t${process.pid}\n`)) continue;
        if (environ.includes(`CODEX_HOME=${home.path}`) && /codex\0(app-server|mcp-server)/.test(cmdline)) {
          return { pid };
        }
      }
      throw new Error("no codex process");
    }

    async function commandLines(pid: number): Promise<string> {
      const all = await Promise.all(
        (await descendants(pid)).map(async (child) =>
          readFile(`/proc/${child}/cmdline`, "utf8").catch(() => ""),
        ),
      );
      return all.join("\n").replaceAll("\0", " ");
    }
  });
}

/** By start time: pids are used again. */
async function newestFirst(pids: readonly number[]): Promise<number[]> {
  const started = new Map<number, number>();
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    started.set(pid, Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? 0));
  }
  return pids.toSorted((a, b) => (started.get(b) ?? 0) - (started.get(a) ?? 0));
}

export async function partsFor(version: CodexVersion, codexHome: string): Promise<BackendParts> {
  const path = process.env["PATH"] ?? "";
  const env = await toCodexEnvironment({ ...process.env, CODEX_HOME: codexHome }, [], silentLog);
  const found = await findCodex({
    codex: codexBinaries[version],
    path,
    env,
    skipUnder: null,
    isInProject: () => false,
  });
  if (!found.ok) throw new Error(`no Codex ${version}: ${found.failure.code}`);
  return {
    install: found.value,
    env,
    cwd: codexHome,
    clock: systemClock,
    log: silentLog,
    silenceMs: SILENCE_MS,
  };
}
