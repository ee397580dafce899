/** Signing in to the real door, with the real Codex behind it: the whole way from the consent page to a job's answer. */
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { say } from "../../src/demo/scripted-model/steps.ts";
import { openFront, type Front } from "../auth/oauth/front.ts";
import {
  createAuthorization,
  createBrowser,
  postForm,
  signIn,
  type Tokens,
} from "../auth/oauth/sign-in-house.ts";
import { runDoor, startBridge, token, type Ended, type RunningBridge } from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  type ScratchCodexHome,
  type ScratchProject,
} from "../support/scripted-codex.ts";

const passcode = "a passcode for the end-to-end test";
const client = { client_id: "tester", redirect_uri: "https://client.example/callback" };
let front: Front;
let model: ScriptedModel;
let home: ScratchCodexHome;
let project: ScratchProject;
let stateDir: string;

beforeAll(async () => {
  front = await openFront();
  model = await startScriptedModel();
  home = await createCodexHome({ modelUrl: model.url });
  project = await createProject({ "readme.txt": "hello\n" });
  stateDir = join(home.path, "state-of-the-bridge");
  await mkdir(stateDir, { mode: 0o700 });
});
afterAll(async () => {
  front.close();
  await model.close();
  await home.dispose();
  await project.dispose();
});

async function start(): Promise<RunningBridge> {
  const bridge = await startBridge({
    codex: codexBinaries["0.169.0"],
    codexHome: home.path,
    roots: [project.path],
    stateDir,
    flags: ["--public-url", front.url, "--log-level", "debug"],
    env: {
      CODEX_GPT_BRIDGE_OAUTH_PASSCODE: passcode,
      CODEX_GPT_BRIDGE_OAUTH_CLIENTS: `${client.client_id}=${client.redirect_uri}`,
    },
  });
  front.leadTo(Number(new URL(bridge.url).port));
  return bridge;
}

const authorization = () => createAuthorization({ ...client, resource: `${front.url}/mcp` });
const browser = () => createBrowser(front.port, front.url);

async function obtain(fields: Record<string, string>): Promise<Tokens> {
  const made = authorization();
  const back = await signIn(front.port, made, { passcode, ...fields }, browser());
  const answer = await postForm(
    front.port,
    "/oauth/token",
    {
      ...client,
      grant_type: "authorization_code",
      code: back.searchParams.get("code") ?? "",
      code_verifier: made.verifier,
      resource: `${front.url}/mcp`,
    },
    { host: new URL(front.url).host },
  );
  expect(answer.status).toBe(200);
  codes.push(back.searchParams.get("code") ?? "", made.verifier);
  return keep(JSON.parse(answer.body));
}

async function refresh(refreshToken: string): Promise<Tokens> {
  const fields = { grant_type: "refresh_token", refresh_token: refreshToken, client_id: client.client_id };
  const answer = await postForm(front.port, "/oauth/token", fields, { host: new URL(front.url).host });
  expect(answer.status).toBe(200);
  return keep(JSON.parse(answer.body));
}

const codes: string[] = [];
function keep(tokens: Tokens): Tokens {
  codes.push(tokens.access_token, tokens.refresh_token);
  return tokens;
}

/** Calls a tool as the one who signed in. */
async function call(accessToken: string, tool: string, args: Record<string, unknown> = {}) {
  const made = new Client({ name: "tester", version: "1" });
  const requestInit = { headers: { authorization: `Bearer ${accessToken}` } };
  await made.connect(new StreamableHTTPClientTransport(new URL(`${front.url}/mcp`), { requestInit }));
  try {
    return await made.callTool({ name: tool, arguments: args });
  } finally {
    await made.close();
  }
}

test("whoever signed in works with Codex, sees the owner's jobs, stays signed in over a restart, and leaves no secret", async () => {
  model.script("say it", [say("signed in and answered")]);
  const ends: Ended[] = [];
  const stray: string[] = [];
  let bridge = await start();
  const owner = await bridge.connect();
  const ownersJob = await owner.finish("codex_read", { prompt: "say it" });
  expect(ownersJob.content.status).toBe("completed");
  await owner.close();

  const writer = await obtain({ write: "yes" });
  const reader = await obtain({});
  expect((await call(writer.access_token, "bridge_status")).structuredContent).toMatchObject({
    auth: "token or OAuth",
  });
  // The owner let it in, so it is the owner's: their jobs are its jobs.
  const found = await call(writer.access_token, "codex_job_status", { jobId: ownersJob.content.jobId });
  expect(found.structuredContent).toMatchObject({ status: "completed", answer: "signed in and answered" });
  const done = await call(reader.access_token, "codex_read", { prompt: "say it" });
  expect(done.structuredContent).toMatchObject({ status: "completed", answer: "signed in and answered" });
  expect((await call(writer.access_token, "codex_run", { prompt: "say it" })).isError ?? false).toBe(false);
  const refused = await callAsChatgpt(reader.access_token, "codex_run", { prompt: "say it" });
  expect(refused.status).toBe(200);
  expect(refused.result.structuredContent).toMatchObject({ error: { code: "insufficient_scope" } });
  const challenge = refused.result["_meta"]?.["mcp/www_authenticate"]?.[0];
  expect(challenge).toContain(`resource_metadata="${front.url}/.well-known/oauth-protected-resource/mcp"`);
  expect(challenge).toContain('error="insufficient_scope"');

  // A wrong passcode, and a request that leads nowhere.
  const guess = "what somebody typed instead of it";
  await expect(signIn(front.port, authorization(), { passcode: guess }, browser())).rejects.toThrow(
    "not let in: 403",
  );
  ends.push(await bridge.stop());
  stray.push(...bridge.strayLines);

  bridge = await start();
  expect((await call(writer.access_token, "bridge_status")).isError ?? false).toBe(false);
  const next = await refresh(writer.refresh_token);
  expect((await call(next.access_token, "bridge_status")).isError ?? false).toBe(false);
  const listed = await runDoor({ argv: ["sign-in", "list", "--state-dir", stateDir] });
  expect(listed.stdout.split("\n").filter((line) => line.includes("tester"))).toHaveLength(2);
  ends.push(listed, await runDoor({ argv: ["sign-in", "end", "--all", "--state-dir", stateDir] }));
  await expect(call(next.access_token, "bridge_status")).rejects.toThrow(/401|Unauthorized|credential/i);
  ends.push(await bridge.stop());
  stray.push(...bridge.strayLines);

  expect(stray).toEqual([]);
  const tail = await runDoor({ argv: ["audit", "tail", "-n", "100", "--json", "--state-dir", stateDir] });
  ends.push(tail);
  const outcomes = tail.stdout
    .split("\n")
    .filter((line) => line.includes('"type":"sign_in"'))
    .map((line) => /"outcome":"(\w+)"/.exec(line)?.[1]);
  expect(outcomes).toEqual(["granted", "granted", "wrong_passcode"]);
  expect((await runDoor({ argv: ["audit", "verify", "--state-dir", stateDir] })).exitCode).toBe(0);

  const printed = ends.map(({ stdout, stderr }) => stdout + stderr).join("\n");
  const kept = await contentOf(stateDir);
  expect(printed).toContain("the owner let a client in");
  for (const secret of [passcode, guess, token, ...codes]) {
    expect(secret.length).toBeGreaterThan(20);
    expect(printed).not.toContain(secret);
    expect(kept).not.toContain(secret);
  }
  expect((await stat(join(stateDir, "oauth.sqlite"))).mode & 0o777).toBe(0o600);
});

test("a public URL is enough to start; nothing of OAuth is there without one", async () => {
  const flags = ["--port", "0", "--public-url", "https://bridge.example.com", "--ephemeral"];
  const none = await runDoor({ argv: ["serve", "--port", "0"] });
  expect(none.exitCode).toBe(2);
  expect(none.stderr).toContain("CODEX_GPT_BRIDGE_PUBLIC_URL");
  const wrong = await runDoor({ argv: ["serve", ...flags, "--no-auth"] });
  expect(wrong.exitCode).toBe(2);
  expect(wrong.stderr).toMatch(/--no-auth: .*--public-url/);
  const bridge = await startBridge({
    codex: null,
    codexHome: home.path,
    roots: [project.path],
    untilReady: false,
  });
  try {
    for (const path of [
      "/.well-known/oauth-protected-resource",
      "/.well-known/oauth-authorization-server",
      "/oauth/authorize",
    ]) {
      const answer = await fetch(`${bridge.url}${path}`);
      expect(answer.status).toBe(404);
      expect(await answer.json()).toMatchObject({ error: { code: "not_found" } });
    }
  } finally {
    await bridge.stop();
  }
});

test("the server's modules are loaded only where somebody can sign in", async () => {
  const loaded = async (flags: readonly string[]): Promise<string[]> => {
    const hooks = join(import.meta.dirname, "../support/print-loaded.mjs");
    const bridge = await startBridge({
      codex: codexBinaries["0.169.0"],
      codexHome: home.path,
      roots: [project.path],
      flags,
      env: { NODE_OPTIONS: `--import=${hooks}` },
    });
    // Ready means that everything that is loaded at start is there.
    const { stderr } = await bridge.stop();
    const line = stderr.split("\n").find((text) => text.startsWith("loaded "));
    return JSON.parse(line?.slice("loaded ".length) ?? "[]");
  };
  const isOAuth = (url: string): boolean =>
    /\/src\/auth\/oauth\/|\/node_modules\/(?:oidc-provider|jose|koa)\//.test(url);
  const without = await loaded([]);
  expect(without.length).toBeGreaterThan(50);
  expect(without.filter((url) => isOAuth(url))).toEqual([]);
  const withSignIn = await loaded(["--public-url", "https://bridge.example.com"]);
  expect(withSignIn.some((url) => url.includes("/node_modules/oidc-provider/"))).toBe(true);
});

/** One call as ChatGPT sends it, which reads the challenge in the answer. */
async function callAsChatgpt(
  accessToken: string,
  tool: string,
  args: Record<string, unknown>,
): Promise<{ status: number; result: { structuredContent: unknown; _meta: Record<string, string[]> } }> {
  const answer = await fetch(`${front.url}/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "user-agent": "openai-mcp/1.0.0 (ChatGPT)",
      authorization: `Bearer ${accessToken}`,
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: tool, arguments: args },
    }),
  });
  const { result } = (await answer.json()) as {
    result: { structuredContent: unknown; _meta: Record<string, string[]> };
  };
  return { status: answer.status, result };
}

async function contentOf(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const texts = await Promise.all(
    files.map(async ({ parentPath, name }) => readFile(join(parentPath, name), "latin1")),
  );
  return texts.join("\n");
}
