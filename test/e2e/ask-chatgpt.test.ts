/** `codex-chatgpt-mcp` as a process: what MCP clients get from it, and what it leaves behind. */
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newestLines } from "../../src/audit/log-end.ts";
import { verifyLog } from "../../src/audit/verify-log.ts";
import { createSecretFile } from "../../src/keychain/secret-file.ts";
import { secretItems } from "../../src/keychain/secret-items.ts";
import {
  API_KEY,
  askClients,
  askDoor,
  createAskPlace,
  startAsk,
  startRawAsk,
  type AskClient,
  type AskPlace,
  type RawAsk,
  type RunningAsk,
} from "../support/running-ask.ts";
import { runDoor } from "../support/running-bridge.ts";
import { isAlive } from "../support/scripted-codex.ts";
import { startScriptedOpenai, type Received, type ScriptedOpenai } from "../support/scripted-openai.ts";
import { FAKE_SECRETS } from "../support/secret-corpus.ts";

let openai: ScriptedOpenai;
let place: AskPlace;
const running = new Set<RunningAsk>();

beforeEach(async () => {
  openai = await startScriptedOpenai();
  place = await createAskPlace(openai.url);
});
afterEach(async () => {
  await Promise.all([...running].map(async (ask) => ask.close()));
  running.clear();
  await openai.close();
  await place.dispose();
});

async function start(
  options: { client?: AskClient; env?: Readonly<Record<string, string>>; cwd?: string } = {},
): Promise<RunningAsk> {
  const { client = "v2, 2026-07-28", env = {}, cwd = place.project } = options;
  const ask = await startAsk({ env: place.env(env), cwd, client });
  running.add(ask);
  return ask;
}

async function configure(toml: string): Promise<void> {
  const directory = join(place.home, ".config", "codex-gpt-bridge");
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "config.toml"), toml, { mode: 0o600 });
}

const isQuestion = ({ method, path }: Received): boolean => method === "POST" && path === "/v1/responses";
const PRICES = `[chatgpt.prices."gpt-6-astra"]\ninput = 2\ncached_input = 0.5\noutput = 10\n`;

describe.each(askClients)("a client of %s", (client) => {
  test("gets both tools, with hints that let Codex call them, and an answer with what it cost", async () => {
    await configure(PRICES);
    const ask = await start({ client });
    expect(ask.toolNames).toEqual(["ask_chatgpt", "ask_chatgpt_result"]);
    for (const { annotations } of ask.tools) {
      expect(annotations).toMatchObject({ readOnlyHint: true, destructiveHint: false, openWorldHint: true });
    }
    const answer = await ask.ask("What is a heap?", { instructions: "Be brief.", reasoningEffort: "low" });
    expect(answer).toMatchObject({
      isError: false,
      text: "scripted answer",
      content: {
        status: "completed",
        outputText: "scripted answer",
        output: null,
        responseId: expect.stringMatching(/^resp_1_/),
        model: "gpt-6-astra",
        reasoningEffort: "low",
        truncated: false,
        usage: { inputTokens: 1_000, cachedInputTokens: 400, outputTokens: 500, reasoningOutputTokens: 200 },
        estimatedCostUsd: (600 * 2 + 400 * 0.5 + 500 * 10) / 1_000_000,
        requestId: "req_1",
        error: null,
      },
    });
    expect(openai.received[0]?.headers.authorization).toBe(`Bearer ${API_KEY}`);
    expect(openai.received[0]?.json).toMatchObject({
      model: "gpt-6-astra",
      instructions: "Be brief.",
      reasoning: { effort: "low" },
      stream: true,
    });
  });

  test("hears of progress, and a call outlives the client's own time limit by it", async () => {
    openai.plays({ kind: "answer", text: "at last", delayMs: 14_000 });
    const ask = await start({ client });
    const heard: { progress: number; message?: string | undefined }[] = [];
    const answer = await ask.ask(
      "Think.",
      {},
      { timeoutMs: 10_000, resetTimeoutOnProgress: true, onProgress: (progress) => heard.push(progress) },
    );
    expect(answer.text).toBe("at last");
    expect(heard.length).toBeGreaterThanOrEqual(3);
    const told = heard.map(({ progress }) => progress);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect(new Set(told).size).toBe(told.length);
    expect(heard.map(({ message }) => message).join("\n")).toMatch(/thinking, \d+ s/);
  });

  test("ends the request at OpenAI when it cancels the call", async () => {
    openai.plays({ kind: "answer", delayMs: 60_000 });
    const ask = await start({ client });
    const cancelling = new AbortController();
    const asked = ask.ask("Think.", {}, { signal: cancelling.signal }).catch(() => "cancelled");
    const request = await openai.until(1, isQuestion);
    cancelling.abort();
    expect(await asked).toBe("cancelled");
    await expect.poll(() => request.wasCutOff, { timeout: 20_000 }).toBe(true);
  });

  test("ends a response in the background too when it cancels the call", async () => {
    openai.hold();
    const ask = await start({ client });
    const cancelling = new AbortController();
    const asked = ask
      .ask("Think.", { background: true }, { signal: cancelling.signal })
      .catch(() => "cancelled");
    await openai.until(1, ({ method }) => method === "GET");
    cancelling.abort();
    expect(await asked).toBe("cancelled");
    await expect.poll(() => openai.cancelled().length, { timeout: 20_000 }).toBe(1);
  });

  test("that lost patience finds the answer later; it was paid once", async () => {
    openai.hold();
    const ask = await start({ client });
    await expect(ask.ask("Think.", { reasoningEffort: "high" }, { timeoutMs: 1_500 })).rejects.toThrow(
      /time/i,
    );
    await openai.until(1, ({ method }) => method === "GET");
    expect(openai.cancelled()).toEqual([]);
    openai.finish();
    const { content } = await ask.call("ask_chatgpt_result");
    expect(content).toMatchObject({ status: "completed", outputText: "scripted answer" });
    expect(openai.paid()).toBe(1);
  });
});

describe("nothing that was paid is lost", () => {
  test("kill -9 in a background call: the next process collects the answer, which was paid once", async () => {
    await configure(PRICES);
    openai.hold();
    const first = await start();
    const asked = first.ask("Think.", { background: true }).catch(() => "gone");
    await openai.until(1, ({ method }) => method === "GET");
    await first.kill();
    running.delete(first);
    expect(await asked).toBe("gone");
    openai.finish();
    const second = await start();
    const { content } = await second.call("ask_chatgpt_result");
    expect(content).toMatchObject({
      status: "completed",
      outputText: "scripted answer",
      estimatedCostUsd: 0.0064,
    });
    expect(openai.paid()).toBe(1);
    expect((await second.call("ask_chatgpt_result", { responseId: content.responseId })).content).toEqual({
      ...content,
      elapsedMs: expect.any(Number),
      requestId: expect.any(String),
    });
  });

  test("without an id another project's answer is not given away", async () => {
    const first = await start();
    await first.ask("Think.");
    const elsewhere = join(place.home, "other");
    await mkdir(elsewhere);
    const second = await start({ cwd: elsewhere });
    expect((await second.call("ask_chatgpt_result")).content.error?.code).toBe("unknown_response");
  });

  test("an answer whose stream breaks is fetched where OpenAI keeps it", async () => {
    openai.plays({ kind: "answer", text: "whole", dropsStream: true });
    const ask = await start();
    expect((await ask.ask("Think.")).content).toMatchObject({ status: "completed", outputText: "whole" });
    expect(openai.paid()).toBe(1);
  });

  test("a background call that outlasts its limit answers in_progress with its id", async () => {
    openai.hold();
    const ask = await start();
    const { isError, content } = await ask.ask("Think.", { background: true, timeoutMs: 1_200 });
    expect({ isError, ...content }).toMatchObject({
      isError: false,
      status: "in_progress",
      outputText: "",
      error: null,
    });
    expect(content.nextAction).toContain("ask_chatgpt_result");
    openai.finish();
    const { responseId } = content;
    expect((await ask.call("ask_chatgpt_result", { responseId })).content.status).toBe("completed");
  });
});

describe("stdout and the end", () => {
  const call = (id: number, args: Record<string, unknown>) => ({
    jsonrpc: "2.0",
    id,
    method: "tools/call",
    params: { name: "ask_chatgpt", arguments: args, _meta: { progressToken: id } },
  });

  function expectOnlyProtocol({ lines }: RawAsk): void {
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" });
  }

  test.each<[string, Record<string, string>, string[]]>([
    ["NODE_DEBUG", { NODE_DEBUG: "*" }, []],
    ["OPENAI_LOG=debug", { OPENAI_LOG: "debug" }, []],
    [
      "deprecation warnings",
      { NODE_OPTIONS: "--trace-deprecation --pending-deprecation --trace-warnings" },
      [],
    ],
    [
      "a library that logs",
      {},
      ["--import", "data:text/javascript,setInterval(()=>console.log('hello'),20)"],
    ],
  ])("stdout carries nothing but protocol with %s", async (_name, env, nodeFlags) => {
    const raw = await startRawAsk({ env: place.env(env), cwd: place.project, nodeFlags });
    raw.send({ jsonrpc: "2.0", id: 1, method: "tools/list" });
    raw.send(call(2, { prompt: "Think." }));
    expect(await raw.answer(2)).toMatchObject({ result: { structuredContent: { status: "completed" } } });
    raw.child.stdin?.end();
    expect(await raw.ended).toEqual({ code: 0, signal: null });
    expectOnlyProtocol(raw);
    expect(raw.stderr()).not.toContain(API_KEY);
  });

  test("a crash is told on stderr alone", async () => {
    const crash = "data:text/javascript,process.on('SIGUSR2',()=>{throw new Error('crashed on purpose')})";
    const raw = await startRawAsk({ env: place.env(), cwd: place.project, nodeFlags: ["--import", crash] });
    raw.child.kill("SIGUSR2");
    expect((await raw.ended).code).toBe(1);
    expectOnlyProtocol(raw);
    expect(raw.stderr()).toContain("crashed on purpose");
  });

  test("what is no message is answered by nothing but protocol, and the next one is served", async () => {
    const raw = await startRawAsk({ env: place.env(), cwd: place.project });
    raw.child.stdin?.write("hello\n{}\n[1,2]\n");
    raw.send({ jsonrpc: "2.0", id: 5, method: "tools/list" });
    expect(await raw.answer(5)).toHaveProperty("result.tools");
    raw.child.stdin?.end();
    await raw.ended;
    expectOnlyProtocol(raw);
  });

  test.each<[string, (raw: RawAsk) => Promise<void>]>([
    ["idle", async () => {}],
    [
      "in a call",
      async (raw) => {
        openai.plays({ kind: "answer", delayMs: 60_000 });
        raw.send(call(1, { prompt: "Think." }));
        await openai.until(1, isQuestion);
      },
    ],
    [
      "in a background call",
      async (raw) => {
        openai.hold();
        raw.send(call(1, { prompt: "Think.", background: true }));
        await openai.until(1, ({ method }) => method === "GET");
      },
    ],
  ])("a client that closes stdin leaves no process behind (%s), nor does SIGTERM", async (_name, engage) => {
    for (const end of ["stdin", "SIGTERM"]) {
      const raw = await startRawAsk({ env: place.env(), cwd: place.project });
      await engage(raw);
      if (end === "stdin") raw.child.stdin?.end();
      else raw.child.kill("SIGTERM");
      expect(await raw.ended).toEqual({ code: 0, signal: null });
      expect(await isAlive(raw.child.pid ?? 0)).toBe(false);
      openai.finish();
    }
    expect(openai.cancelled()).toEqual([]);
  });
});

describe("the command line", () => {
  const command = [process.execPath, askDoor];

  test.each<[string[], number, RegExp, RegExp]>([
    [["--version"], 0, /^\d+\.\d+\.\d+\n$/, /^$/],
    [["--help"], 0, /Usage: codex-chatgpt-mcp/, /^$/],
    [["--model", "x"], 2, /^$/, /--model is not understood/],
  ])("%j ends with %i", async (argv, code, out, err) => {
    const { exitCode, stdout, stderr } = await runDoor({ argv, command });
    expect(exitCode).toBe(code);
    expect(stdout).toMatch(out);
    expect(stderr).toMatch(err);
  });

  test("wrong settings are told at once: exit code 2, and nothing on stdout", async () => {
    const env = { CODEX_CHATGPT_TIMEOUT_MS: "soon", CODEX_CHATGPT_MAX_USD_PER_DAY: "-5" };
    const { exitCode, stdout, stderr } = await runDoor({ argv: [], command, env });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(/CODEX_CHATGPT_TIMEOUT_MS: [\s\S]*CODEX_CHATGPT_MAX_USD_PER_DAY: /);
  });

  test("a state directory that cannot be used: nothing is asked, and the answer says why", async () => {
    await writeFile(place.stateDir, "a file in its place");
    const ask = await start();
    const { content } = await ask.ask("Think.");
    expect(content.error).toMatchObject({
      code: "internal",
      message: expect.stringMatching(/EEXIST|ENOTDIR/),
    });
    expect(openai.received).toHaveLength(0);
  });
});

describe("the owner's rules", () => {
  test("without a key the server starts, lists its tools and says what is missing", async () => {
    const ask = await start({ env: { OPENAI_API_KEY: "" } });
    const { isError, content } = await ask.ask("Think.");
    expect(isError).toBe(true);
    expect(content).toMatchObject({ status: "refused", error: { code: "no_api_key", retryable: false } });
    expect(content.error?.message).toContain("OPENAI_API_KEY");
  });

  test("with the keychain on, the key comes from where the owner keeps it, and is struck out like any other", async () => {
    await configure("keychain = true\n");
    const kept = createSecretFile(join(place.home, ".config", "codex-gpt-bridge", "secrets.json"));
    expect(await kept.write(secretItems.openaiApiKey, API_KEY)).toMatchObject({ ok: true });
    const ask = await start({ env: { OPENAI_API_KEY: "" } });
    expect((await ask.ask("Think.")).content.status).toBe("completed");
    expect(openai.received[0]?.headers.authorization).toBe(`Bearer ${API_KEY}`);
    expect((await ask.ask(`Is ${API_KEY} right?`)).content.error?.code).toBe("secrets_found");
  });

  test.each(["refuse", "redact"])(
    "of more than 50 secrets in prompts, instructions and files none reaches OpenAI (%s)",
    async (mode) => {
      const secrets = Object.entries(FAKE_SECRETS).map(([name, make]) => [name, make()] as const);
      expect(secrets.length).toBeGreaterThan(50);
      const ask = await start({ env: { CODEX_CHATGPT_SECRETS: mode } });
      for (const [index, [name, secret]] of secrets.entries()) {
        const file = `notes-${index}.md`;
        await writeFile(join(place.project, file), `# ${name}\n\n${secret}\n`);
        const questions = [
          { prompt: `Why does this fail?\n${secret}\nThanks.` },
          { prompt: "Review.", instructions: `Use ${secret} for it.` },
          { prompt: "Review.", files: [file] },
        ];
        for (const { prompt, ...more } of questions) {
          const { isError, content } = await ask.ask(prompt, more);
          expect({ name, isError }).toEqual({ name, isError: mode === "refuse" });
          if (mode === "refuse") expect(content.error?.code).toBe("secrets_found");
          expect(JSON.stringify(content)).not.toContain(secret);
        }
      }
      const sent = openai.received.map(({ body }) => body).join("\n");
      for (const [name, secret] of secrets) {
        const spellings = [secret, JSON.stringify(secret).slice(1, -1)];
        expect({ name, leaked: spellings.some((spelling) => sent.includes(spelling)) }).toEqual({
          name,
          leaked: false,
        });
      }
      expect(openai.paid()).toBe(mode === "refuse" ? 0 : secrets.length * 3);
      expect(ask.stderr()).not.toContain(secrets[0]?.[1]);
    },
  );

  test("the key itself does not leave, in any mode, nor come back in an error", async () => {
    const ask = await start();
    expect((await ask.ask(`Is ${API_KEY} right?`)).content.error?.code).toBe("secrets_found");
    const body = { error: { message: `Incorrect API key provided: ${API_KEY}`, code: "invalid_api_key" } };
    openai.plays({ kind: "error", status: 401, body });
    const { text, content } = await ask.ask("Think.");
    expect(content.error).toMatchObject({ code: "unauthorized", retryable: false });
    expect(text + ask.stderr()).not.toContain(API_KEY);
  });

  test("ten servers at once on one state directory do not exceed a daily cap by more than one call", async () => {
    const costOfCall = 0.0064;
    await configure(PRICES);
    openai.plays({ kind: "answer", delayMs: 50 });
    const env = { CODEX_CHATGPT_MAX_USD_PER_DAY: "0.05" };
    const servers = await Promise.all(Array.from({ length: 10 }, async () => start({ env })));
    const outcomes = await Promise.all(
      servers.map(async (server) => {
        const codes: (string | null)[] = [];
        for (let turn = 0; turn < 4; turn++) {
          const { content } = await server.ask("Think.", { maxOutputTokens: 500 });
          codes.push(content.error?.code ?? null);
        }
        return codes;
      }),
    );
    const codes = outcomes.flat();
    expect(new Set(codes)).toEqual(new Set([null, "budget_exceeded"]));
    expect(openai.paid()).toBe(codes.filter((code) => code === null).length);
    // What running calls held is free again: what is left is spent one by one.
    const last = await start({ env });
    let { content } = await last.ask("Think.");
    while (content.error === null) ({ content } = await last.ask("Think."));
    expect(openai.paid() * costOfCall).toBeGreaterThanOrEqual(0.05);
    expect(openai.paid() * costOfCall).toBeLessThanOrEqual(0.05 + costOfCall);
    expect(content.error).toMatchObject({
      code: "budget_exceeded",
      retryable: false,
      resetsAt: expect.stringMatching(/T00:00:00\.000Z$/),
    });
    expect(content.error?.message).toContain(content.error?.resetsAt);
  });

  test("every call is on record, one chain for all processes, readable by the owner alone", async () => {
    const servers = await Promise.all(Array.from({ length: 4 }, async () => start()));
    await Promise.all(servers.map(async (server) => server.ask("A prompt that is not kept.")));
    await servers[0]?.ask("");
    await servers[1]?.call("ask_chatgpt_result", { responseId: "resp_unknown" });
    const directory = join(place.stateDir, "audit", "chatgpt");
    expect(await verifyLog(directory)).toMatchObject({ ok: true, lines: 6, unfinished: null });
    const lines = await newestLines(directory, 10);
    const entries = lines.map(({ line }) => line.entry);
    expect(entries.map(({ outcome }) => outcome)).toEqual([
      "unknown_response",
      "invalid_argument",
      ...Array.from({ length: 4 }, () => "completed"),
    ]);
    expect(entries.at(-1)).toMatchObject({
      type: "ask",
      tool: "ask_chatgpt",
      model: "gpt-6-astra",
      prompt: { length: 26, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      usage: { inputTokens: 1_000 },
      requestId: expect.stringMatching(/^req_/),
    });
    expect(JSON.stringify(entries)).not.toContain("not kept");
    for (const name of await readdir(place.stateDir, { recursive: true })) {
      const { mode } = await stat(join(place.stateDir, name));
      expect({ name, open: mode & 0o077 }).toEqual({ name, open: 0 });
    }
    for (const action of ["verify", "tail"]) {
      const argv = ["audit", action, "--state-dir", place.stateDir];
      const { exitCode, stdout } = await runDoor({ argv });
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(
        action === "verify" ? /chatgpt[\s\S]*6 lines in 1 file, all in order\./ : /ask_chatgpt/,
      );
    }
  });
});
