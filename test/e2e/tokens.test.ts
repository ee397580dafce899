/** Created tokens and limits with the real door: one process serves, another makes and takes back. */
import { mkdtemp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { authorized, callTool, rpc } from "../http/fixture/start-bridge.ts";
import { runDoor, startBridge, token as ownersToken, type RunningBridge } from "../support/running-bridge.ts";
import { createProject, type ScratchProject } from "../support/scripted-codex.ts";

let stateDir: string;
let project: ScratchProject;
let bridge: RunningBridge;
beforeAll(async () => {
  project = await createProject({ "readme.txt": "hello\n" });
  stateDir = await mkdtemp(join(dirname(project.path), "tokens-"));
  bridge = await startBridge({
    codex: "/no/such/codex",
    codexHome: stateDir,
    roots: [project.path],
    stateDir: join(stateDir, "state"),
    flags: ["--requests-per-minute=40", "--failed-auth-per-minute=20"],
    untilReady: false,
  });
});
afterAll(async () => {
  await bridge.stop();
  await project.dispose();
  await rm(stateDir, { recursive: true, force: true });
});

async function tokenCommand(...argv: string[]): Promise<string> {
  const ended = await runDoor({ argv: ["token", ...argv, "--state-dir", join(stateDir, "state")] });
  expect(ended.exitCode).toBe(0);
  return ended.stdout.trim();
}

async function post(credential: string, body: string): Promise<Response> {
  return fetch(`${bridge.url}/mcp`, {
    method: "POST",
    headers: { ...authorized, authorization: `Bearer ${credential}` },
    body,
  });
}

const status = async (credential: string): Promise<number> =>
  (await post(credential, callTool("bridge_status"))).status;

describe("a token that another process makes while the bridge runs", () => {
  test("lets in at once, may do what its scope says, and lets nobody in once it is revoked", async () => {
    const reader = await tokenCommand("create", "--name", "reader");
    const writer = await tokenCommand("create", "--name", "writer", "--scope", "write");
    expect(await status(reader)).toBe(200);

    const run = callTool("codex_run", { arguments: { prompt: "work" } });
    const refused = await post(reader, run);
    expect(refused.status).toBe(403);
    expect(refused.headers.get("www-authenticate")).toContain('error="insufficient_scope"');
    const tried = await post(writer, run);
    expect(tried.status).toBe(200); // no Codex here, and that is what the tool says
    expect(await tried.text()).toContain("codex_not_found");

    const listed = await tokenCommand("list", "--json");
    const uses = listed
      .split("\n")
      .map((line) => JSON.parse(line) as { name: string; lastUsedAt: string | null });
    expect(uses.every(({ lastUsedAt }) => lastUsedAt !== null)).toBe(true);

    await tokenCommand("revoke", "reader");
    const gone = await post(reader, rpc("tools/list"));
    expect(gone.status).toBe(401);
    expect(gone.headers.get("www-authenticate")).toContain('error="invalid_token"');
    expect(await status(writer)).toBe(200);
    const said = JSON.stringify(bridge.logLines) + bridge.strayLines.join("");
    for (const secret of [reader, writer, ownersToken]) expect(said).not.toContain(secret);
  });
});

describe("wrong tokens", () => {
  test("are told to wait after a while, the right one is not", async () => {
    const counts = new Map<number, number>();
    let retryAfter: string | null = null;
    for (let guess = 0; guess < 60; guess += 1) {
      const response = await post(`guess-number-${guess}`, callTool("bridge_status"));
      counts.set(response.status, (counts.get(response.status) ?? 0) + 1);
      retryAfter ??= response.headers.get("retry-after");
      await response.arrayBuffer();
    }
    expect([...counts.keys()]).toEqual([401, 429]);
    expect(counts.get(401)).toBeGreaterThanOrEqual(19); // one was wrong in the test above
    expect(counts.get(401)).toBeLessThan(40);
    expect(Number(retryAfter)).toBeGreaterThan(0);
    expect(await status(ownersToken)).toBe(200);
  });
});

describe("a caller who asks too often", () => {
  test("is told when to come back, and others are not held up", async () => {
    const busy = await tokenCommand("create", "--name", "busy");
    const answers = await Promise.all(Array.from({ length: 60 }, async () => post(busy, rpc("tools/list"))));
    const limited = answers.filter((response) => response.status === 429);
    expect(answers.filter((response) => response.status === 200).length).toBeGreaterThanOrEqual(40);
    expect(limited.length).toBeGreaterThan(0);
    for (const response of limited) {
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(await response.json()).toMatchObject({ error: { data: { code: "too_many_requests" } } });
    }
    expect(await status(ownersToken)).toBe(200);
  });
});

test("a created token alone is authentication enough to serve", async () => {
  const argv = ["serve", "--port", "0", "--state-dir", join(stateDir, "other"), "--root", project.path];
  const before = await runDoor({ argv });
  expect(before.exitCode).toBe(2);
  expect(before.stderr).toContain("token create");
  await runDoor({ argv: ["token", "create", "--name", "only", "--state-dir", join(stateDir, "other")] });
  // It goes past that question, and stops at the next one that is wrong.
  const after = await runDoor({ argv: [...argv, "--host", "192.0.2.1"] });
  expect(after.exitCode).toBe(1);
});
