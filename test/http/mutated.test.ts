/**
 * Ten thousand JSON-RPC messages that were right before somebody bent them: bytes flipped, members dropped, doubled or
 * exchanged, values of every wrong kind. Each gets a documented answer, and nothing of them stays.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import { createSeededRandom, type SeededRandom } from "../support/seeded-random.ts";
import { authorized, callTool, envelope, rpc, standardHeaders } from "./fixture/start-bridge.ts";
import { startHouse, type House } from "../tools/start-house.ts";

const MESSAGES = 10_000;

let house: House;
beforeAll(async () => {
  const httpClock = { ...systemClock, monotonic: () => 1_000 * systemClock.monotonic() };
  house = await startHouse({ fastReturnMs: 100, maxConcurrent: 2, maxQueue: 2, httpClock });
  house.backend.script("", (turn) => turn.end({ answer: "done" }));
});
afterAll(async () => {
  await house.stop();
});

interface Seed {
  readonly headers: Record<string, string>;
  readonly body: string;
}

const modern = (method: string, params: object, name?: string): Seed => ({
  headers: { ...authorized, ...standardHeaders(method, name) },
  body: rpc(method, { ...params, _meta: envelope }),
});
const old = (body: string): Seed => ({ headers: authorized, body });

const seeds: readonly Seed[] = [
  old(
    rpc("initialize", {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "x", version: "1" },
    }),
  ),
  old(rpc("tools/list")),
  old(rpc("ping")),
  old(callTool("bridge_status")),
  old(callTool("codex_read", { arguments: { prompt: "look", project: "sample", timeoutMs: 5_000 } })),
  old(callTool("codex_run", { arguments: { prompt: "do", sandbox: "read-only", requestId: "r" } })),
  old(callTool("codex_job_status", { arguments: { jobId: "job-1", cursor: "0", waitMs: 0 } })),
  old('{"jsonrpc":"2.0","method":"notifications/initialized"}'),
  modern("server/discover", {}),
  modern("tools/list", {}),
  modern("tools/call", { name: "bridge_status", arguments: {} }, "bridge_status"),
  modern("tools/call", { name: "codex_reply", arguments: { threadId: "t", prompt: "on" } }, "codex_reply"),
  modern("tools/call", { name: "codex_job_cancel", arguments: { jobId: "job-1" } }, "codex_job_cancel"),
];

const oddValues: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  Number.MAX_SAFE_INTEGER,
  "",
  "\u0000",
  "\uD800",
  "../../etc/passwd",
  "x".repeat(10_000),
  [],
  {},
  [[[]]],
  { toString: "x", constructor: { prototype: 1 } },
  "2.0",
  "tools/call",
];

/** Changes one to four things. */
function mutate(seed: Seed, random: SeededRandom): Seed {
  let { body } = seed;
  const headers = { ...seed.headers };
  for (let left = 1 + random.below(4); left > 0; left -= 1) {
    switch (random.below(8)) {
      case 0:
        body = body.slice(0, random.below(body.length + 1));
        break;
      case 1: {
        const at = random.below(body.length + 1);
        body = body.slice(0, at) + String.fromCharCode(random.below(0x250)) + body.slice(at + 1);
        break;
      }
      case 2: {
        const at = random.below(body.length + 1);
        body =
          body.slice(0, at) +
          random.pick(['"', "{", "}", "[", "]", ",", ":", "\\", "\\u0000"]) +
          body.slice(at);
        break;
      }
      case 3:
        body += random.pick([body, ",", "\u0000", " ", "]"]);
        break;
      case 4:
        headers[random.pick(["mcp-method", "mcp-name", "mcp-protocol-version", "accept"])] = random.pick([
          "tools/list",
          "2025-06-18",
          "2026-07-28",
          "*/*",
          "text/event-stream",
          "=?base64?!!?=",
          "x",
        ]);
        break;
      default:
        body = changeMember(body, random);
    }
  }
  return { headers, body };
}

/** Where the text still is JSON: a member of the tree gets another value, name or place. */
function changeMember(body: string, random: SeededRandom): string {
  let tree: unknown;
  try {
    tree = JSON.parse(body);
  } catch {
    return body;
  }
  const places: { holder: Record<string, unknown>; name: string }[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [name, inner] of Object.entries(value)) {
      places.push({ holder: value as Record<string, unknown>, name });
      walk(inner);
    }
  };
  walk(tree);
  if (places.length === 0) return body;
  const { holder, name } = random.pick(places);
  switch (random.below(4)) {
    case 0:
      delete holder[name];
      break;
    case 1:
      holder[`${name}${random.pick(["", "s", " ", "\u200B"])}`] = random.pick(oddValues);
      break;
    case 2:
      holder[name] = random.pick(places).holder[random.pick(places).name];
      break;
    default:
      holder[name] = random.pick(oddValues);
  }
  try {
    return JSON.stringify(tree);
  } catch {
    return body; // it had been put inside itself
  }
}

const statuses = new Set([200, 202, 400, 404, 406, 413, 415]);
/** JSON-RPC 2.0 section 5.1, and MCP 2026-07-28's own; -32000 is this room's. */
const codes = new Set([-32700, -32600, -32601, -32602, -32603, -32000, -32020, -32021, -32022]);

it(`${MESSAGES} mutated messages get documented answers only, and leave nothing behind`, async () => {
  const random = createSeededRandom(20_261_121);
  const seen = new Map<string, number>();
  const run = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index += 1) {
      const { headers, body } = mutate(random.pick(seeds), random);
      const response = await house.app.request("/mcp", { method: "POST", headers, body });
      const text = await response.text();
      const told = `${body.slice(0, 300)} was answered ${response.status} ${text.slice(0, 300)}`;
      expect(statuses, told).toContain(response.status);
      for (const message of messagesOf(text, response.headers.get("content-type"))) {
        expect(message, told).toMatchObject({ jsonrpc: "2.0" });
        const code = (message["error"] as { code?: number } | undefined)?.code;
        if (code !== undefined) expect(codes, told).toContain(code);
        else if (!("method" in message)) expect(message, told).toHaveProperty("result");
        const key = `${response.status} ${code ?? "result"}`;
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
      expect(text, told).not.toMatch(/node_modules|\bat .*\.ts:\d|<html/);
    }
  };
  await run(MESSAGES / 10);
  collectGarbage();
  const before = process.memoryUsage();
  await run(MESSAGES - MESSAGES / 10);
  collectGarbage();
  const after = process.memoryUsage();
  const grownMiB =
    (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / 1024 / 1024;
  expect(grownMiB).toBeLessThan(64);
  // The bending reached every layer: some were still right, some broke the text, some the protocol.
  for (const key of ["200 result", "400 -32700", "400 -32600", "200 -32601", "200 -32602", "400 -32020"]) {
    expect(seen.get(key) ?? 0, `${key} of ${JSON.stringify([...seen])}`).toBeGreaterThan(10);
  }
  expect((await house.call("bridge_status")).isError).toBe(false);
}, 120_000);

function messagesOf(text: string, type: string | null): Record<string, unknown>[] {
  if (text === "") return [];
  const parts =
    type === "text/event-stream"
      ? [...text.matchAll(/^data: (.+)$/gm)].map((match) => match[1] ?? "")
      : [text];
  return parts.map((part) => JSON.parse(part) as Record<string, unknown>);
}

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const gc: unknown = runInNewContext("gc");
  if (typeof gc !== "function") throw new Error("this Node collects no garbage on request");
  gc();
}
