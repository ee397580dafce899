import { get, request as httpRequest } from "node:http";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { chooseStep } from "../src/demo/scripted-model/choose-step.ts";
import { inlineScript, parseInlineScript } from "../src/demo/scripted-model/inline-script.ts";
import { scriptedUsage } from "../src/demo/scripted-model/response-stream.ts";
import { startScriptedModel, type ScriptedModel } from "../src/demo/scripted-model/scripted-model.ts";
import {
  callTool,
  dropConnection,
  echoToolOutput,
  httpError,
  js,
  malformed,
  parallel,
  patch,
  reasoning,
  responseFailed,
  say,
  shell,
  silence,
  type Step,
} from "../src/demo/scripted-model/steps.ts";

type Item = Record<string, unknown>;

const functionTools = [{ type: "function", name: "exec_command" }];
const codeModeTools = {
  type: "additional_tools",
  tools: [
    {
      type: "namespace",
      name: "functions",
      tools: [
        { type: "custom", name: "exec" },
        { type: "function", name: "wait" },
      ],
    },
  ],
};

const user = (...texts: string[]): Item => ({
  type: "message",
  role: "user",
  content: texts.map((text) => ({ type: "input_text", text })),
});
const assistant = (text: string): Item => ({
  type: "message",
  role: "assistant",
  content: [{ type: "output_text", text }],
});
const output = (callId: string, text: unknown): Item => ({
  type: "function_call_output",
  call_id: callId,
  output: text,
});
const agentsFile = user(
  "# AGENTS.md instructions for /p\n\nfix the bug",
  "<environment_context>\n<cwd>/fix the bug</cwd></environment_context>",
);

const open: ScriptedModel[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((model) => model.close()));
});

async function start(options?: Parameters<typeof startScriptedModel>[0]): Promise<ScriptedModel> {
  const model = await startScriptedModel(options);
  open.push(model);
  return model;
}

function send(model: ScriptedModel, input: readonly Item[], more: Item = {}): Promise<Response> {
  return fetch(`${model.url}/responses`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "scripted-model", input, tools: functionTools, ...more }),
  });
}

async function events(response: Response): Promise<Item[]> {
  const text = await response.text();
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json ?? "") as Item);
}

/** The finished items of a response. */
async function items(response: Response): Promise<Item[]> {
  const all = await events(response);
  expect(all.at(-1)).toMatchObject({ type: "response.completed", response: { usage: scriptedUsage } });
  return all
    .filter((event) => event["type"] === "response.output_item.done")
    .map((event) => event["item"] as Item);
}

async function answer(model: ScriptedModel, input: readonly Item[], more: Item = {}): Promise<string> {
  const [item] = await items(await send(model, input, more));
  const content = item?.["content"] as [{ text: string }] | undefined;
  return content?.[0].text ?? `no message but ${JSON.stringify(item)}`;
}

describe("which script a prompt plays", () => {
  it("plays the script whose text the prompt contains", async () => {
    const model = await start();
    model.script("fix the bug", [say("fixed")]);
    expect(await answer(model, [user("Please fix the bug now")])).toBe("fixed");
  });

  it("answers a prompt without a script in one plain sentence", async () => {
    const model = await start();
    model.script("fix the bug", [say("fixed")]);
    expect(await answer(model, [user("good morning")])).toBe("Hello from the scripted model.");
  });

  it("takes no context message of Codex for the prompt", async () => {
    const model = await start();
    model.script("fix the bug", [say("fixed")]);
    model.script("hello", [say("hi")]);
    expect(await answer(model, [user("hello"), agentsFile])).toBe("hi");
    expect(await answer(model, [agentsFile])).toBe("Hello from the scripted model.");
    expect(model.requests.map((request) => request.prompt)).toEqual(["hello", null]);
  });

  it("listens to the newest prompt of a thread only", async () => {
    const model = await start();
    model.script("fix the bug", [say("fixed")]);
    const thread = [user("fix the bug"), assistant("fixed"), user("thanks")];
    expect(await answer(model, thread)).toBe("Hello from the scripted model.");
  });

  it("goes on with the script when more is said during the same turn", async () => {
    const model = await start();
    model.script("fix the bug", [shell("sleep 1"), say("fixed")]);
    const turn = { client_metadata: { turn_id: "t1", thread_id: "a" } };
    await send(model, [user("fix the bug")], turn);
    const steered = [user("fix the bug"), output("c1", "slept"), user("be quick")];
    expect(await answer(model, steered, turn)).toBe("fixed");
    expect(await answer(model, steered, { client_metadata: { turn_id: "t2" } })).toBe(
      "Hello from the scripted model.",
    );
  });

  it("prefers the newest of two scripts that fit, and an inline script to both", async () => {
    const model = await start();
    model.script("bug", [say("first")]);
    model.script("fix", [say("second")]);
    expect(await answer(model, [user("fix the bug")])).toBe("second");
    model.script("bug", [say("again")]);
    expect(await answer(model, [user("fix the bug")])).toBe("again");
    expect(await answer(model, [user(`fix the bug ${inlineScript([say("inline")])}`)])).toBe("inline");
  });

  it("says that a script is over instead of playing its last call for ever", async () => {
    const model = await start();
    model.script("loop", [shell("ls")]);
    expect(await answer(model, [user("loop"), output("c1", "a")])).toBe("The script has no further step.");
  });
});

describe("which step of a script comes next", () => {
  const steps: Step[] = [
    httpError(500, { times: 2 }),
    shell("a"),
    parallel([shell("b"), shell("c")]),
    reasoning("hm", say("said")),
    () => say("a function decides"),
  ];
  const rows: [string, number, number, number, number | null][] = [
    ["a failure until it has been played `times` times", 0, 0, 1, 0],
    ["the call after the failures", 0, 0, 2, 1],
    ["the parallel calls after one output", 1, 0, 2, 2],
    ["the parallel calls again while one of their outputs is missing", 2, 0, 2, 2],
    ["the message after all outputs", 3, 0, 2, 3],
    ["the function step after the message", 3, 1, 2, 4],
    ["nothing after the last message", 3, 2, 2, null],
  ];
  it.each(rows)("is %s", (_, outputs, messages, failed, expected) => {
    const progress = {
      outputs: Array.from({ length: outputs }, (__, i) => ({ callId: `c${i}`, text: `o${i}` })),
      messages,
    };
    const choice = chooseStep(
      steps,
      progress,
      () => failed,
      (step) => (typeof step === "function" ? say("decided") : step),
    );
    expect(choice?.index ?? null).toBe(expected);
  });

  it("may be decided by a function that sees the outputs of the steps before it", async () => {
    const model = await start();
    model.script("go", [
      shell("a"),
      ({ prompt, outputs }) => shell(`${prompt} ${outputs.join()}`),
      echoToolOutput(),
    ]);
    const [item] = await items(await send(model, [user("go"), output("c1", "one")]));
    expect(item).toMatchObject({ arguments: '{"cmd":"go one"}' });
    expect(await answer(model, [user("go"), output("c1", "one"), output("c2", "two")])).toBe("two");
  });

  it("counts the tool outputs after the prompt, each call once", async () => {
    const model = await start();
    model.script("go", [shell("a"), shell("b"), echoToolOutput()]);
    const old = [user("before"), output("c0", "old")];
    const [first] = await items(await send(model, [...old, user("go")]));
    expect(first).toMatchObject({ type: "function_call", arguments: '{"cmd":"a"}' });
    const [second] = await items(
      await send(model, [...old, user("go"), output("c1", "1"), output("c1", "one")]),
    );
    expect(second).toMatchObject({ arguments: '{"cmd":"b"}' });
    const both = [
      ...old,
      user("go"),
      output("c1", "one"),
      output("c2", [{ type: "input_text", text: "two" }]),
    ];
    expect(await answer(model, both)).toBe("two");
    expect(model.toolOutputs("go")).toEqual(["one", "two"]);
  });

  it("fails `times` times for a script in memory, and `times` times per thread for an inline one", async () => {
    const model = await start();
    model.script("memory", [httpError(429, { times: 1, headers: { "retry-after": "0" } }), say("ok")]);
    const refused = await send(model, [user("memory")]);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "0"]);
    expect(await answer(model, [user("memory")])).toBe("ok");
    const prompt = inlineScript([httpError(500, { times: 1 }), say("ok")]);
    for (const thread of ["a", "b"]) {
      const more = { client_metadata: { thread_id: thread } };
      expect((await send(model, [user(prompt)], more)).status).toBe(500);
      expect(await answer(model, [user(prompt)], more)).toBe("ok");
    }
  });

  it("fails for ever without `times`", async () => {
    const model = await start();
    model.script("memory", [
      httpError(503, { body: { error: { code: "server_is_overloaded" } } }),
      say("never"),
    ]);
    for (const _ of [1, 2, 3]) {
      const refused = await send(model, [user("memory")]);
      expect([refused.status, await refused.json()]).toEqual([
        503,
        { error: { code: "server_is_overloaded" } },
      ]);
    }
  });
});

describe("inline scripts", () => {
  it("carry every kind of step through a prompt unchanged", () => {
    const steps = [
      reasoning("a ] b", say('quote " and \\ and ]', { chunks: 2, chunkMs: 1, delayMs: 1 })),
      shell("echo '[[['", { yieldMs: 5, workdir: "/", escalate: true }),
      patch("*** Begin Patch\n*** End Patch"),
      callTool("wait", { cell_id: "1" }, { namespace: "functions" }),
      parallel([js("text(1)"), shell("ls")]),
      echoToolOutput(),
      httpError(429, { body: { a: [1] }, headers: { a: "b" }, times: 1 }),
      malformed("html", { times: 1 }),
      dropConnection("mid"),
      silence("before", 10),
      responseFailed("code", "message"),
    ];
    const parsed = parseInlineScript(`Do this: ${inlineScript(steps)} and [no more].`);
    expect(parsed).toEqual({ ok: true, value: steps });
  });

  it("are absent from an ordinary prompt", () => {
    expect(parseInlineScript("describe the SCRIPT and [lists]")).toEqual({ ok: true, value: null });
  });

  it.each([
    ["SCRIPT[", "never ends"],
    ['SCRIPT[{"kind":"say","text":"]', "never ends"],
    ["SCRIPT[]", "at least one step"],
    ["SCRIPT[nonsense]", "JSON"],
    ["SCRIPT[1]", "step 0 is not an object"],
    ['SCRIPT[{"kind":"toString"}]', "step 0 has an unknown kind"],
    ['SCRIPT[{"kind":"say"}]', "step 0 (say) has a wrong text"],
    [
      'SCRIPT[{"kind":"say","text":"a"},{"kind":"shell","cmd":"a","cwd":"/"}]',
      'step 1 (shell) has an unknown field "cwd"',
    ],
    ['SCRIPT[{"kind":"silence","when":"before","ms":-1}]', "wrong ms"],
    ['SCRIPT[{"kind":"httpError","status":99}]', "wrong status"],
    ['SCRIPT[{"kind":"parallel","calls":[{"kind":"say","text":"a"}]}]', "wrong calls"],
    ['SCRIPT[{"kind":"reasoning","text":"a","next":{"kind":"reasoning"}}]', "wrong next"],
  ])("that cannot be read are refused: %s", async (prompt, reason) => {
    expect(parseInlineScript(prompt)).toEqual({ ok: false, failure: expect.stringContaining(reason) });
    const response = await send(await start(), [user(prompt)]);
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringContaining("unreadable inline script"),
    ]);
  });
});

describe("what a step looks like to Codex", () => {
  const both: [string, Item[], Item][] = [
    ["function tools", [], { tools: functionTools }],
    ["code mode", [codeModeTools], { tools: undefined }],
  ];

  it("streams a text in the pieces that were asked for, never cutting a character", async () => {
    const model = await start();
    model.script("go", [say("a👍👍b", { chunks: 4, chunkMs: 1 })]);
    const all = await events(await send(model, [user("go")]));
    const deltas = all
      .filter((event) => event["type"] === "response.output_text.delta")
      .map((event) => event["delta"]);
    expect(deltas).toEqual(["a", "👍", "👍", "b"]);
  });

  it("puts the reasoning before the step that follows it", async () => {
    const model = await start();
    model.script("go", [reasoning("thinking", shell("ls"))]);
    const done = await items(await send(model, [user("go")]));
    expect(done).toMatchObject([
      { type: "reasoning", summary: [{ type: "summary_text", text: "thinking" }] },
      { type: "function_call", name: "exec_command" },
    ]);
  });

  it.each(both)("gives parallel calls ids of their own (%s)", async (_, extra, more) => {
    const model = await start();
    model.script("go", [parallel([shell("a"), shell("b")])]);
    const done = await items(await send(model, [...extra, user("go")], more));
    expect(new Set(done.map((item) => item["call_id"])).size).toBe(2);
  });

  it("asks for a shell command, its directory, its patience and its escalation by function", async () => {
    const model = await start();
    model.script("go", [shell("ls", { workdir: "/p", yieldMs: 7, escalate: true })]);
    const [item] = await items(await send(model, [user("go")]));
    expect(JSON.parse(String(item?.["arguments"]))).toEqual({
      cmd: "ls",
      workdir: "/p",
      yield_time_ms: 7,
      sandbox_permissions: "require_escalated",
      justification: expect.any(String),
    });
  });

  it("patches by the freeform tool where it is offered, else by the shell", async () => {
    const model = await start();
    model.script("go", [patch("*** Begin Patch\n*** End Patch")]);
    const [freeform] = await items(
      await send(model, [user("go")], { tools: [...functionTools, { type: "custom", name: "apply_patch" }] }),
    );
    expect(freeform).toMatchObject({
      type: "custom_tool_call",
      name: "apply_patch",
      input: "*** Begin Patch\n*** End Patch",
    });
    const [heredoc] = await items(await send(model, [user("go")]));
    expect(heredoc).toMatchObject({
      name: "exec_command",
      arguments: expect.stringContaining("apply_patch <<'EOF'"),
    });
  });

  it("calls a tool of code mode directly where it is offered, else from JavaScript", async () => {
    const model = await start();
    model.script("direct", [callTool("wait", { cell_id: "1" })]);
    model.script("nested", [callTool("view_image", { path: "a.png" })]);
    const [direct] = await items(await send(model, [codeModeTools, user("direct")], { tools: undefined }));
    expect(direct).toMatchObject({ type: "function_call", name: "wait", namespace: "functions" });
    const [nested] = await items(await send(model, [codeModeTools, user("nested")], { tools: undefined }));
    expect(nested).toMatchObject({
      name: "exec",
      input: 'text(await tools["view_image"]({"path":"a.png"}));',
    });
  });

  it("refuses JavaScript on a model without code mode, and shows what a script function threw", async () => {
    const model = await start();
    model.script("js", [js("text(1)")]);
    model.script("bug", [
      () => {
        throw new Error("a mistake in the script");
      },
    ]);
    const first = await send(model, [user("js")]);
    expect([first.status, await first.text()]).toEqual([
      400,
      expect.stringContaining("needs a code-mode model"),
    ]);
    const second = await send(model, [user("bug")]);
    expect([second.status, await second.text()]).toEqual([
      400,
      expect.stringContaining("a mistake in the script"),
    ]);
  });

  it.each([
    ["garbage", malformed("garbage"), /data: \{this is not JSON/],
    ["json", malformed("json"), /"response":\{"id":5\}/],
    ["html", malformed("html"), /<!doctype html>/],
    [
      "a failed response",
      responseFailed("insufficient_quota", "no money"),
      /response\.failed.*insufficient_quota/s,
    ],
  ])("answers 200 with a broken body: %s", async (_, step, expected) => {
    const model = await start();
    model.script("go", [step]);
    const response = await send(model, [user("go")]);
    expect(response.status).toBe(200);
    const text = await response.text();
    expect(text).toMatch(expected);
    expect(text).not.toContain('"usage"');
  });

  it.each([
    ["at once", dropConnection("before")],
    ["in the middle of an answer", dropConnection("mid")],
    ["after a silence", silence("before", 20)],
    ["after a silence in the middle", silence("mid", 20)],
  ])("drops the connection %s", async (_, step) => {
    const model = await start();
    model.script("go", [step]);
    await expect(send(model, [user("go")]).then((response) => response.text())).rejects.toThrow(
      /fetch failed|terminated/,
    );
  });
});

describe("the server", () => {
  it("remembers what was sent, but not the credential", async () => {
    const model = await start();
    await fetch(`${model.url}/responses`, {
      method: "POST",
      headers: { authorization: "Bearer secret-key", "user-agent": "codex" },
      body: JSON.stringify({
        model: "m",
        input: [codeModeTools, user("hello")],
        reasoning: { effort: "high" },
        text: { format: { type: "json_schema", schema: { type: "object" } } },
        client_metadata: { thread_id: "thread", turn_id: "turn" },
      }),
    });
    expect(model.requests).toMatchObject([
      {
        index: 1,
        model: "m",
        prompt: "hello",
        effort: "high",
        outputSchema: { type: "object" },
        threadId: "thread",
        turnId: "turn",
        tools: [
          { type: "custom", name: "exec", namespace: "functions" },
          { type: "function", name: "wait", namespace: "functions" },
        ],
        headers: { authorization: true, "user-agent": "codex" },
      },
    ]);
    expect(JSON.stringify(model.requests)).not.toContain("secret-key");
  });

  it.each([
    ["gzip", gzipSync],
    ["zstd", zstdCompressSync],
  ])("reads a %s body", async (encoding, compress) => {
    const model = await start();
    const response = await post(
      model,
      compress(JSON.stringify({ model: "m", input: [user("hello")] })),
      encoding,
    );
    expect(await response.text()).toContain("Hello from the scripted model.");
  });

  const small = { maxBodyBytes: 1000 };
  it.each([
    ["is not JSON", Buffer.from("{"), undefined, 400],
    ["is no Responses request", Buffer.from("[]"), undefined, 400],
    ["is not what its encoding says", Buffer.from("plain"), "gzip", 400],
    ["has an unknown encoding", Buffer.from("plain"), "br", 415],
    ["is too large", Buffer.alloc(1001), undefined, 413],
    ["is too large when decompressed", gzipSync(Buffer.alloc(100_000)), "gzip", 413],
  ])("refuses a body that %s", async (_, body, encoding, status) => {
    const model = await start(small);
    expect((await post(model, body, encoding)).status).toBe(status);
    expect(model.requests).toEqual([]);
  });

  it("answers nothing but POST /v1/responses", async () => {
    const model = await start();
    expect((await fetch(`${model.url}/models`)).status).toBe(404);
    expect((await fetch(`${model.url}/responses`)).status).toBe(404);
  });

  it("ends silent, streaming and idle connections when it is closed, and may be closed twice", async () => {
    const model = await start();
    model.script("silent", [silence("before", 3_600_000)]);
    model.script("slow", [say("a long answer", { chunks: 10, chunkMs: 3_600_000 })]);
    const silent = send(model, [user("silent")]);
    const slow = send(model, [user("slow")]).then((response) => response.text());
    const ended = Promise.allSettled([silent, slow]);
    await expect.poll(() => model.requests.length).toBe(2);
    await model.close();
    await model.close();
    expect((await ended).map((result) => result.status)).toEqual(["rejected", "rejected"]);
    await expect(connects(model)).rejects.toThrow("ECONNREFUSED");
  });

  it("stops a slow answer when the client leaves, and goes on serving", async () => {
    const model = await start();
    model.script("slow", [say("a long answer", { chunks: 10, chunkMs: 20 })]);
    const leaving = new AbortController();
    const left = fetch(`${model.url}/responses`, {
      method: "POST",
      body: JSON.stringify({ model: "m", input: [user("slow")] }),
      signal: leaving.signal,
    }).then((response) => response.text());
    await expect.poll(() => model.requests.length).toBe(1);
    leaving.abort();
    await expect(left).rejects.toThrow("aborted");
    expect(await answer(model, [user("hello")])).toBe("Hello from the scripted model.");
  });

  it("goes on serving when a client leaves in the middle of its request", async () => {
    const model = await start();
    const outgoing = httpRequest(`${model.url}/responses`, { method: "POST" });
    const left = new Promise((resolve) => outgoing.once("error", resolve));
    outgoing.write('{"model":', () => {
      outgoing.destroy(new Error("left"));
    });
    expect(await left).toMatchObject({ message: "left" });
    expect(await answer(model, [user("hello")])).toBe("Hello from the scripted model.");
  });
});

/** By hand, because fetch would compress nothing and refuses some bodies. */
function post(model: ScriptedModel, body: Buffer, encoding: string | undefined): Promise<Response> {
  return new Promise((resolve, reject) => {
    const headers = encoding === undefined ? {} : { "content-encoding": encoding };
    const outgoing = httpRequest(`${model.url}/responses`, { method: "POST", headers }, (incoming) => {
      incoming
        .toArray()
        .then((chunks: Buffer[]) => {
          resolve(new Response(Buffer.concat(chunks), { status: incoming.statusCode ?? 0 }));
        })
        .catch(reject);
    });
    outgoing.once("error", reject);
    outgoing.end(body);
  });
}

function connects(model: ScriptedModel): Promise<void> {
  return new Promise((resolve, reject) => {
    get(model.url, () => {
      resolve();
    }).once("error", reject);
  });
}
