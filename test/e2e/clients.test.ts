/** The clients of both eras walk through the whole product, and ChatGPT's own sequence of requests is replayed on it. */
import { Client } from "@modelcontextprotocol/client";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as OldClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as OldTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { say } from "../../src/demo/scripted-model/steps.ts";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { tools } from "../../src/tools/index.ts";
import {
  authorized,
  callTool,
  envelope,
  rpc,
  send,
  standardHeaders,
  type Answer,
} from "../http/fixture/start-bridge.ts";
import { startBridge, token, type RunningBridge } from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  type ScratchProject,
} from "../support/scripted-codex.ts";

let model: ScriptedModel;
let home: Awaited<ReturnType<typeof createCodexHome>>;
let project: ScratchProject;
let bridge: RunningBridge;

beforeAll(async () => {
  model = await startScriptedModel();
  home = await createCodexHome({ modelUrl: model.url });
  project = await createProject({ "readme.txt": "hello\n" });
  bridge = await startBridge({
    codex: codexBinaries["0.169.0"],
    codexHome: home.path,
    roots: [project.path],
    flags: ["--fast-return-ms=2000"],
  });
});
afterAll(async () => {
  await bridge.stop();
  await home.dispose();
  await project.dispose();
  await model.close();
});

const requestInit = { headers: { authorization: `Bearer ${token}` } };
const toolNames = tools.map(({ name }) => name);

type Call = (name: string, args?: Record<string, unknown>) => Promise<Record<string, unknown>>;

async function connectOld(): Promise<{
  names: string[];
  version: string;
  call: Call;
  close(): Promise<void>;
}> {
  const client = new OldClient({ name: "old", version: "1" });
  const transport = new OldTransport(new URL(`${bridge.url}/mcp`), { requestInit });
  await client.connect(transport);
  const { tools: listed } = await client.listTools();
  return {
    names: listed.map(({ name }) => name),
    version: transport.protocolVersion ?? "",
    call: async (name, args = {}) => {
      const result = await client.callTool({ name, arguments: args });
      return result.structuredContent as Record<string, unknown>;
    },
    close: async () => client.close(),
  };
}

async function connectNew(): Promise<{
  names: string[];
  version: string;
  call: Call;
  close(): Promise<void>;
}> {
  const client = new Client({ name: "new", version: "1" }, { versionNegotiation: { mode: "auto" } });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${bridge.url}/mcp`), { requestInit }));
  const { tools: listed } = await client.listTools();
  return {
    names: listed.map(({ name }) => name),
    version: client.getNegotiatedProtocolVersion() ?? "",
    call: async (name, args = {}) => {
      const result = await client.callTool({ name, arguments: args });
      return result.structuredContent as Record<string, unknown>;
    },
    close: async () => client.close(),
  };
}

describe("the whole product", () => {
  test.each([
    { era: "the old era, with the SDK of its time", connect: connectOld, version: "2025-11-25" },
    { era: "the new era", connect: connectNew, version: "2026-07-28" },
  ])("is walked through in $era", async ({ connect, version }) => {
    const prompt = `What is in readme.txt, in ${version}?`;
    model.script(prompt, [say("It says hello.")]);
    model.script(`And then, in ${version}?`, [say("Nothing more.", { delayMs: 2_500 })]);
    const client = await connect();
    expect(client.names).toEqual(toolNames);
    expect(client.version).toBe(version);
    expect(await client.call("bridge_status")).toMatchObject({ confinement: { state: "proven" } });

    const asked = await client.call("codex_read", { prompt });
    expect(asked).toMatchObject({ status: "completed", answer: "It says hello." });
    let replied = await client.call("codex_reply", {
      threadId: asked["threadId"],
      prompt: `And then, in ${version}?`,
    });
    expect(replied).toMatchObject({ status: "running" });
    while (replied["status"] === "running") {
      replied = await client.call("codex_job_status", { jobId: replied["jobId"] });
    }
    expect(replied).toMatchObject({ status: "completed", answer: "Nothing more." });
    expect(await client.call("codex_job_status")).toMatchObject({ jobId: replied["jobId"] });
    expect(await client.call("codex_job_cancel", { jobId: replied["jobId"] })).toMatchObject({
      status: "completed",
    });
    expect(await client.call("codex_run", { prompt, sandbox: "workspace-write" })).toMatchObject({
      status: "refused",
      error: { code: "sandbox_not_allowed" },
    });
    await client.close();
  });
});

describe("ChatGPT", () => {
  const capabilities = {
    experimental: { "openai/visibility": {} },
    extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } },
  };
  const meta = { ...envelope, "io.modelcontextprotocol/clientCapabilities": capabilities };
  const agent = (name: string) => ({ "user-agent": name });
  const mcp = { ...authorized, ...agent("openai-mcp/1.0.0 (ChatGPT)"), authorization: `Bearer ${token}` };
  const port = (): number => Number(new URL(bridge.url).port);
  const post = async (headers: Record<string, string>, body: string): Promise<Answer> =>
    send(port(), { headers, body });
  const bodyOf = (answer: Answer) => JSON.parse(answer.body) as Record<string, Record<string, unknown>>;

  test("looks for a sign-in first and finds none, in JSON", async () => {
    const probe = { "content-type": "application/json", ...agent("Python/3.12 aiohttp/3.10.5") };
    const refused = await post(probe, rpc("initialize", {}));
    expect(refused.status).toBe(401);
    expect(refused.headers["www-authenticate"]).toMatch(/^Bearer realm=/);
    for (const path of [
      "/.well-known/oauth-protected-resource",
      "/.well-known/oauth-protected-resource/mcp",
      "/.well-known/oauth-authorization-server",
      "/.well-known/openid-configuration",
      "/mcp/.well-known/openid-configuration",
    ]) {
      const answer = await send(port(), { method: "GET", path, headers: probe });
      expect(answer.status).toBe(404);
      expect(answer.headers["content-type"]).toBe("application/json");
      expect(bodyOf(answer)).toMatchObject({ ok: false });
    }
  });

  test("discovers, lists and calls, in a new conversation with each request and without a session", async () => {
    const discover = await post(
      { ...mcp, ...standardHeaders("server/discover") },
      rpc("server/discover", { _meta: meta }, "openai-mcp-discover"),
    );
    expect(discover.status).toBe(200);
    expect(bodyOf(discover)).toMatchObject({
      id: "openai-mcp-discover",
      result: { resultType: "complete", supportedVersions: ["2026-07-28"], capabilities: { tools: {} } },
    });
    expect(discover.headers["mcp-session-id"]).toBeUndefined();

    const list = bodyOf(
      await post({ ...mcp, ...standardHeaders("tools/list") }, rpc("tools/list", { _meta: meta })),
    );
    const listed = list["result"]?.["tools"] as { name: string; annotations: object; outputSchema: object }[];
    expect(listed.map(({ name }) => name)).toEqual(toolNames);
    for (const tool of listed) {
      expect(tool).toMatchObject({ outputSchema: { type: "object" }, securitySchemes: expect.any(Array) });
      expect(Object.keys(tool.annotations)).toEqual(
        expect.arrayContaining(["readOnlyHint", "destructiveHint", "openWorldHint"]),
      );
    }

    model.script("ChatGPT's own question", [say("The answer.", { delayMs: 3_000 })]);
    const ask = async (tool: string, args: object) => {
      const answer = await post(
        { ...mcp, ...standardHeaders("tools/call", tool) },
        callTool(tool, { arguments: args, _meta: { ...meta, "openai/session": "v1/conversation" } }),
      );
      expect(answer.status).toBe(200);
      expect(answer.headers["mcp-session-id"]).toBeUndefined();
      return bodyOf(answer)["result"]?.["structuredContent"] as Record<string, unknown>;
    };
    const question = { prompt: "ChatGPT's own question" };
    const first = await ask("codex_read", question);
    expect(first).toMatchObject({ status: "running" });
    // It gives up on an answer and asks again: the same job.
    const again = await ask("codex_read", question);
    expect(again).toMatchObject({ jobId: first["jobId"], deduplicated: true });
    // It forgets the id.
    let found = again;
    while (found["status"] === "running") found = await ask("codex_job_status", {});
    expect(found).toMatchObject({ jobId: first["jobId"], status: "completed", answer: "The answer." });
  });

  test("where it falls back to the older protocol: initialize, notification, list, call, without the id it was not given", async () => {
    const init = await post(
      mcp,
      rpc("initialize", {
        protocolVersion: "2025-11-25",
        capabilities,
        clientInfo: { name: "openai-mcp", version: "1.0.0" },
      }),
    );
    expect(bodyOf(init)).toMatchObject({ result: { protocolVersion: "2025-11-25" } });
    expect(init.headers["mcp-session-id"]).toBeUndefined();
    const old = { ...mcp, "mcp-protocol-version": "2025-11-25" };
    const noted = await post(old, JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }));
    expect([noted.status, noted.body]).toEqual([202, ""]);
    expect((await send(port(), { method: "GET", headers: old })).status).toBe(405);
    expect((await send(port(), { method: "DELETE", headers: old })).status).toBe(405);
    const list = bodyOf(await post(old, rpc("tools/list")));
    expect(list["result"]?.["tools"]).toHaveLength(toolNames.length);
    const status = bodyOf(await post({ ...old, "mcp-session-id": "made-up" }, callTool("bridge_status")));
    expect(status["result"]?.["isError"]).toBeUndefined();
  });

  test("is served in the new era also where a proxy dropped the headers", async () => {
    const { accept, authorization } = mcp;
    const bare = { accept, authorization, "content-type": "application/json" };
    const answer = await post(bare, callTool("bridge_status", { _meta: meta }));
    expect(answer.status).toBe(200);
    expect(bodyOf(answer)["result"]).toMatchObject({ resultType: "complete" });
  });
});
