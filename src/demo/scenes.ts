/** The demo as a sequence of scenes, each printed so that a reader understands what the product does. */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Connector } from "./connector.ts";
import { PROMPTS } from "./sample-project.ts";

export interface Stage {
  readonly connector: Connector;
  readonly projectPath: string;
  readonly print: Printer;
}

export interface Printer {
  scene(title: string): void;
  /** What is sent. */
  sends(text: string): void;
  /** What comes back. */
  gets(text: string): void;
  /** What the reader should notice. */
  note(text: string): void;
}

type Answer = Record<string, unknown>;

/** Throws when the product did not do what the demo says it does. */
export async function playScenes(stage: Stage): Promise<void> {
  await connect(stage);
  await read(stage);
  await write(stage);
  await waitForLongJob(stage);
  await tryOutside(stage);
  await meetSecret(stage);
}

async function connect({ connector, print }: Stage): Promise<void> {
  print.scene("ChatGPT connects");
  print.sends("server/discover");
  const { serverInfo, supportedVersions } = await connector.request("server/discover");
  const name = isRecord(serverInfo) ? String(serverInfo["name"]) : "codex-gpt-bridge";
  print.gets(`${name}, protocol ${String(supportedVersions)}`);
  print.sends("tools/list");
  const { tools } = await connector.request("tools/list");
  if (!Array.isArray(tools)) throw new Error("tools/list gave no tools");
  print.gets(tools.map((tool: unknown) => (isRecord(tool) ? String(tool["name"]) : "?")).join(", "));
  print.sends("bridge_status");
  const status = await connector.call("bridge_status");
  const { confinement } = status;
  const fence = isRecord(confinement) ? String(confinement["state"]) : "unknown";
  print.gets(
    `${text(status, "status")}: Codex ${text(status, "codexVersion")}, driven by ${text(status, "backend")}; ` +
      `confinement ${fence}`,
  );
  print.note("Proven means: on this machine, a real command tried to get out, and could not.");
}

async function read({ connector, print }: Stage): Promise<void> {
  print.scene("Codex reads the project");
  print.sends(`codex_read “${PROMPTS.read}”`);
  const answer = await completed(connector, await connector.call("codex_read", { prompt: PROMPTS.read }));
  print.gets(text(answer, "answer"));
  print.note("Codex ran a real command in a read-only sandbox. The model's words are scripted here.");
}

async function write({ connector, print, projectPath }: Stage): Promise<void> {
  print.scene("Codex edits a file");
  print.sends(`codex_run “${PROMPTS.write}” (sandbox workspace-write)`);
  const first = await connector.call("codex_run", { prompt: PROMPTS.write, sandbox: "workspace-write" });
  const answer = await completed(connector, first);
  print.gets(text(answer, "answer"));
  print.gets(text(answer, "diff").trimEnd());
  const onDisk = await readFile(join(projectPath, "src/greet.js"), "utf8");
  if (!onDisk.includes("Hello")) throw new Error("the file on disk did not change");
  print.note("The file on disk has changed, and the answer carries the diff for the review.");
}

async function waitForLongJob({ connector, print }: Stage): Promise<void> {
  print.scene("A long job does not block the chat");
  print.sends(`codex_read “${PROMPTS.long}”`);
  let answer = await connector.call("codex_read", { prompt: PROMPTS.long });
  print.gets(`${text(answer, "status")}, jobId ${text(answer, "jobId")}`);
  let cursor = "0";
  while (text(answer, "status") === "running" || text(answer, "status") === "queued") {
    print.sends(`codex_job_status (cursor ${cursor})`);
    answer = await connector.call("codex_job_status", {
      jobId: text(answer, "jobId"),
      cursor,
      waitMs: 2_000,
    });
    cursor = text(answer, "nextCursor");
    print.gets(`${text(answer, "status")}${newestEvent(answer)}`);
  }
  print.gets(text(answer, "answer"));
}

async function tryOutside({ connector, print }: Stage): Promise<void> {
  print.scene("A prompt asks for files outside the project");
  print.sends(`codex_read “${PROMPTS.outside}”`);
  const answer = await completed(connector, await connector.call("codex_read", { prompt: PROMPTS.outside }));
  print.gets(text(answer, "answer"));
  if (text(answer, "answer") === "I could read it.") throw new Error("a file outside the project was read");
  print.note("The operating system's sandbox shows Codex the project and nothing else of yours.");
}

async function meetSecret({ connector, print, projectPath }: Stage): Promise<void> {
  print.scene("A secret file appears in the project");
  await writeFile(join(projectPath, ".env"), `DATABASE_PASSWORD=${randomBytes(16).toString("hex")}\n`);
  print.sends(`codex_read “${PROMPTS.read}”, now with a .env in the project`);
  const answer = await connector.call("codex_read", { prompt: PROMPTS.read });
  const error = answer["error"];
  if (text(answer, "status") !== "refused" || !isRecord(error))
    throw new Error("the secret file was not noticed");
  print.gets(`refused (${String(error["code"])}): ${String(error["message"])}`);
  print.note("Nothing was started, and the answer names kinds and counts, never a value or a path.");
}

async function completed(connector: Connector, first: Answer): Promise<Answer> {
  let answer = first;
  while (text(answer, "status") === "running" || text(answer, "status") === "queued") {
    answer = await connector.call("codex_job_status", { jobId: text(answer, "jobId") });
  }
  if (text(answer, "status") === "completed") return answer;
  throw new Error(`the job ended as ${text(answer, "status")}: ${JSON.stringify(answer["error"])}`);
}

function newestEvent(answer: Answer): string {
  const { events } = answer;
  const newest: unknown = Array.isArray(events) ? events.at(-1) : undefined;
  return isRecord(newest) ? `: ${String(newest["text"])}` : "";
}

function text(answer: Answer, field: string): string {
  const value = answer[field];
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
