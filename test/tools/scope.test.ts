/** What a credential's scopes keep a caller from, and how the caller is told. */
import { afterEach, describe, expect, test } from "vitest";
import { tools } from "../../src/tools/index.ts";
import { authorized, callTool, envelope, standardHeaders } from "../http/fixture/start-bridge.ts";
import { startHouse, type House } from "./start-house.ts";

let house: House;
afterEach(async () => {
  await house.stop();
});

async function open(): Promise<void> {
  house = await startHouse({ ceiling: { allowWrite: true }, fastReturnMs: 500 });
  house.backend.script("", (turn) => turn.end({ answer: "done" }));
}

interface Told {
  readonly status: number;
  readonly challenge: string | null;
  readonly result: {
    readonly isError?: boolean;
    readonly structuredContent: Record<string, unknown>;
    readonly _meta?: Record<string, unknown>;
  };
}

/** Over plain HTTP, where the status can be seen. */
async function ask(
  credential: string,
  tool: string,
  args: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<Told> {
  const response = await house.app.request("/mcp", {
    method: "POST",
    headers: { ...authorized, authorization: `Bearer ${credential}`, ...headers },
    body: callTool(tool, { arguments: args, ...("mcp-method" in headers ? { _meta: envelope } : {}) }),
  });
  const { result } = (await response.json()) as { result: Told["result"] };
  return { status: response.status, challenge: response.headers.get("www-authenticate"), result };
}

const refusal = { status: "refused", error: { code: "insufficient_scope", retryable: false } };

describe("a credential that may only read", () => {
  test.each([
    ["in the old era", {}],
    ["in the new era", standardHeaders("tools/call", "codex_run")],
  ])("cannot run: 403, with the scopes to ask for and the tool's own answer (%s)", async (_name, headers) => {
    await open();
    const { status, challenge, result } = await ask("alice/read", "codex_run", { prompt: "x" }, headers);
    expect(status).toBe(403);
    expect(challenge).toMatch(/^Bearer .*error="insufficient_scope".*scope="read write"/);
    expect(result).toMatchObject({ isError: true, structuredContent: refusal });
    expect(result["_meta"]?.["mcp/www_authenticate"]).toEqual([challenge]);
    expect(house.backend.turns).toEqual([]);
  });

  test("cannot run read-only either, nor learn from wrong arguments", async () => {
    await open();
    for (const args of [{ prompt: "x", sandbox: "read-only" }, { nonsense: true }]) {
      expect(await ask("alice/read", "codex_run", args)).toMatchObject({
        status: 403,
        result: { structuredContent: refusal },
      });
    }
  });

  test("as ChatGPT is told in the result alone, where ChatGPT looks for it", async () => {
    await open();
    const chatgpt = { "user-agent": "openai-mcp/1.0.0 (ChatGPT)" };
    const { status, result } = await ask("alice/read", "codex_run", { prompt: "x" }, chatgpt);
    expect(status).toBe(200);
    expect(result).toMatchObject({ isError: true, structuredContent: refusal });
    expect(result["_meta"]?.["mcp/www_authenticate"]).toEqual([
      expect.stringContaining('error="insufficient_scope"'),
    ]);
  });

  test("cannot reply to a thread that writes, though it is its own; to one that reads it can", async () => {
    await open();
    const writing = await ask("alice", "codex_run", { prompt: "w", sandbox: "workspace-write" });
    const reading = await ask("alice/read", "codex_read", { prompt: "r" });
    const threadIds = [writing, reading].map(({ result }) => result.structuredContent["threadId"]);
    expect(await ask("alice/read", "codex_reply", { threadId: threadIds[0], prompt: "on" })).toMatchObject({
      status: 403,
      result: { structuredContent: refusal },
    });
    expect(
      await ask("alice/read", "codex_reply", { threadId: threadIds[0], prompt: "on", fork: true }),
    ).toMatchObject({
      status: 403,
    });
    expect(await ask("alice/read", "codex_reply", { threadId: threadIds[1], prompt: "on" })).toMatchObject({
      status: 200,
      result: { structuredContent: { status: "completed" } },
    });
    expect(await ask("alice", "codex_reply", { threadId: threadIds[0], prompt: "on" })).toMatchObject({
      status: 200,
      result: { structuredContent: { status: "completed" } },
    });
  });

  test("cannot cancel or see the jobs of others", async () => {
    await open();
    const { result } = await ask("alice", "codex_run", { prompt: "w" });
    const { jobId, threadId } = result.structuredContent;
    for (const [tool, args] of [
      ["codex_job_cancel", { jobId }],
      ["codex_job_status", { jobId }],
      ["codex_job_status", {}],
    ] as const) {
      const told = await ask("bob/read", tool, args);
      expect(told.result.structuredContent).toMatchObject({ error: { code: "unknown_job" } });
    }
    const replied = await ask("bob/read", "codex_reply", { threadId, prompt: "on" });
    expect(replied.result.structuredContent).toMatchObject({ error: { code: "unknown_thread" } });
  });

  test("cannot cancel a job that writes, though it is its own; it can see it, and cancel one that reads", async () => {
    await open();
    house.backend.script("", () => {});
    const ids = [];
    for (const args of [
      { prompt: "w", sandbox: "workspace-write" },
      { prompt: "r", sandbox: "read-only" },
    ]) {
      const { result } = await ask("alice", "codex_run", args);
      ids.push(result.structuredContent["jobId"]);
    }
    const [writing, reading] = ids;
    expect(await ask("alice/read", "codex_job_cancel", { jobId: writing })).toMatchObject({
      status: 403,
      result: { structuredContent: refusal },
    });
    expect(await ask("alice/read", "codex_job_status", { jobId: writing, waitMs: 0 })).toMatchObject({
      status: 200,
      result: { structuredContent: { status: "running" } },
    });
    expect(await ask("alice/read", "codex_job_cancel", { jobId: reading })).toMatchObject({ status: 200 });
    expect(await ask("alice", "codex_job_cancel", { jobId: writing })).toMatchObject({ status: 200 });
  });

  test("does everything else", async () => {
    await open();
    expect(await ask("bob/read", "bridge_status", {})).toMatchObject({ status: 200 });
    const { result } = await ask("bob/read", "codex_read", { prompt: "r" });
    const { jobId } = result.structuredContent;
    expect(result.structuredContent).toMatchObject({ status: "completed", answer: "done" });
    for (const tool of ["codex_job_status", "codex_job_cancel"]) {
      expect(await ask("bob/read", tool, { jobId })).toMatchObject({
        status: 200,
        result: { structuredContent: { status: "completed" } },
      });
    }
  });
});

test.each(tools.map(({ name, scope }) => ({ name, scope })))(
  "a credential without any scope cannot call $name, and is told to ask for $scope",
  async ({ name, scope }) => {
    await open();
    const { status, challenge } = await ask("alice/none", name, {});
    expect(status).toBe(403);
    expect(challenge).toContain(scope === "write" ? 'scope="read write"' : 'scope="read"');
  },
);

test("the refusal is on record with its tool, once", async () => {
  await open();
  await ask("alice/read", "codex_run", { prompt: "x" });
  const calls = house.room.audit.recent("alice", 10);
  expect(calls).toEqual([expect.objectContaining({ tool: "codex_run", outcome: "insufficient_scope" })]);
});

test("the list says of each tool how one may sign in, at both places where clients look, in both eras", async () => {
  await open();
  const wire = [
    [{}, {}],
    [standardHeaders("tools/list"), { params: { _meta: envelope } }],
  ] as const;
  for (const [headers, params] of wire) {
    const response = await house.app.request("/mcp", {
      method: "POST",
      headers: { ...authorized, authorization: "Bearer alice", ...headers },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", ...params }),
    });
    const { result } = (await response.json()) as { result: { tools: Record<string, unknown>[] } };
    expect(result.tools.map(({ name }) => name)).toEqual(tools.map(({ name }) => name));
    for (const [index, tool] of result.tools.entries()) {
      const scopes = tools[index]?.scope === "write" ? ["read", "write"] : ["read"];
      const securitySchemes = [{ type: "noauth" }, { type: "oauth2", scopes }];
      expect(tool).toMatchObject({ securitySchemes, _meta: { securitySchemes } });
    }
  }
});
