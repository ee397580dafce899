/**
 * `codex-chatgpt-mcp`: from its start to the first list of tools, against `node -e 0`; what a call with an instant API costs
 * more than the bare `openai` SDK; what it holds while nobody asks.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { OpenAI } from "openai";
import { API_KEY, createAskPlace, type AskPlace } from "../support/running-ask.ts";
import { startScriptedOpenai } from "../support/scripted-openai.ts";
import { buildDoor } from "./support/door.ts";
import { residentBytes } from "./support/memory.ts";
import { option } from "./support/options.ts";
import { atMost, type Row } from "./support/row.ts";
import { inTurns, median, timed } from "./support/statistics.ts";

const MIB = 2 ** 20;

export async function run(): Promise<Row[]> {
  const built = await buildDoor();
  const door = join(dirname(built.path), "ask-chatgpt.js");
  const openai = await startScriptedOpenai();
  const place = await createAskPlace(openai.url);
  try {
    return [
      await startRow(door, place),
      await memoryRow(door, place),
      await callRow(door, place, openai.url, false),
      await callRow(door, place, openai.url, true),
    ];
  } finally {
    await openai.close();
    await place.dispose();
    await built.dispose();
  }
}

async function startRow(door: string, place: AskPlace): Promise<Row> {
  const ours = async (): Promise<number> => {
    const began = performance.now();
    const child = await startAndList(door, place);
    const elapsed = performance.now() - began;
    await end(child);
    return elapsed;
  };
  const reference = () =>
    timed(() => once(spawn(process.execPath, ["-e", "0"], { stdio: "ignore" }), "exit"));
  await inTurns(3, ours, reference);
  const times = await inTurns(option("rounds", 30), ours, reference);
  const more = median(times.ours) - median(times.reference);
  const detail = `${median(times.ours).toFixed(0)} against ${median(times.reference).toFixed(0)} ms`;
  return atMost("ask: start to the first tools/list, over node -e 0", more, 300, "ms", detail);
}

async function memoryRow(door: string, place: AskPlace): Promise<Row> {
  const sizes: number[] = [];
  for (let n = 0; n < 5; n++) {
    const child = await startAndList(door, place);
    await sleep(1_000);
    sizes.push((await residentBytes(child.pid ?? 0)) / MIB);
    await end(child);
  }
  return atMost("ask: memory while idle", median(sizes), 90, "MiB");
}

async function callRow(door: string, place: AskPlace, url: string, isLong: boolean): Promise<Row> {
  const env = place.env();
  const client = new Client({ name: "bench", version: "1" }, { versionNegotiation: { mode: "legacy" } });
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [door], env, cwd: place.project }),
  );
  const sdk = new OpenAI({ apiKey: API_KEY, baseURL: url, maxRetries: 0 });
  const prompt = isLong ? "Think about this. ".repeat(4_000) : "Think.";
  const ours = () => timed(() => client.callTool({ name: "ask_chatgpt", arguments: { prompt } }));
  const reference = () =>
    timed(async () => {
      const stream = await sdk.responses.create({ model: "gpt-6-astra", input: prompt, stream: true });
      let events = 0;
      for await (const event of stream) events += event.type.length;
      if (events === 0) throw new Error("the stream was empty");
    });
  try {
    await inTurns(20, ours, reference);
    const times = await inTurns(option("rounds", 100), ours, reference);
    const more = median(times.ours) - median(times.reference);
    const detail = `${median(times.ours).toFixed(1)} against ${median(times.reference).toFixed(1)} ms`;
    const name = isLong ? "ask: a call with 72 kB of prompt" : "ask: a call";
    return atMost(`${name}, over the bare SDK`, more, 15, "ms", detail);
  } finally {
    await client.close();
  }
}

/** Resolves with the answer to tools/list; without an SDK, whose own time would be counted. */
async function startAndList(door: string, place: AskPlace): Promise<ChildProcess> {
  const child = spawn(process.execPath, [door], {
    cwd: place.project,
    env: place.env(),
    stdio: ["pipe", "pipe", "ignore"],
  });
  const info = {
    protocolVersion: "2025-06-18",
    capabilities: {},
    clientInfo: { name: "bench", version: "1" },
  };
  for (const message of [
    { jsonrpc: "2.0", id: 0, method: "initialize", params: info },
    { jsonrpc: "2.0", method: "notifications/initialized" },
    { jsonrpc: "2.0", id: 1, method: "tools/list" },
  ]) {
    child.stdin?.write(`${JSON.stringify(message)}\n`);
  }
  let output = "";
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    output += chunk.toString();
    if (output.includes('"id":1')) break;
  }
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.stdin?.end();
  await ended;
}
