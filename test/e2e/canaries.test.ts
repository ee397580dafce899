/**
 * Every credential of a bridge, planted wherever a caller can put one, right and wrong. Then everything that the bridge
 * wrote and said is searched for them: its streams, its audit log, every file of its state, every error.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { say } from "../../src/demo/scripted-model/steps.ts";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { authorized, callTool, envelope, rpc, send, sendRaw } from "../http/fixture/start-bridge.ts";
import { leaksIn, noteCredential, noteMadeToken } from "../support/leak-search.ts";
import { runDoor, startBridge, token, type RunningBridge } from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  type ScratchProject,
} from "../support/scripted-codex.ts";

const headerSecret = "canary-header-secret-0123456789-abcdefgh";
/** Right in form, wrong in fact: what a caller of another bridge sends by mistake. */
const foreign = `cgb_${"Zx9".repeat(5)}Q_${"Canary7".repeat(6)}P`;

let model: ScriptedModel;
let home: Awaited<ReturnType<typeof createCodexHome>>;
let project: ScratchProject;
let stateDir: string;
let bridge: RunningBridge;
let created: string;

beforeAll(async () => {
  model = await startScriptedModel();
  home = await createCodexHome({ modelUrl: model.url });
  project = await createProject({ "readme.txt": "hello\n" });
  stateDir = await mkdtemp(join(dirname(project.path), "canaries-"));
  const made = await runDoor({
    argv: ["token", "create", "--name", "canary", "--scope", "write", "--state-dir", stateDir],
  });
  created = made.stdout.trim();
  bridge = await startBridge({
    codex: codexBinaries["0.169.0"],
    codexHome: home.path,
    roots: [project.path],
    stateDir,
    flags: ["--log-level=debug", "--audit-prompts=full"],
    env: { CODEX_GPT_BRIDGE_HEADER_SECRET: headerSecret },
  });
});
afterAll(async () => {
  await home.dispose();
  await project.dispose();
  await model.close();
  await rm(stateDir, { recursive: true, force: true });
});

/** Places where a credential does not belong; the authorisation beside it is right, wrong or missing. */
function plantings(canary: string) {
  const right = { ...authorized, authorization: `Bearer ${token}` };
  const none = { "content-type": "application/json" };
  const body = callTool("bridge_status");
  const headers = [
    { ...right, authorization: `Bearer ${canary}` },
    { ...right, authorization: `Basic ${canary}` },
    { ...right, authorization: canary },
    { ...right, authorization: `Bearer ${canary}, Bearer ${canary}` },
    { ...right, authorization: `Bearer ${canary}-` },
    { ...none, "x-codex-gpt-bridge-secret": canary },
    { ...right, host: canary },
    { ...right, host: `${canary}.example` },
    { ...right, origin: `https://${canary}` },
    { ...right, origin: canary },
    { ...right, cookie: `token=${canary}` },
    { ...right, accept: canary },
    { ...right, "content-type": canary },
    { ...right, "content-type": `application/json; charset=${canary}` },
    { ...right, "content-encoding": canary },
    { ...right, "user-agent": canary },
    { ...right, "mcp-protocol-version": canary },
    { ...right, "mcp-session-id": canary, "x-request-id": canary },
  ];
  const paths = [
    `/mcp?token=${canary}`,
    `/${canary}`,
    `/mcp/${canary}`,
    `/.well-known/${canary}`,
    `/healthz?${canary}`,
  ];
  const bodies = [
    rpc(canary),
    rpc("tools/list", { cursor: canary }),
    callTool(canary),
    callTool("bridge_status", { arguments: { [canary]: 1 } }),
    callTool("codex_read", { arguments: { prompt: "p", project: canary } }),
    callTool("codex_read", { arguments: { prompt: "p", cwd: `/${canary}` } }),
    callTool("codex_read", { arguments: { prompt: "p", model: canary } }),
    callTool("codex_read", { arguments: { prompt: "p", effort: canary } }),
    callTool("codex_read", { arguments: { prompt: 7, [canary]: canary } }),
    callTool("codex_reply", { arguments: { prompt: "p", threadId: canary } }),
    callTool("codex_job_status", { arguments: { jobId: canary } }),
    callTool("codex_job_status", { arguments: {}, _meta: { "openai/session": canary } }),
    callTool("codex_job_cancel", { arguments: { jobId: canary } }),
    callTool("codex_read", { arguments: { prompt: `please say ${canary}` } }),
    callTool("bridge_status", {
      _meta: { ...envelope, "io.modelcontextprotocol/protocolVersion": canary, [canary]: canary },
    }),
    callTool("bridge_status", { _meta: { ...envelope, "io.modelcontextprotocol/clientInfo": canary } }),
    rpc("initialize", {
      protocolVersion: canary,
      capabilities: {},
      clientInfo: { name: canary, version: canary },
    }),
    `{"jsonrpc":"2.0","id":1,"method":"${canary}`,
    `[${JSON.stringify(canary)}]`,
    JSON.stringify(canary),
  ];
  return [
    ...headers.map((planted) => ({ headers: planted, body })),
    ...paths.map((path) => ({ path, headers: right, body })),
    ...paths.map((path) => ({ path, headers: none, method: "GET" })),
    ...bodies.map((planted) => ({ headers: right, body: planted })),
    ...bodies.map((planted) => ({ headers: none, body: planted })),
  ];
}

const rawPlantings = (canary: string): string[] => [
  `${canary}\r\n\r\n`,
  `GET ${canary} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
  `GET http://${canary}/mcp HTTP/1.1\r\nHost: localhost\r\n\r\n`,
  `CONNECT ${canary}:443 HTTP/1.1\r\nHost: localhost\r\n\r\n`,
  `POST /mcp HTTP/1.1\r\nHost: localhost\r\nExpect: ${canary}\r\nContent-Length: 0\r\n\r\n`,
  `POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${canary}\r\nContent-Length: x\r\n\r\n`,
];

test("no credential is ever found in what the bridge wrote or said", async () => {
  const canaries = { token, headerSecret, created, foreign };
  for (const [name, canary] of Object.entries(canaries)) noteCredential(name, canary);
  noteMadeToken(`${created} ${foreign}`);
  for (const canary of Object.values(canaries))
    model.script(`please say ${canary}`, [say(`It is ${canary}.`)]);
  const port = Number(new URL(bridge.url).port);
  const said: string[] = [];
  for (const canary of Object.values(canaries)) {
    for (const planting of plantings(canary)) {
      const answer = await send(port, planting);
      said.push(`${answer.status} ${JSON.stringify(answer.headers)} ${answer.body}`);
    }
    for (const bytes of rawPlantings(canary)) said.push(await sendRaw(port, bytes, 2_000));
  }
  const ended = await bridge.stop();
  const audit = await runDoor({ argv: ["audit", "tail", "-n", "500", "--state-dir", stateDir] });
  const tokens = await runDoor({ argv: ["token", "list", "--state-dir", stateDir] });

  const written = new Map([
    ["stdout", ended.stdout],
    ["stderr", ended.stderr],
    ["answers", said.join("\n")],
    ["audit tail", audit.stdout + audit.stderr],
    ["token list", tokens.stdout + tokens.stderr],
  ]);
  for (const entry of await readdir(stateDir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    written.set(path.slice(stateDir.length), await readFile(path, "latin1"));
  }
  expect(leaksIn(Object.fromEntries(written))).toEqual([]);

  // The search looked where something was: calls of every kind are on record, and what was said by the model came.
  expect([...written.keys()].filter((place) => place.startsWith("/audit/")).length).toBeGreaterThan(0);
  expect(ended.stderr.split("\n").length).toBeGreaterThan(200);
  expect(said.filter((text) => text.includes("[redacted")).length).toBeGreaterThan(3);
  expect(execFileSync("ps", ["-e", "-o", "args"], { encoding: "utf8" })).not.toContain(created);
});
