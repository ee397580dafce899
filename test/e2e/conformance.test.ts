/**
 * The public conformance suite against the product's own HTTP room. What the suite wants to call stands behind it as a
 * fixture; the room, its guard, its two eras and its forms of answer are the product's.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAuthenticate } from "../../src/auth/bearer.ts";
import { createConformanceServer } from "../conformance/fixture-server.ts";
import { startBridge, type RunningBridge } from "../http/fixture/start-bridge.ts";

const manifest = createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/package.json");
const suite = join(dirname(manifest), "dist", "index.js");
const baseline = join(import.meta.dirname, "..", "conformance", "baseline-2025-11-25.yml");

let bridge: RunningBridge;
let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "conformance-"));
  bridge = await startBridge({
    // The suite brings no credential; everything else of the guard is on.
    authenticate: createAuthenticate({ token: null, noAuth: true, headerSecret: null }),
    mcpServer: createConformanceServer,
  });
});
afterAll(async () => {
  await bridge.stop();
  await rm(scratch, { recursive: true, force: true });
});

test.each([
  { revision: "2026-07-28", required: 37, flags: [] },
  // The suite fails as well when a scenario of the baseline passes after all.
  { revision: "2025-11-25", required: 30, flags: ["--expected-failures", baseline] },
])("every required scenario of $revision passes, save those of the baseline", async (run) => {
  const { revision, required, flags } = run;
  const { exitCode, said } = await runSuite([
    "server",
    "--url",
    bridge.url,
    "--requirements",
    revision,
    ...flags,
  ]);
  const failed = said.split("\n").filter((line) => line.includes("\u2717"));
  expect({ exitCode, failed: exitCode === 0 ? [] : failed }).toEqual({ exitCode: 0, failed: [] });
  // A suite that ran nothing ends well too.
  expect(said.split("\n").filter((line) => /^[\u2713\u2717] /.test(line)).length).toBeGreaterThanOrEqual(
    required,
  );
});

async function runSuite(argv: readonly string[]): Promise<{ exitCode: number | null; said: string }> {
  const child = spawn(process.execPath, [suite, ...argv], {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: scratch,
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once("close", resolve);
  });
  const [out, err, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { exitCode, said: out + err };
}
