/**
 * What the product promises to whoever calls it, as one suite for every Codex and every driver: the real door as its
 * own process, a real MCP client, the real Codex, and only the model scripted. What a driver lacks stands in `lacks`,
 * and the suite checks that it is refused.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, symlink } from "node:fs/promises";
import { promisify } from "node:util";
import { Client as OldClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as OldTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import {
  dropConnection,
  httpError,
  patch,
  say,
  shell,
  silence,
} from "../../src/demo/scripted-model/steps.ts";
import {
  startBridge,
  token,
  watchHealth,
  type Answer,
  type Arguments,
  type Caller,
  type RunningBridge,
} from "../support/running-bridge.ts";
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

export interface BridgeUnderTest {
  readonly backend: "app-server" | "mcp-server";
  readonly version: CodexVersion;
  readonly lacks: readonly "outputSchema"[];
}

const FAST_RETURN_MS = 2_500;
const SILENCE_MS = 3_000;
const MAX_CONCURRENT = 20;

export function bridgeContract(subject: BridgeUnderTest): void {
  describe(`the bridge with Codex ${subject.version} through ${subject.backend}`, () => {
    const codex = codexBinaries[subject.version];
    const backendFlags = subject.backend === "mcp-server" ? ["--backend", "mcp-server"] : [];
    let model: ScriptedModel;
    let home: ScratchCodexHome;
    let project: ScratchProject;
    let bridge: RunningBridge;
    let caller: Caller;
    let health: ReturnType<typeof watchHealth>;

    beforeAll(async () => {
      model = await startScriptedModel();
      home = await createCodexHome({ modelUrl: model.url });
      project = await createProject({
        "readme.txt": "hello from the project\n",
        "sub/inner.txt": "inner\n",
      });
      const limits = ["--fast-return-ms", String(FAST_RETURN_MS)];
      const places = ["--max-concurrent", String(MAX_CONCURRENT), "--queue", "1"];
      bridge = await startBridge({
        codex,
        codexHome: home.path,
        roots: [project.path],
        flags: [...backendFlags, ...limits, ...places, "--allow-write", "--models", "listed-model"],
      });
      health = watchHealth(bridge.url);
      caller = await bridge.connect();
    });
    afterAll(async () => {
      await caller.close();
      await bridge.stop();
      await model.close();
      await home.dispose();
      await project.dispose();
    });

    function failure({ content }: Answer): { code: string; message: string } {
      if (content.error === null || content.error === undefined) throw new Error(JSON.stringify(content));
      return content.error;
    }

    async function theCodex(): Promise<number> {
      const processes = await bridge.codexProcesses();
      const [only, ...others] = processes.filter(({ kind }) => kind === subject.backend);
      if (only === undefined || others.length > 0) throw new Error(JSON.stringify(processes));
      return only.pid;
    }

    async function commandLines(pid: number): Promise<string> {
      const all = (await descendants(pid)).map(async (child) =>
        readFile(`/proc/${child}/cmdline`, "utf8").catch(() => ""),
      );
      return (await Promise.all(all)).join("\n").replaceAll("\0", " ");
    }

    describe("clients walk through", () => {
      test("a client of 2026 discovers, reads, lets a file be edited, replies and forks", async () => {
        expect(caller.client.getNegotiatedProtocolVersion()).toBe("2026-07-28");
        expect(caller.client.getServerVersion()).toMatchObject({ name: "codex-gpt-bridge" });
        const { tools } = await caller.client.listTools();
        expect(tools.map(({ name }) => name)).toEqual([
          "bridge_status",
          "codex_read",
          "codex_run",
          "codex_reply",
          "codex_job_status",
          "codex_job_cancel",
        ]);
        const status = await caller.call("bridge_status");
        expect(status.content).toMatchObject({
          status: "ready",
          backend: subject.backend,
          codexVersion: subject.version,
          allowWorkspaceWrite: true,
          allowDangerFullAccess: false,
          fastReturnMs: FAST_RETURN_MS,
          error: null,
        });

        model.script("what does it say", [shell("cat readme.txt"), say("It says hello.")]);
        const read = await caller.finish("codex_read", { prompt: "what does it say?" });
        expect(model.toolOutputs("what does it say").join()).toContain("hello from the project");
        expect(read).toMatchObject({ isError: false, text: "It says hello." });
        expect(read.content).toMatchObject({
          status: "completed",
          tool: "codex_read",
          sandbox: "read-only",
          answer: "It says hello.",
          answerTruncated: false,
          changes: [],
          progress: { commands: 1 },
          error: null,
        });
        expect(read.content.usage?.inputTokens).toBeGreaterThan(0);
        expect(read.content.threadId).toMatch(/^[0-9a-f-]{36}$/);

        const edit =
          "*** Begin Patch\n*** Update File: readme.txt\n@@\n-hello from the project\n+goodbye\n*** End Patch";
        model.script("change the words", [patch(edit), say("Changed.")]);
        const run = await caller.finish("codex_run", {
          prompt: "change the words",
          sandbox: "workspace-write",
        });
        expect(await project.read("readme.txt")).toBe("goodbye\n");
        expect(run.content).toMatchObject({
          status: "completed",
          sandbox: "workspace-write",
          answer: "Changed.",
          changes: [{ path: "readme.txt", kind: "update", additions: 1, deletions: 1 }],
          diffTruncated: false,
        });
        expect(run.content.diff).toContain("-hello from the project\n+goodbye");

        const { threadId } = run.content;
        model.script("and what was it before", [say("It said hello before.")]);
        const reply = await caller.finish("codex_reply", { threadId, prompt: "and what was it before?" });
        expect(reply.content).toMatchObject({
          status: "completed",
          threadId,
          answer: "It said hello before.",
        });
        expect(JSON.stringify(model.requests.at(-1)?.input)).toContain("change the words");

        model.script("on a branch", [say("I am on a branch.")]);
        const fork = await caller.finish("codex_reply", { threadId, prompt: "on a branch", fork: true });
        expect(fork.content).toMatchObject({ status: "completed", answer: "I am on a branch." });
        expect(fork.content.threadId).not.toBe(threadId);
        expect(JSON.stringify(model.requests.at(-1)?.input)).toContain("change the words");

        model.script("more on the branch", [say("Still there.")]);
        const onFork = { threadId: fork.content.threadId, prompt: "more on the branch" };
        expect((await caller.finish("codex_reply", onFork)).content).toMatchObject({
          status: "completed",
          threadId: fork.content.threadId,
        });
        model.script("back on the trunk", [say("Trunk.")]);
        const trunk = await caller.finish("codex_reply", { threadId, prompt: "back on the trunk" });
        expect(trunk.content).toMatchObject({ status: "completed", threadId });
        expect(JSON.stringify(model.requests.at(-1)?.input)).not.toContain("on a branch");
      });

      test("a client of 2025 with the old SDK initializes, reads, edits and replies", async () => {
        const client = new OldClient({ name: "old", version: "1" });
        const requestInit = { headers: { authorization: `Bearer ${token}` } };
        await client.connect(new OldTransport(new URL(`${bridge.url}/mcp`), { requestInit }));
        try {
          await client.listTools(); // from here on the client checks every answer against its outputSchema
          const call = async (name: string, args: Arguments) => {
            let { structuredContent } = await client.callTool({ name, arguments: { ...args } });
            while ((structuredContent as { status: string }).status === "running") {
              const { jobId } = structuredContent as { jobId: string };
              ({ structuredContent } = await client.callTool({
                name: "codex_job_status",
                arguments: { jobId },
              }));
            }
            return structuredContent as Answer["content"];
          };
          expect(await call("bridge_status", {})).toMatchObject({ status: "ready" });
          model.script("old read", [shell("cat sub/inner.txt"), say("inner")]);
          const read = await call("codex_read", { prompt: "old read" });
          expect(read).toMatchObject({ status: "completed", answer: "inner" });
          model.script("old edit", [
            patch("*** Begin Patch\n*** Add File: old.txt\n+from 2025\n*** End Patch"),
            say("Added."),
          ]);
          const run = await call("codex_run", { prompt: "old edit", sandbox: "workspace-write" });
          expect(run).toMatchObject({
            status: "completed",
            changes: [{ path: "old.txt", kind: "add", additions: 1, deletions: 0 }],
          });
          expect(await project.read("old.txt")).toBe("from 2025\n");
          model.script("old reply", [say("replied")]);
          const reply = await call("codex_reply", { threadId: read.threadId, prompt: "old reply" });
          expect(reply).toMatchObject({ status: "completed", answer: "replied", threadId: read.threadId });
          expect(JSON.stringify(model.requests.at(-1)?.input)).toContain("old read");
          expect(await call("codex_reply", { threadId: "nobody's", prompt: "x" })).toMatchObject({
            status: "refused",
            error: { code: "unknown_thread" },
          });
        } finally {
          await client.close();
        }
      });

      test("a current client in the old era gets the same answers", async () => {
        const old = await bridge.connect({ protocol: "2025-11-25" });
        try {
          model.script("same for all", [say("The same.")]);
          const answer = await old.finish("codex_read", { prompt: "same for all" });
          expect(answer).toMatchObject({
            isError: false,
            content: { status: "completed", answer: "The same." },
          });
          expect(await old.call("codex_read", { prompt: " " })).toMatchObject({
            isError: true,
            content: { error: { code: "invalid_argument" } },
          });
        } finally {
          await old.close();
        }
      });
    });

    describe("turns", () => {
      test("codex_read changes nothing, whatever the model tries and although the owner allows writing", async () => {
        model.script("try to write", [shell("touch sneaky.txt; echo tried"), say("Tried.")]);
        const read = await caller.finish("codex_read", { prompt: "try to write" });
        expect(read.content).toMatchObject({ status: "completed", sandbox: "read-only", changes: [] });
        expect(existsSync(`${project.path}/sneaky.txt`)).toBe(false);
        expect(model.toolOutputs("try to write").join()).toContain("Read-only file system");
        const reply = await caller.finish("codex_reply", {
          threadId: read.content.threadId,
          prompt: "try to write again",
        });
        expect(reply.content).toMatchObject({ status: "completed", sandbox: "read-only" });
        expect(existsSync(`${project.path}/sneaky.txt`)).toBe(false);
      });

      test("codex_run without a sandbox is read-only as long as the owner did not say otherwise", async () => {
        model.script("just try", [shell("touch also-sneaky.txt"), say("Tried.")]);
        const run = await caller.finish("codex_run", { prompt: "just try" });
        expect(run.content).toMatchObject({ status: "completed", sandbox: "read-only", changes: [] });
        expect(existsSync(`${project.path}/also-sneaky.txt`)).toBe(false);
      });

      test("half a surrogate pair in what a caller says keeps no job waiting", async () => {
        const schema = { type: "object", properties: {}, additionalProperties: false, description: "\udfff" };
        const withSchema = subject.lacks.includes("outputSchema") ? {} : { outputSchema: schema };
        const answer = await caller.finish("codex_read", {
          prompt: "cut \ud83d",
          ...withSchema,
          timeoutMs: 15_000,
        });
        expect(answer.content).toMatchObject({ status: "completed" });
      });

      test("a listed model and an effort reach Codex", async () => {
        model.script("with this model", [say("Fine.")]);
        const args = { prompt: "with this model", model: "listed-model", effort: "high" };
        expect((await caller.finish("codex_read", args)).content.status).toBe("completed");
        expect(model.requests.at(-1)).toMatchObject({ model: "listed-model" });
      });

      test.each(["sub", "./sub/.", "link-inside", "the absolute path"])(
        "Codex starts in the directory that was asked for: %s",
        async (name) => {
          if (!existsSync(`${project.path}/link-inside`)) {
            await symlink("sub", `${project.path}/link-inside`);
          }
          const cwd = name === "the absolute path" ? `${project.path}/sub` : name;
          model.script(`where are you: ${name}`, [shell("pwd"), say("Here.")]);
          const read = await caller.finish("codex_read", { prompt: `where are you: ${name}`, cwd });
          expect(read.content.status).toBe("completed");
          expect(model.toolOutputs(`where are you: ${name}`).join()).toContain(`${project.path}/sub\n`);
        },
      );

      const outputSchema = {
        type: "object",
        properties: { ok: { type: "boolean" } },
        required: ["ok"],
        additionalProperties: false,
      };
      async function schemaIsRefused(): Promise<void> {
        const asked = model.requests.length;
        const { content } = await caller.finish("codex_read", { prompt: "in this shape", outputSchema });
        expect(content.error).toMatchObject({ code: "codex_unsupported", retryable: false });
        expect(content.status).toMatch(/^(refused|failed)$/);
        expect(content.answer ?? null).toBeNull();
        expect(model.requests.length).toBe(asked);
      }
      async function schemaIsPassedOn(): Promise<void> {
        model.script("in this shape", [say('{"ok":true}')]);
        const { content } = await caller.finish("codex_read", { prompt: "in this shape", outputSchema });
        expect(content).toMatchObject({ status: "completed", answer: '{"ok":true}', output: { ok: true } });
        expect(model.requests.at(-1)?.outputSchema).toEqual(outputSchema);
      }
      test.each(
        subject.lacks.includes("outputSchema")
          ? [
              {
                what: "which this driver cannot pass on, is refused and never dropped",
                check: schemaIsRefused,
              },
            ]
          : [{ what: "reaches the model, and the parsed answer comes back", check: schemaIsPassedOn }],
      )("an output schema $what", async ({ check }) => {
        expect.hasAssertions();
        await check();
      });

      test("an answer longer than the limit is cut, and says so", async () => {
        model.script("tell me everything", [say("äbc ".repeat(10_000))]);
        const { content } = await caller.finish("codex_read", { prompt: "tell me everything" });
        expect(content).toMatchObject({ status: "completed", answerTruncated: true });
        const bytes = Buffer.byteLength(content.answer ?? "");
        expect(bytes).toBeLessThanOrEqual(24 * 1024);
        expect(bytes).toBeGreaterThan(23 * 1024);
        expect(content.answer).not.toContain("\uFFFD");
      });
    });

    describe("long jobs", () => {
      test("a long job answers running within the limit, and one waiting call gets its end at once", async () => {
        model.script("take your time", [say("It took a while.", { chunks: 8, chunkMs: 500 })]);
        const asked = performance.now();
        const first = await caller.call("codex_read", { prompt: "take your time" });
        const elapsedMs = performance.now() - asked;
        expect(first.content).toMatchObject({ status: "running", answer: null, finishedAt: null });
        expect(first.content.nextAction).toContain("codex_job_status");
        expect(elapsedMs).toBeGreaterThan(FAST_RETURN_MS - 200);
        expect(elapsedMs).toBeLessThan(FAST_RETURN_MS + 1_000);
        const last = await caller.call("codex_job_status", { jobId: first.content.jobId });
        expect(last.content).toMatchObject({ status: "completed", answer: "It took a while." });
        expect(deliveryMs(last, subject)).toBeLessThan(250);
      });

      test("status waits as long as asked, never longer than the limit, and wakes for new events", async () => {
        model.script("step by step", [
          shell(`echo one ${"x".repeat(900)}; sleep 2`, { yieldMs: 20_000 }),
          shell("sleep 6; echo two", { yieldMs: 20_000 }),
          say("Two steps."),
        ]);
        const first = await caller.call("codex_read", { prompt: "step by step" });
        const { jobId } = first.content;
        expect(first.content.status).toBe("running");

        const atOnce = await timed(async () => caller.call("codex_job_status", { jobId, waitMs: 0 }));
        expect(atOnce.result.content.status).toBe("running");
        expect(atOnce.ms).toBeLessThan(800);
        const shortened = await timed(async () =>
          caller.call("codex_job_status", { jobId, waitMs: 600_000 }),
        );
        expect(shortened.result.content.status).toBe("running");
        expect(shortened.ms).toBeLessThan(FAST_RETURN_MS + 1_000);

        const seen: { id: number; text: string }[] = [];
        let answer = await caller.call("codex_job_status", { jobId, cursor: "0" });
        expect(answer.content.events?.[0]?.id).toBe(1);
        for (;;) {
          const events = answer.content.events ?? [];
          seen.push(...events);
          const cursor = answer.content.nextCursor ?? "";
          expect(cursor).toBe(String(seen.at(-1)?.id));
          if (answer.content.status !== "running") break;
          answer = await caller.call("codex_job_status", { jobId, cursor });
        }
        expect(answer.content).toMatchObject({ status: "completed", answer: "Two steps." });
        expect(seen.map(({ id }) => id)).toEqual(seen.map((_, index) => index + 1));
        expect(seen.some(({ text }) => text.includes("echo one"))).toBe(true);
        expect(Math.max(...seen.map(({ text }) => Buffer.byteLength(text)))).toBeLessThan(320);

        const cursor = String(seen.length);
        const after = await timed(async () => caller.call("codex_job_status", { jobId, cursor }));
        expect(after.result.content).toMatchObject({ status: "completed", events: [], nextCursor: cursor });
        expect(after.ms).toBeLessThan(800);
      });

      test("a job goes on when its caller goes away, and is found by conversation without its id", async () => {
        const leaving = await bridge.connect();
        model.script("do not stop", [say("Done without you.", { chunks: 6, chunkMs: 300 })]);
        const args = { name: "codex_read", arguments: { prompt: "do not stop" } };
        const meta = { _meta: { "openai/session": "left-conversation" } };
        const abort = new AbortController();
        const abandoned = leaving.client.callTool({ ...args, ...meta }, { signal: abort.signal });
        await expect.poll(async () => (await caller.call("bridge_status")).content["jobsRunning"]).toBe(1);
        abort.abort();
        await expect(abandoned).rejects.toThrow(/abort/i);
        await leaving.close();

        model.script("something else", [say("Else.")]);
        const other = await caller.finish("codex_read", { prompt: "something else" }, "other-conversation");
        const found = await caller.call("codex_job_status", {}, "left-conversation");
        expect(found.content).toMatchObject({ status: "completed", answer: "Done without you." });
        expect(found.content.jobId).not.toBe(other.content.jobId);
        const ids = found.content.recentJobs?.map(({ jobId }) => jobId);
        expect(ids).toEqual(expect.arrayContaining([found.content.jobId, other.content.jobId]));
        const newest = await caller.call("codex_job_status", {}, "a-new-conversation");
        expect(newest.content.jobId).toBe(other.content.jobId);
      });

      test("the job's own limit ends it as a timeout", async () => {
        model.script("too slow", [say("never", { chunks: 40, chunkMs: 250 })]);
        const { content } = await caller.finish("codex_read", { prompt: "too slow", timeoutMs: 1_000 });
        expect(content).toMatchObject({ status: "failed", error: { code: "timeout", retryable: true } });
        expect(content.elapsedMs).toBeLessThan(5_000);
      });
    });

    describe("the same call twice", () => {
      test("a requestId gives the same job, at once, later, and never with other arguments", async () => {
        model.script("only once", [say("Once.", { chunks: 4, chunkMs: 200 })]);
        const args = { prompt: "only once", requestId: `id-${subject.backend}` };
        const requests = (): number => model.requests.filter(({ prompt }) => prompt === "only once").length;
        const both = await Promise.all([
          caller.finish("codex_read", args),
          caller.finish("codex_read", args),
        ]);
        const [jobId] = both.map(({ content }) => content.jobId);
        expect(both.map(({ content }) => [content.jobId, content.answer])).toEqual([
          [jobId, "Once."],
          [jobId, "Once."],
        ]);
        const later = await caller.call("codex_read", args);
        expect(later.content).toMatchObject({ jobId, status: "completed", answer: "Once." });
        const elsewhere = await caller.call("codex_read", args, "another-conversation");
        expect(elsewhere.content).toMatchObject({ jobId, status: "completed" });
        expect(requests()).toBe(1);
        const others = [
          caller.call("codex_read", { ...args, prompt: "something else entirely" }),
          caller.call("codex_read", { ...args, cwd: "sub" }),
          caller.call("codex_run", args),
        ];
        for (const other of await Promise.all(others)) {
          expect(other.content).toMatchObject({ status: "refused", error: { code: "invalid_argument" } });
        }
        expect(requests()).toBe(1);
      });

      test("an identical call joins its twin while that runs, and is a new job afterwards", async () => {
        model.script("twice at once", [say("Twins.", { chunks: 6, chunkMs: 300 })]);
        const args = { prompt: "twice at once" };
        const first = caller.finish("codex_read", args);
        await expect.poll(async () => (await caller.call("bridge_status")).content["jobsRunning"]).toBe(1);
        const twin = await caller.call("codex_read", args);
        const { content } = await first;
        expect(content).toMatchObject({ status: "completed", answer: "Twins." });
        expect(content.deduplicated).toBeUndefined();
        expect(twin.content).toMatchObject({ jobId: content.jobId, deduplicated: true });
        const again = await caller.finish("codex_read", args);
        expect(again.content.jobId).not.toBe(content.jobId);
      });

      test("a busy thread refuses another turn, but finds the identical one", async () => {
        model.script("open a thread", [say("Open.")]);
        const { threadId } = (await caller.finish("codex_read", { prompt: "open a thread" })).content;
        model.script("work on it", [say("Worked.", { chunks: 10, chunkMs: 400 })]);
        const working = await caller.call("codex_reply", { threadId, prompt: "work on it" });
        expect(working.content).toMatchObject({ status: "running", threadId });
        const second = await caller.call("codex_reply", { threadId, prompt: "and this too" });
        expect(second).toMatchObject({
          isError: true,
          content: { error: { code: "thread_busy", retryable: true } },
        });
        const identical = await caller.call("codex_reply", { threadId, prompt: "work on it" });
        expect(identical.content).toMatchObject({ jobId: working.content.jobId, deduplicated: true });
        const done = await caller.finish("codex_job_status", { jobId: working.content.jobId });
        expect(done.content).toMatchObject({ status: "completed", answer: "Worked." });
        model.script("now you can", [say("Free.")]);
        const free = await caller.finish("codex_reply", { threadId, prompt: "now you can" });
        expect(free.content).toMatchObject({ status: "completed", answer: "Free." });
      });
    });

    describe("ends", () => {
      test("cancel ends the turn and its commands, stays cancelled, and the thread goes on", async () => {
        model.script("before the sleep", [say("Awake.")]);
        const { threadId } = (await caller.finish("codex_read", { prompt: "before the sleep" })).content;
        const pid = await theCodex();
        model.script("sleep for long", [shell("sleep 617", { yieldMs: 30_000 }), say("never")]);
        const started = await caller.call("codex_reply", { threadId, prompt: "sleep for long" });
        const { jobId } = started.content;
        expect(started.content.status).toBe("running");
        // One who waits for the job hears of its end too.
        const waiting = caller.call("codex_job_status", { jobId });
        const processes = await turnProcesses("sleep 617");
        expect(processes.length).toBeGreaterThan(0);
        const cancelled = await timed(async () => caller.call("codex_job_cancel", { jobId }));
        expect(cancelled.result).toMatchObject({
          isError: false,
          content: { jobId, status: "cancelled", error: { code: "cancelled" } },
        });
        expect((await waiting).content.status).toMatch(/^(cancelled|running)$/);
        const alive = async (): Promise<number> =>
          (await Promise.all(processes.map(isAlive))).filter(Boolean).length;
        await expect.poll(alive, { timeout: 5_000 }).toBe(0);
        expect(await theCodex()).toBe(pid);
        await expect.poll(belowCodex, { timeout: 5_000 }).toEqual([]);

        const status = await caller.call("codex_job_status", { jobId });
        expect(status.content).toMatchObject({ status: "cancelled", error: { code: "cancelled" } });
        const again = await caller.call("codex_job_cancel", { jobId });
        expect(again.content).toMatchObject({ status: "cancelled", finishedAt: status.content.finishedAt });
        model.script("good morning", [say("Good morning.")]);
        const reply = await caller.finish("codex_reply", { threadId, prompt: "good morning" });
        expect(reply.content).toMatchObject({ status: "completed", threadId, answer: "Good morning." });
      });

      /** The processes of turns, once the command is among them. */
      async function turnProcesses(command: string): Promise<readonly number[]> {
        await expect
          .poll(async () => commandLines(bridge.pid), { timeout: 10_000 })
          .toMatch(new RegExp(`(^|\n)(\\S*/)?${command} *(\n|$)`));
        return belowCodex();
      }

      /** Everything below this bridge but its Codex processes. */
      async function belowCodex(): Promise<readonly number[]> {
        const codexPids = new Set((await bridge.codexProcesses()).map(({ pid }) => pid));
        return (await descendants(bridge.pid)).filter((pid) => !codexPids.has(pid));
      }

      test("cancelling a finished job leaves it as it is", async () => {
        model.script("quickly done", [say("Done.")]);
        const done = await caller.finish("codex_read", { prompt: "quickly done" });
        const cancelled = await caller.call("codex_job_cancel", { jobId: done.content.jobId });
        expect(cancelled.content).toMatchObject({
          status: "completed",
          answer: "Done.",
          finishedAt: done.content.finishedAt,
          error: null,
        });
      });

      test("when Codex is killed in a turn, that job is interrupted and the very next call works", async () => {
        model.script("long words", [say("word ".repeat(40), { chunks: 40, chunkMs: 250 })]);
        const started = await caller.call("codex_read", { prompt: "long words" });
        expect(started.content.status).toBe("running");
        const { jobId, threadId } = started.content;
        const pid = await theCodex();
        process.kill(pid, "SIGKILL");
        const ended = await timed(async () => caller.finish("codex_job_status", { jobId }));
        expect(ended.ms).toBeLessThan(3_000);
        expect(ended.result).toMatchObject({
          isError: false,
          content: { status: "failed", answer: null, error: { code: "interrupted", retryable: true } },
        });
        expect(failure(ended.result).message).toMatch(/^The job was interrupted: \w/);
        model.script("are you back", [say("I am back.")]);
        const next = await caller.finish("codex_read", { prompt: "are you back?" });
        expect(next.content).toMatchObject({ status: "completed", answer: "I am back." });
        expect(await theCodex()).not.toBe(pid);
        model.script("where were we", [say("At the words.")]);
        const reply = await caller.finish("codex_reply", { threadId, prompt: "where were we?" });
        expect(reply.content).toMatchObject({ status: "completed", threadId, answer: "At the words." });
        expect(JSON.stringify(model.requests.at(-1)?.input)).toContain("long words");
      });

      test("20 jobs run in one Codex process, one more waits, the next is told busy, status answers throughout", async () => {
        model.script("crowd", [say("One of many.", { chunks: 16, chunkMs: 500 })]);
        const crowd = Array.from({ length: MAX_CONCURRENT }, async (_, n) =>
          caller.finish("codex_read", { prompt: `crowd ${n}` }),
        );
        const counts = async (): Promise<unknown[]> => {
          const { content } = await caller.call("bridge_status");
          return [content["jobsRunning"], content["jobsQueued"]];
        };
        await expect.poll(counts, { timeout: 10_000 }).toEqual([MAX_CONCURRENT, 0]);
        const waiting = caller.finish("codex_read", { prompt: "one that waits" });
        await expect.poll(counts, { timeout: 5_000 }).toEqual([MAX_CONCURRENT, 1]);
        const refused = await timed(async () => caller.call("codex_read", { prompt: "one too many" }));
        expect(refused.result).toMatchObject({ isError: true, content: { status: "refused" } });
        expect(refused.result.content.error).toMatchObject({ code: "busy", retryable: true });
        expect(refused.ms).toBeLessThan(2_000);
        const status = await timed(async () => caller.call("bridge_status"));
        expect(status.result.content.status).toBe("ready");
        expect(status.ms).toBeLessThan(1_000);
        await theCodex(); // throws unless there is exactly one

        const newest = await caller.call("codex_job_status", { waitMs: 0 });
        expect(newest.content).toMatchObject({ status: "queued", threadId: null });
        const cancelled = await caller.call("codex_job_cancel", { jobId: newest.content.jobId });
        expect(cancelled.content).toMatchObject({ status: "cancelled" });
        expect((await waiting).content).toMatchObject({ status: "cancelled", error: { code: "cancelled" } });
        expect(model.requests.some(({ prompt }) => prompt === "one that waits")).toBe(false);

        const ended = await Promise.all(crowd);
        expect(ended.map(({ content }) => content.status)).toEqual(ended.map(() => "completed"));
        expect(new Set(ended.map(({ content }) => content.threadId)).size).toBe(MAX_CONCURRENT);
        expect(new Set(ended.map(({ content }) => content.jobId)).size).toBe(MAX_CONCURRENT);
      });
    });

    describe("faults of the model", () => {
      test.each([
        { fault: "429", step: httpError(429), kind: "responseTooManyFailedAttempts" },
        { fault: "500", step: httpError(500), kind: "internalServerError" },
        {
          fault: "401",
          step: httpError(401),
          kind: subject.version === "0.169.0" ? "httpConnectionFailed" : "other",
        },
        { fault: "a dropped stream", step: dropConnection("mid"), kind: "other" },
      ])("$fault ends the job as failed, with Codex's own kind", async ({ fault, step, kind }) => {
        model.script(`fault: ${fault}`, [step]);
        const answer = await caller.finish("codex_read", { prompt: `fault: ${fault}` });
        expect(answer).toMatchObject({ isError: false, content: { status: "failed", answer: null } });
        expect(failure(answer)).toMatchObject({
          code: "codex_failed",
          message: expect.stringContaining(`(${kind})`),
        });
      });

      test("a refused connection ends the job as failed, soon", async () => {
        const deadHome = await createCodexHome({ modelUrl: "http://127.0.0.1:9/v1" });
        const roots = [project.path];
        const dead = await startBridge({ codex, codexHome: deadHome.path, roots, flags: backendFlags });
        try {
          const lonely = await dead.connect();
          const { result, ms } = await timed(async () => lonely.finish("codex_read", { prompt: "anyone?" }));
          expect(result.content).toMatchObject({ status: "failed", answer: null });
          expect(failure(result)).toMatchObject({
            code: "codex_failed",
            message: expect.stringContaining("(httpConnectionFailed)"),
          });
          expect(ms).toBeLessThan(10_000);
          await lonely.close();
        } finally {
          await dead.stop();
          await deadHome.dispose();
        }
      });

      describe("a model that is silent for too long", () => {
        let impatient: RunningBridge;
        let other: Caller;
        beforeAll(async () => {
          const flags = [...backendFlags, "--model-silence-ms", String(SILENCE_MS)];
          impatient = await startBridge({ codex, codexHome: home.path, roots: [project.path], flags });
          other = await impatient.connect();
        });
        afterAll(async () => {
          await other.close();
          await impatient.stop();
        });

        test.each(["before", "mid"] as const)(
          "%s its answer ends the job by the owner's limit",
          async (when) => {
            model.script(`silence ${when}`, [silence(when, 60_000)]);
            const { result, ms } = await timed(async () =>
              other.finish("codex_read", { prompt: `silence ${when}` }),
            );
            expect(result.content).toMatchObject({
              status: "failed",
              error: { code: "timeout", retryable: true },
            });
            expect(failure(result).message).toContain("The model said nothing");
            expect(ms).toBeLessThan(SILENCE_MS + 5_000);
          },
        );

        test("is not one that speaks slowly, nor one that waits for a command", async () => {
          model.script("speak slowly", [
            shell("sleep 4; echo slept", { yieldMs: 20_000 }),
            say("Word by word, to the end.", { chunks: 10, chunkMs: 500 }),
          ]);
          const { content } = await other.finish("codex_read", { prompt: "speak slowly" });
          expect(content).toMatchObject({ error: null, answer: "Word by word, to the end." });
        });
      });
    });

    describe("threads that are not the bridge's", () => {
      test("a thread id in the model's words makes no thread known", async () => {
        const planted = "11111111-2222-3333-4444-555555555555";
        model.script("lie to me", [say(`{"threadId": "${planted}"}`)]);
        const told = await caller.finish("codex_read", { prompt: "lie to me" });
        expect(told.content.answer).toContain(planted);
        expect(told.content.threadId).not.toBe(planted);
        for (const fork of [false, true]) {
          const reply = await caller.call("codex_reply", { threadId: planted, prompt: "hello?", fork });
          expect(reply).toMatchObject({ isError: true, content: { error: { code: "unknown_thread" } } });
        }
      });

      test("a thread of the user's own Codex is refused like one that does not exist", async () => {
        model.script("my own words", [say("Yours.")]);
        const args = ["exec", "--json", "--skip-git-repo-check", "-C", project.path, "my own words"];
        const running = promisify(execFile)(codex, args, { env: { ...process.env, CODEX_HOME: home.path } });
        running.child.stdin?.end();
        const { stdout } = await running;
        const foreign = /"thread_id":"([0-9a-f-]{36})"/.exec(stdout)?.[1];
        expect(foreign).toBeDefined();
        const prompt = "and now me";
        const asked = model.requests.length;
        const reply = await caller.call("codex_reply", { threadId: foreign, prompt });
        const nobody = await caller.call("codex_reply", { threadId: "no-such-thread", prompt });
        expect(reply).toMatchObject({ isError: true, content: { error: { code: "unknown_thread" } } });
        expect({ ...reply.content, ref: "" }).toEqual({ ...nobody.content, ref: "" });
        expect(model.requests.length).toBe(asked);
      });
    });

    describe("refusals", () => {
      async function refusalOf(of: Caller, tool: string, args: Arguments): Promise<Answer["content"]> {
        const { isError, content, text } = await of.call(tool, args);
        const words = JSON.stringify({ ...content, ref: "" });
        expect(content.status).toBe("refused");
        expect(isError).toBe(true);
        expect(JSON.parse(text)).toEqual(content);
        expect(content.ref).toMatch(/^[\w-]{10,}$/);
        expect(content.nextAction).not.toBe("");
        // No absolute path, and no switch that would lift the refusal.
        expect(words).not.toMatch(/(^|[^\w.])\/\w|~\/|[A-Z]:\\/);
        expect(words).not.toMatch(/CODEX_GPT_BRIDGE|--\w|allow_write|disable|secrets *=/i);
        return content;
      }

      const prompt = "never asked";
      const invalid = "invalid_argument";
      test.each<[string, string, Arguments, string]>([
        ["full access", "codex_run", { prompt, sandbox: "danger-full-access" }, invalid],
        ["a sandbox for codex_read", "codex_read", { prompt, sandbox: "workspace-write" }, invalid],
        ["an approval policy", "codex_run", { prompt, approvalPolicy: "on-request" }, invalid],
        [
          "an approval policy in Codex's spelling",
          "codex_run",
          { prompt, "approval-policy": "never" },
          invalid,
        ],
        [
          "Codex configuration",
          "codex_run",
          { prompt, config: { sandbox_mode: "danger-full-access" } },
          invalid,
        ],
        ["an argument for bridge_status", "bridge_status", { verbose: true }, invalid],
        ["no prompt", "codex_read", {}, invalid],
        ["a number as prompt", "codex_read", { prompt: 5 }, invalid],
        ["a list as prompt", "codex_read", { prompt: ["x"] }, invalid],
        ["null as prompt", "codex_run", { prompt: null }, invalid],
        ["an empty prompt", "codex_read", { prompt: "" }, invalid],
        ["a blank prompt", "codex_read", { prompt: " \n\t " }, invalid],
        ["a prompt that is too long", "codex_read", { prompt: "x".repeat(65_537) }, invalid],
        ["a blank reply", "codex_reply", { threadId: "x", prompt: " " }, invalid],
        ["a limit that is too short", "codex_read", { prompt, timeoutMs: 999 }, invalid],
        ["a limit above the owner's", "codex_read", { prompt, timeoutMs: 1_800_001 }, invalid],
        ["a limit as text", "codex_read", { prompt, timeoutMs: "5000" }, invalid],
        ["an empty requestId", "codex_read", { prompt, requestId: "" }, invalid],
        ["a long requestId", "codex_read", { prompt, requestId: "x".repeat(129) }, invalid],
        ["an effort that is no word", "codex_read", { prompt, effort: "high; ls" }, invalid],
        ["a schema that is a list", "codex_read", { prompt, outputSchema: [] }, invalid],
        ["a schema for a list", "codex_read", { prompt, outputSchema: { type: "array" } }, invalid],
        ["a cwd that is no text", "codex_read", { prompt, cwd: ["sub"] }, invalid],
        ["a negative wait", "codex_job_status", { waitMs: -1 }, invalid],
        ["a cursor that is no number", "codex_job_status", { cursor: "first" }, invalid],
        ["a jobId that is no text", "codex_job_status", { jobId: 7 }, invalid],
        ["cancelling nothing", "codex_job_cancel", {}, invalid],
        ["a reply to nothing", "codex_reply", { prompt }, invalid],
        ["fork as text", "codex_reply", { threadId: "x", prompt, fork: "yes" }, invalid],
        ["a model that is not listed", "codex_read", { prompt, model: "gpt-6-nova" }, "model_not_allowed"],
        ["an unknown project", "codex_read", { prompt, project: "elsewhere" }, "unknown_project"],
        ["an unknown job", "codex_job_status", { jobId: "no-such-job" }, "unknown_job"],
        ["cancelling an unknown job", "codex_job_cancel", { jobId: "no-such-job" }, "unknown_job"],
        ["an unknown thread", "codex_reply", { threadId: "no-such-thread", prompt }, "unknown_thread"],
      ])("%s is refused", async (_name, tool, args, code) => {
        const asked = model.requests.length;
        expect((await refusalOf(caller, tool, args)).error?.code).toBe(code);
        expect(model.requests.length).toBe(asked);
      });

      test("the longest prompt that is allowed reaches Codex whole", async () => {
        const longest = `measure this ${"ö".repeat(65_536 - 13)}`;
        model.script("measure this", [say("Long.")]);
        const { content } = await caller.finish("codex_read", { prompt: longest });
        expect(content).toMatchObject({ status: "completed", answer: "Long." });
        expect(model.requests.at(-1)?.prompt).toBe(longest);
      });

      test("every directory that may not be used is refused in the same words", async () => {
        const outside = await createProject({ "secret.txt": "not yours\n" });
        try {
          await symlink(outside.path, `${project.path}/way-out`);
          await mkdir(`${project.path}-beside`);
          const wanted = [
            "..",
            "sub/../..",
            "../../../../../../../etc",
            "/",
            "/etc",
            "/no/such/directory",
            outside.path,
            `${project.path}-beside`,
            `${project.path}/..`,
            "way-out",
            `${project.path}/way-out`,
            "sub\0",
            "\0",
            `${project.path}\0/etc`,
            "readme.txt",
            "readme.txt/sub",
            "missing",
            "missing/../..",
            "~",
            "x".repeat(4_096),
          ];
          const refusals = new Set<string>();
          for (const cwd of wanted) {
            for (const tool of ["codex_read", "codex_run"]) {
              const content = await refusalOf(caller, tool, { prompt, cwd });
              refusals.add(JSON.stringify({ ...content, ref: "" }));
            }
          }
          expect([...refusals]).toHaveLength(1);
          expect([...refusals][0]).toContain('"cwd_not_allowed"');
        } finally {
          await outside.dispose();
          await rename(`${project.path}-beside`, `${outside.path}-beside`).catch(() => {});
        }
      });

      test("a careful owner's bridge: two projects, no writing, a secret, a swapped root", async () => {
        const tidy = await createProject({ "readme.txt": "tidy\n", "sub/inner.txt": "inner\n" });
        const leaky = await createProject({
          ".env": "PASSWORD=hunter2hunter2\n",
          "sub/inner.txt": "inner\n",
        });
        const roots = [`tidy=${tidy.path}`, `leaky=${leaky.path}`];
        const careful = await startBridge({ codex, codexHome: home.path, roots, flags: backendFlags });
        try {
          const other = await careful.connect();
          const status = await other.call("bridge_status");
          expect(status.content).toMatchObject({ allowWorkspaceWrite: false, defaultCwd: null });
          expect(JSON.stringify(status.content)).not.toMatch(/"\//);

          const noName = await refusalOf(other, "codex_read", { prompt });
          expect(noName.error?.code).toBe("cwd_required");
          expect(noName.error?.message).toContain("tidy, leaky");
          const write = { prompt, project: "tidy", sandbox: "workspace-write" };
          expect((await refusalOf(other, "codex_run", write)).error?.code).toBe("sandbox_not_allowed");
          const unknown = await refusalOf(other, "codex_read", { prompt, project: "neither" });
          expect(unknown.error?.code).toBe("unknown_project");
          const across = { prompt, project: "tidy", cwd: leaky.path };
          expect((await refusalOf(other, "codex_read", across)).error?.code).toBe("cwd_not_allowed");

          for (const cwd of [undefined, "sub"]) {
            const args = { prompt, project: "leaky", ...(cwd === undefined ? {} : { cwd }) };
            const { error } = await refusalOf(other, "codex_read", args);
            expect(error?.code).toBe("secrets_found");
            expect(error?.message).toMatch(/\(\w[\w -]*: 1\)/);
            expect(error?.message).not.toMatch(/\.env|hunter2|leaky/);
          }

          model.script("read the tidy one", [shell("cat readme.txt"), say("tidy")]);
          const read = await other.finish("codex_read", { prompt: "read the tidy one", project: "tidy" });
          expect(read.content).toMatchObject({ status: "completed", answer: "tidy" });

          await rename(tidy.path, `${leaky.path}/moved`);
          await symlink(leaky.path, tidy.path);
          const { threadId } = read.content;
          const swapped = [
            await refusalOf(other, "codex_read", { prompt, project: "tidy" }),
            await refusalOf(other, "codex_read", { prompt, project: "tidy", cwd: "sub" }),
            await refusalOf(other, "codex_reply", { prompt, threadId }),
          ];
          expect(swapped.map(({ error }) => error?.code)).toEqual(swapped.map(() => "cwd_not_allowed"));
          expect(model.requests.some((request) => request.prompt === prompt)).toBe(false);
          await other.close();
        } finally {
          await careful.stop();
          await tidy.dispose();
          await leaky.dispose();
        }
      });
    });

    describe("what no client sends", () => {
      const headers = {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2025-11-25",
      };
      const rpc = (method: unknown, params: unknown): string =>
        JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });

      test.each<[string, string]>([
        ["nothing", ""],
        ["half an object", '{"jsonrpc":"2.0","id":1,"method":"tools/'],
        ["no JSON", "<html>hello</html>"],
        ["a number", "7"],
        ["null", "null"],
        ["a list", "[]"],
        ["a method that is a number", rpc(7, {})],
        ["an unknown method", rpc("tools/destroy", {})],
        ["params that are a list", rpc("tools/call", [1, 2])],
        ["an unknown tool", rpc("tools/call", { name: "shell", arguments: { command: "id" } })],
        ["a tool from the prototype", rpc("tools/call", { name: "constructor", arguments: {} })],
        ["a tool without a name", rpc("tools/call", { arguments: {} })],
        ["arguments that are text", rpc("tools/call", { name: "codex_read", arguments: "prompt" })],
        ["arguments that are a list", rpc("tools/call", { name: "codex_read", arguments: ["prompt"] })],
        ["a meta that is text", rpc("tools/call", { name: "bridge_status", arguments: {}, _meta: "x" })],
        ["a deep nest", `${"[".repeat(5_000)}${"]".repeat(5_000)}`],
        [
          "two megabytes",
          rpc("tools/call", { name: "codex_read", arguments: { prompt: "x".repeat(2_000_000) } }),
        ],
        [
          "a planted prototype",
          '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"__proto__":{"x":1}}}',
        ],
      ])("%s is answered with a JSON error and without a stack trace", async (_name, body) => {
        const response = await fetch(`${bridge.url}/mcp`, { method: "POST", headers, body });
        const text = await response.text();
        expect(response.status).toBeLessThan(500);
        expect(response.headers.get("x-request-id")).toMatch(/^[\w-]+$/);
        const found = /^data: (.+)$/m.exec(text)?.[1] ?? text;
        const answer = JSON.parse(found) as { error?: object; result?: { isError?: boolean } };
        expect(answer.error !== undefined || answer.result?.isError === true).toBe(true);
        expect(text).not.toMatch(/\bat \S+ \(|node:internal|\.ts:\d|\.js:\d|node_modules|<html/);
      });

      test("nobody gets in without the token, and nothing is said but that", async () => {
        for (const authorization of [undefined, "Bearer wrong", `Basic ${token}`, `Bearer ${token}x`]) {
          const { authorization: _own, ...others } = headers;
          const response = await fetch(`${bridge.url}/mcp`, {
            method: "POST",
            headers: { ...others, ...(authorization === undefined ? {} : { authorization }) },
            body: rpc("tools/call", { name: "codex_read", arguments: { prompt: "let me in" } }),
          });
          expect(response.status).toBe(401);
          expect(await response.text()).not.toContain(token);
        }
        expect(model.requests.some((request) => request.prompt === "let me in")).toBe(false);
      });
    });

    test("through all of this the bridge answered /healthz, logged JSON lines only, and met no error of its own", async () => {
      const { polls, failures, slowestMs } = await health.stop();
      console.log(
        `${subject.backend} ${subject.version}: ${polls} polls, slowest ${Math.round(slowestMs)} ms`,
      );
      expect(failures).toEqual([]);
      expect(polls).toBeGreaterThan(20);
      expect((await caller.call("bridge_status")).content.status).toBe("ready");
      expect(bridge.strayLines).toEqual([]);
      expect(bridge.logLines.filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
      expect(JSON.stringify(bridge.logLines)).not.toContain(token);
    });

    test("SIGTERM ends it with exit code 0 and leaves no Codex behind", async () => {
      const pids = (await bridge.codexProcesses()).map(({ pid }) => pid);
      expect(pids.length).toBeGreaterThan(0);
      const { result, ms } = await timed(async () => bridge.stop());
      expect(result.exitCode).toBe(0);
      expect(ms).toBeLessThan(8_000);
      expect((await Promise.all(pids.map(isAlive))).filter(Boolean)).toEqual([]);
    });
  });
}

/** How long after the job's end its answer was here, in ms, by the same machine's clock. */
export function deliveryMs(answer: Answer, subject: Pick<BridgeUnderTest, "backend" | "version">): number {
  const ms = answer.arrivedAt - Date.parse(answer.content.finishedAt ?? "");
  console.log(`${subject.backend} ${subject.version}: delivered ${ms} ms after the end of the job`);
  return ms;
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const started = performance.now();
  const result = await work();
  return { result, ms: performance.now() - started };
}
