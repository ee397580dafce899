/**
 * Plays `codex app-server` for tests: the protocol without a model. What a turn does follows from its prompt, how the
 * process behaves from FIXTURE (comma-separated), and every message that it gets goes to the file FIXTURE_LOG.
 */
import { appendFileSync, closeSync } from "node:fs";
import { createInterface } from "node:readline";

interface Message {
  id?: number | string;
  method?: string;
  params?: Record<string, unknown>;
  result?: unknown;
  error?: { code: number };
}

const { FIXTURE = "", FIXTURE_LOG } = process.env;
const traits = new Set(FIXTURE.split(","));
const write = (message: object): void => void process.stdout.write(`${JSON.stringify(message)}\n`);
const tell = (method: string, params: object): void => write({ method, params });

let threads = 0;
let turns = 0;
let requests = 0;
const running = new Map<string, string>();
/** What to do when our own request with this id is answered. */
const asked = new Map<number | string, (answer: Message) => void>();

function endTurn(threadId: string, fields: object): void {
  const id = running.get(threadId);
  running.delete(threadId);
  tell("turn/completed", { threadId, turn: { id, items: [], status: "completed", error: null, ...fields } });
}

function say(threadId: string, text: string): void {
  tell("item/completed", { threadId, item: { type: "agentMessage", id: `m-${turns}`, text } });
}

function ask(method: string, threadId: string, then: (answer: Message) => void): void {
  const id = (requests += 1);
  asked.set(id, then);
  write({ id, method, params: { threadId } });
}

const command = { type: "commandExecution", id: "c", command: "sleep 600", status: "inProgress" };

function play(threadId: string, prompt: string): void {
  const [word = "", rest = ""] = prompt.split(/ (.*)/s);
  switch (word) {
    case "say":
      say(threadId, rest);
      return endTurn(threadId, {});
    case "fail":
      return endTurn(threadId, { status: "failed", error: { message: "no", codexErrorInfo: rest } });
    case "die":
      return process.kill(process.pid, "SIGKILL") as unknown as void;
    case "command":
      return tell("item/started", { threadId, item: command });
    case "unreadable":
      tell("item/completed", { threadId, item: 42 });
      tell("turn/diff/updated", { threadId, diff: { no: "text" } });
      tell("something/new", { threadId, whatever: true });
      tell("item/completed", { threadId, item: { type: "hologram", id: "h", shape: "cube" } });
      say(threadId, "still fine");
      return endTurn(threadId, { newField: 1 });
    case "raw": {
      // Lines as they are, of this thread and turn; a list is a text and how often it comes.
      const lines = JSON.parse(rest) as (string | [string, number])[];
      for (const line of lines) {
        const [text, times] = typeof line === "string" ? [`${line}\n`, 1] : line;
        const turn = running.get(threadId) ?? "";
        process.stdout.write(text.replaceAll("THREAD", threadId).replaceAll("TURN", turn).repeat(times));
      }
      return;
    }
    case "bytes":
      process.stdout.write(Buffer.from(rest, "hex"));
      say(threadId, "still fine");
      return endTurn(threadId, {});
    case "hush":
      closeSync(1);
      return;
    case "noise":
      process.stderr.write("x".repeat(Number(rest)));
      say(threadId, "still fine");
      return endTurn(threadId, {});
    case "deaf": {
      // Asks and asks, and reads nothing of what it is answered.
      process.stdin.pause();
      setInterval(() => {}, 60_000);
      const [text, times] = JSON.parse(rest) as [string, number];
      let left = times;
      const more = (): void => {
        while (left-- > 0 && process.stdout.write(text));
        if (left > 0) process.stdout.once("drain", more);
      };
      return more();
    }
    case "ask":
      return ask(rest, threadId, (answer) => {
        say(threadId, JSON.stringify(answer.error?.code ?? answer.result));
        endTurn(threadId, {});
      });
    default:
      return; // holds until it is interrupted
  }
}

const methods: Record<string, (params: Record<string, unknown>) => unknown> = {
  initialize: () => ({ userAgent: traits.has("no-version") ? "" : "codex_gpt_bridge/9.9.9 (test)" }),
  "account/read": () => ({
    account: traits.has("account") ? { type: "chatgpt" } : null,
    requiresOpenaiAuth: traits.has("needs-login") || traits.has("account"),
  }),
  "config/read": () => ({ config: { mcp_servers: { docs: { command: "docs" } } } }),
  "thread/start": (params) =>
    open(traits.has("same-thread") ? "thread-of-all" : `thread-${process.pid}-${(threads += 1)}`, params),
  "thread/resume": (params) =>
    open(traits.has("other-thread") ? "thread-of-another" : String(params["threadId"]), params),
  "thread/fork": (params) => open(`fork-of-${String(params["threadId"])}`, params),
  "turn/start"(params) {
    const threadId = String(params["threadId"]);
    const id = `turn-${(turns += 1)}`;
    running.set(threadId, id);
    const [input] = params["input"] as { text: string }[];
    setImmediate(() => {
      tell("turn/started", { threadId, turn: { id } });
      play(threadId, input?.text ?? "");
    });
    if (traits.has("begun-and-refused")) tell("turn/started", { threadId, turn: { id } });
    return { turn: { id } };
  },
  "turn/interrupt"(params) {
    if (!traits.has("never-interrupts")) {
      setImmediate(() => endTurn(String(params["threadId"]), { status: "interrupted" }));
    }
    return {};
  },
  "thread/backgroundTerminals/clean": () => ({}),
  "thread/unsubscribe"(params) {
    setImmediate(() => tell("thread/closed", { threadId: params["threadId"] }));
    return {};
  },
};

function open(threadId: string, params: Record<string, unknown>): unknown {
  const { default_permissions: profile } = params["config"] as Record<string, unknown>;
  return {
    thread: { id: threadId },
    activePermissionProfile: traits.has("no-profile") ? null : { id: profile },
  };
}

if (traits.has("garbage")) {
  process.stdout.write(
    'Welcome!\n{"half": \n[]\nnull\n42\n{}\n{"id":99,"result":{}}\n{"id":"x","error":null}\n',
  );
}
if (traits.has("dies-at-start")) process.exit(1);

createInterface({ input: process.stdin })
  .on("line", (line) => {
    if (FIXTURE_LOG !== undefined) appendFileSync(FIXTURE_LOG, `${line}\n`);
    const message = JSON.parse(line) as Message;
    if (message.method === undefined) return asked.get(message.id ?? "")?.(message);
    if (message.id === undefined) return;
    if (traits.has(`dies-at:${message.method}`)) process.kill(process.pid, "SIGKILL");
    const refusal = traits.has(`refuses:${message.method}`);
    const result = methods[message.method]?.(message.params ?? {});
    if (refusal || result === undefined)
      write({ id: message.id, error: { code: -32600, message: "thread not found" } });
    else write({ id: message.id, result, error: traits.has("garbage") ? null : undefined });
  })
  .on("close", () => process.exit(0));
