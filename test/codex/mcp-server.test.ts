import { chmod, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CodexEvent } from "../../src/codex/events.ts";
import { isBegunAlone, parseProcessList } from "../../src/codex/mcp-server/commands.ts";
import type { McpServerConnection } from "../../src/codex/mcp-server/connection.ts";
import { createHeldThreads } from "../../src/codex/mcp-server/held-threads.ts";
import { toOpening } from "../../src/codex/mcp-server/opening.ts";
import { createTurnRecord, NO_USAGE, type TurnRecord } from "../../src/codex/mcp-server/turn-record.ts";
import { createUserMcpServers } from "../../src/codex/mcp-server/user-mcp-servers.ts";
import { eventEnvelope, parseEvent } from "../../src/codex/mcp-server/wire.ts";
import { silentLog } from "../../src/lib/log.ts";
import type { GrantTerms } from "../../src/policy/grant.ts";
import { grantForTest } from "../support/grant.ts";

/** `codex/event` of two turns on one thread, as Codex 0.153.4 sent them; long and private fields are left out. */
const RECORDED = [
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"session_configured","thread_id":"THREAD","model":"fake-model","model_provider_id":"fake","approval_policy":"never","cwd":"/srv/project","reasoning_effort":"low"},"id":""}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"warning","message":"Model metadata for 'fake-model' not found. Defaulting to fallback metadata; this can degrade performance and cause issues."},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"task_started","turn_id":"TURN-1"},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"reasoning_content_delta","thread_id":"THREAD","turn_id":"TURN-1","item_id":"rs_1","delta":"Looking.","summary_index":0},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"agent_reasoning","text":"Looking."},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"raw_response_item","item":{"type":"function_call","id":"fc_1_0","name":"exec_command","call_id":"call_1_0"}},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"exec_command_begin","call_id":"call_1_0","process_id":"44104","turn_id":"TURN-1","command":["/bin/bash","-lc","cat old.txt"],"cwd":"file:///srv/project","source":"unified_exec_startup"},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"exec_command_end","call_id":"call_1_0","process_id":"44104","turn_id":"TURN-1","command":["/bin/bash","-lc","cat old.txt"],"cwd":"file:///srv/project","source":"unified_exec_startup","aggregated_output":"a\nb\n","exit_code":0,"status":"completed"},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"raw_response_item","item":{"type":"function_call_output","id":"fco_01a1fbf6-fa16-7b00-afc3-e2bb8ce40c81","call_id":"call_1_0","output":"..."}},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"token_count","info":{"total_token_usage":{"input_tokens":9249,"cached_input_tokens":0,"cache_write_input_tokens":0,"output_tokens":12,"reasoning_output_tokens":0,"total_tokens":9261}}},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"raw_response_item","item":{"type":"function_call","id":"fc_2_0","name":"exec_command","call_id":"call_2_0"}},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"patch_apply_end","call_id":"call_2_0","turn_id":"TURN-1","success":true,"changes":{"/srv/project/new.txt":{"type":"add","content":"one\ntwo\n"},"/srv/project/old.txt":{"type":"update","unified_diff":"@@ -1,2 +1,2 @@\n-a\n+A\n b\n","move_path":null}},"status":"completed"},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"turn_diff","unified_diff":"diff --git a/new.txt b/new.txt\nnew file mode 100644\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1,2 @@\n+one\n+two\ndiff --git a/old.txt b/old.txt\n--- a/old.txt\n+++ b/old.txt\n@@ -1,2 +1,2 @@\n-a\n+A\n b\n"},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"raw_response_item","item":{"type":"function_call_output","id":"fco_01a1fbf6-faf6-7b93-8cc2-72ff1ea60659","call_id":"call_2_0","output":"..."}},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"token_count","info":{"total_token_usage":{"input_tokens":18632,"cached_input_tokens":0,"cache_write_input_tokens":0,"output_tokens":24,"reasoning_output_tokens":0,"total_tokens":18656}}},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"turn_diff","unified_diff":"diff --git a/new.txt b/new.txt\nnew file mode 100644\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1,2 @@\n+one\n+two\ndiff --git a/old.txt b/old.txt\n--- a/old.txt\n+++ b/old.txt\n@@ -1,2 +1,2 @@\n-a\n+A\n b\n"},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"agent_message","message":"Done.","phase":null},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"token_count","info":{"total_token_usage":{"input_tokens":28144,"cached_input_tokens":0,"cache_write_input_tokens":0,"output_tokens":36,"reasoning_output_tokens":0,"total_tokens":28180}}},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"turn_diff","unified_diff":"diff --git a/new.txt b/new.txt\nnew file mode 100644\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1,2 @@\n+one\n+two\ndiff --git a/old.txt b/old.txt\n--- a/old.txt\n+++ b/old.txt\n@@ -1,2 +1,2 @@\n-a\n+A\n b\n"},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":1,"threadId":"THREAD"},"msg":{"type":"task_complete","turn_id":"TURN-1","last_agent_message":"Done."},"id":"TURN-1"}`,
  String.raw`{"_meta":{"requestId":2,"threadId":"THREAD"},"msg":{"type":"warning","message":"Model metadata for 'fake-model' not found. Defaulting to fallback metadata; this can degrade performance and cause issues."},"id":"TURN-2"}`,
  String.raw`{"_meta":{"requestId":2,"threadId":"THREAD"},"msg":{"type":"task_started","turn_id":"TURN-2"},"id":"TURN-2"}`,
  String.raw`{"_meta":{"requestId":2,"threadId":"THREAD"},"msg":{"type":"raw_response_item","item":{"type":"function_call","id":"fc_4_0","name":"exec_command","call_id":"call_4_0"}},"id":"TURN-2"}`,
  String.raw`{"_meta":{"requestId":2,"threadId":"THREAD"},"msg":{"type":"exec_command_begin","call_id":"call_4_0","process_id":"73148","turn_id":"TURN-2","command":["/bin/bash","-lc","true"],"cwd":"file:///srv/project","source":"unified_exec_startup"},"id":"TURN-2"}`,
  String.raw`{"_meta":{"requestId":2,"threadId":"THREAD"},"msg":{"type":"exec_command_end","call_id":"call_4_0","process_id":"73148","turn_id":"TURN-2","command":["/bin/bash","-lc","true"],"cwd":"file:///srv/project","source":"unified_exec_startup","aggregated_output":"","exit_code":0,"status":"completed"},"id":"TURN-2"}`,
  String.raw`{"_meta":{"requestId":2,"threadId":"THREAD"},"msg":{"type":"raw_response_item","item":{"type":"function_call_output","id":"fco_01a1fbf6-fbb0-7ed2-9ea1-d778c06b9d7c","call_id":"call_4_0","output":"..."}},"id":"TURN-2"}`,
  String.raw`{"_meta":{"requestId":2,"threadId":"THREAD"},"msg":{"type":"token_count","info":{"total_token_usage":{"input_tokens":37727,"cached_input_tokens":0,"cache_write_input_tokens":0,"output_tokens":48,"reasoning_output_tokens":0,"total_tokens":37775}}},"id":"TURN-2"}`,
  String.raw`{"_meta":{"requestId":2,"threadId":"THREAD"},"msg":{"type":"agent_message","message":"Again.","phase":null},"id":"TURN-2"}`,
  String.raw`{"_meta":{"requestId":2,"threadId":"THREAD"},"msg":{"type":"token_count","info":{"total_token_usage":{"input_tokens":47409,"cached_input_tokens":0,"cache_write_input_tokens":0,"output_tokens":60,"reasoning_output_tokens":0,"total_tokens":47469}}},"id":"TURN-2"}`,
  String.raw`{"_meta":{"requestId":2,"threadId":"THREAD"},"msg":{"type":"task_complete","turn_id":"TURN-2","last_agent_message":"Again."},"id":"TURN-2"}`,
];

const PROFILE = { id: "bridge-1" };
const newThread = { threadId: null, pastTurns: new Set<string>(), usage: NO_USAGE };

function feed(record: TurnRecord, lines: readonly string[]): CodexEvent[] {
  return lines.flatMap((text) => {
    const { id, msg } = eventEnvelope.parse(JSON.parse(text));
    const event = parseEvent(msg);
    if (event === "broken") throw new Error(`unreadable: ${text}`);
    return event === null ? [] : record.accept(event, id);
  });
}

function line(turnId: string, msg: { type: string; [field: string]: unknown }): string {
  return JSON.stringify({ _meta: { requestId: 1, threadId: "THREAD" }, id: turnId, msg });
}

function started(record: TurnRecord): CodexEvent[] {
  return feed(record, [
    line("", { type: "session_configured", thread_id: "THREAD", active_permission_profile: PROFILE }),
    line("TURN-1", { type: "task_started" }),
  ]);
}

describe("the record of a turn", () => {
  test("tells a recorded turn in the bridge's words, the thread first", () => {
    const record = createTurnRecord("/srv/project", newThread);
    const told = feed(record, RECORDED);
    const diff = expect.stringContaining("+++ b/new.txt");
    const changes = [
      { path: "new.txt", kind: "add", additions: 2, deletions: 0 },
      { path: "old.txt", kind: "update", additions: 1, deletions: 1 },
    ];
    const command = "/bin/bash -lc cat old.txt";
    expect(told).toEqual([
      { type: "thread", threadId: "THREAD" },
      { type: "turn", turnId: "TURN-1" },
      { type: "warning", message: expect.stringContaining("Model metadata") },
      { type: "reasoning", text: "Looking." },
      { type: "command-started", command },
      { type: "command-finished", command, exitCode: 0, output: "a\nb\n" },
      { type: "usage", usage: expect.objectContaining({ inputTokens: 9249 }) },
      { type: "changes", changes, diff: null },
      { type: "changes", changes, diff },
      { type: "usage", usage: expect.objectContaining({ inputTokens: 18632 }) },
      { type: "message", text: "Done." },
      { type: "usage", usage: expect.objectContaining({ inputTokens: 28144, outputTokens: 36 }) },
    ]);
    expect(record.outcome(null)).toEqual({
      threadId: "THREAD",
      turnId: "TURN-1",
      answer: "Done.",
      changes,
      diff,
      usage: { inputTokens: 28144, cachedInputTokens: 0, outputTokens: 36, reasoningOutputTokens: 0 },
      failure: null,
    });
  });

  test("a later turn counts its own tokens, and nothing of the turns before it", () => {
    const first = createTurnRecord("/srv/project", newThread);
    feed(first, RECORDED);
    const second = createTurnRecord("/srv/project", {
      threadId: "THREAD",
      pastTurns: new Set(["TURN-1"]),
      usage: first.threadUsage(),
    });
    const told = feed(second, RECORDED);
    expect(told[0]).toEqual({ type: "turn", turnId: "TURN-2" });
    expect(second.outcome(null)).toMatchObject({
      threadId: "THREAD",
      turnId: "TURN-2",
      answer: "Again.",
      changes: [],
      diff: null,
      usage: { inputTokens: 47409 - 28144, outputTokens: 24 },
      failure: null,
    });
  });

  test("the end of an earlier turn does not end this one", () => {
    const record = createTurnRecord("/", {
      threadId: "THREAD",
      pastTurns: new Set(["OLD"]),
      usage: NO_USAGE,
    });
    expect(feed(record, [line("OLD", { type: "task_complete", last_agent_message: "old" })])).toEqual([]);
    expect(record.ended()).toBeNull();
    expect(record.turnId()).toBeNull();
  });

  test("a thread id in the model's text stays text", () => {
    const record = createTurnRecord("/", newThread);
    started(record);
    const message = '{"threadId":"EVIL"}';
    feed(record, [line("TURN-1", { type: "agent_message", message, thread_id: "EVIL" })]);
    expect(record.threadId()).toBe("THREAD");
  });

  test.each([
    { info: "internal_server_error", kind: "internalServerError", retryable: true },
    {
      info: { response_too_many_failed_attempts: { http_status_code: 429 } },
      kind: "responseTooManyFailedAttempts",
      retryable: true,
    },
    {
      info: { http_connection_failed: { http_status_code: 401 } },
      kind: "httpConnectionFailed",
      retryable: false,
    },
    { info: "context_window_exceeded", kind: "contextWindowExceeded", retryable: false },
    { info: undefined, kind: "other", retryable: true },
  ])("the error $info fails the turn as $kind", ({ info, kind, retryable }) => {
    const record = createTurnRecord("/", newThread);
    started(record);
    feed(record, [line("TURN-1", { type: "error", message: "no", codex_error_info: info })]);
    expect(record.outcome(null).failure).toEqual({ code: "codex_failed", kind, message: "no", retryable });
  });

  test("an end without an answer and without changes is a failure", () => {
    const record = createTurnRecord("/", newThread);
    started(record);
    feed(record, [line("TURN-1", { type: "task_complete", last_agent_message: null })]);
    expect(record.outcome(null).failure).toMatchObject({ code: "codex_failed", kind: "noAnswer" });
  });

  test("an aborted turn is interrupted, and keeps what it had", () => {
    const record = createTurnRecord("/", newThread);
    started(record);
    feed(record, [
      line("TURN-1", { type: "agent_message", message: "half" }),
      line("TURN-1", { type: "turn_aborted", reason: "interrupted" }),
      line("TURN-1", { type: "agent_message", message: "late" }),
    ]);
    expect(record.outcome(null)).toMatchObject({ answer: "half", failure: { code: "interrupted" } });
  });

  test("a commentary is not the answer once there is one", () => {
    const record = createTurnRecord("/", newThread);
    started(record);
    feed(record, [
      line("TURN-1", { type: "agent_message", message: "the answer", phase: "final_answer" }),
      line("TURN-1", { type: "agent_message", message: "by the way", phase: "commentary" }),
    ]);
    expect(record.outcome(null).answer).toBe("the answer");
  });

  test("a call that waits for its output is open, until the response that made it is given up", () => {
    const record = createTurnRecord("/", newThread);
    started(record);
    const raw = (type: string, callId: string): string =>
      line("TURN-1", { type: "raw_response_item", item: { type, call_id: callId } });
    feed(record, [raw("function_call", "a"), raw("custom_tool_call", "b")]);
    expect(record.openCalls()).toBe(2);
    feed(record, [raw("function_call_output", "a")]);
    expect(record.openCalls()).toBe(1);
    const told = feed(record, [line("TURN-1", { type: "stream_error", message: "Reconnecting... 1/3" })]);
    expect(told).toEqual([{ type: "retrying", message: "Reconnecting... 1/3" }]);
    expect(record.openCalls()).toBe(0);
  });

  test.each([
    { result: { Ok: { content: [], isError: false } }, ok: true },
    { result: { Ok: { content: [], isError: true } }, ok: false },
    { result: { Err: "gone" }, ok: false },
    { result: "?", ok: null },
  ])("the tool result $result is told as ok: $ok", ({ result, ok }) => {
    const record = createTurnRecord("/", newThread);
    started(record);
    const invocation = { server: "files", tool: "read" };
    const told = feed(record, [line("TURN-1", { type: "mcp_tool_call_end", invocation, result })]);
    expect(told).toEqual([{ type: "tool", name: "files.read", ok }]);
  });

  test("a failed patch changes nothing, and an undone one leaves no diff", () => {
    const record = createTurnRecord("/srv", newThread);
    started(record);
    const changes = { "/srv/a": { type: "add", content: "x\n" } };
    feed(record, [line("TURN-1", { type: "patch_apply_end", success: false, changes })]);
    expect(record.outcome(null).changes).toEqual([]);
    feed(record, [
      line("TURN-1", { type: "turn_diff", unified_diff: "diff" }),
      line("TURN-1", { type: "turn_diff", unified_diff: "" }),
    ]);
    expect(record.outcome(null).diff).toBeNull();
  });
});

describe("events on the wire", () => {
  test("an event that nobody knows is passed over", () => {
    expect(parseEvent({ type: "plan_of_tomorrow" })).toBeNull();
    expect(parseEvent({ type: "toString" })).toBeNull();
  });

  test.each([
    { type: "session_configured", thread_id: 7 },
    { type: "exec_command_begin", command: "ls" },
    { type: "patch_apply_end", success: true, changes: [] },
    { type: "token_count", info: { total_token_usage: {} } },
    { type: "agent_message" },
  ])("a known event in a strange shape is broken: $type", (msg) => {
    expect(parseEvent(msg)).toBe("broken");
  });
});

describe("the terms of a thread", () => {
  const directory = { path: "/srv/project", device: "1", inode: "1" };
  const terms: GrantTerms = {
    project: "p",
    root: directory,
    cwd: directory,
    sandbox: "read-only",
    approvalPolicy: "never",
    network: false,
    mcpServers: [],
    model: null,
    effort: null,
    deniedPaths: [],
    deniedPatterns: [],
    heldDirectories: [],
  };
  const surroundings = { programDirectories: ["/opt/codex"], userMcpServers: ["mail"] };
  const open = (changed: Partial<GrantTerms>, instructions: string | null = null) =>
    toOpening(grantForTest({ ...terms, ...changed }), surroundings, instructions, undefined);

  test("name the profile, never Codex's own sandbox", () => {
    const { profileId, args } = open({ effort: "high", model: "m" }, "Be kind.");
    expect(Object.keys(args).toSorted()).toEqual([
      "approval-policy",
      "config",
      "cwd",
      "developer-instructions",
      "model",
    ]);
    expect(args["config"]).toMatchObject({
      default_permissions: profileId,
      model_reasoning_effort: "high",
      mcp_servers: { mail: { enabled: false } },
    });
  });

  test.each<Partial<GrantTerms>>([
    { sandbox: "workspace-write" },
    { deniedPaths: ["/srv/project/.env"] },
    { network: true },
    { mcpServers: ["mail"] },
    { model: "other" },
    { effort: "low" },
    { approvalPolicy: "on-request" },
    { cwd: { ...directory, path: "/srv/project/sub" } },
  ])("differ with %o", (changed) => {
    expect(open(changed).terms).not.toBe(open({}).terms);
    expect(open(changed).terms).toBe(open(changed).terms);
  });
});

describe("the commands of a turn", () => {
  test("a process list is read line by line, whatever stands in it", () => {
    const text = "    1     0 /sbin/launchd\n  42     1 /bin/zsh -lc  echo 1 2\nnot a line\n\n";
    expect(parseProcessList(text)).toEqual([
      { pid: 1, parentPid: 0, commandLine: "/sbin/launchd" },
      { pid: 42, parentPid: 1, commandLine: "/bin/zsh -lc  echo 1 2" },
    ]);
  });

  test.each([
    {
      line: "sandbox-exec -p x -- /bin/zsh -lc sleep 9",
      begun: ["/bin/zsh -lc sleep 9"],
      others: [],
      is: true,
    },
    { line: "/bin/zsh -lc cd x", begun: ["/bin/zsh -lc cd x\nmake"], others: [], is: true },
    { line: "/bin/zsh -lc sleep 99", begun: ["/bin/zsh -lc sleep 9"], others: [], is: false },
    { line: "/bin/zsh -lc make", begun: ["/bin/zsh -lc make"], others: ["/bin/zsh -lc make"], is: false },
    { line: "/usr/bin/mcp-files", begun: [""], others: [], is: false },
  ])(
    "by its command line alone, `$line` is the turn's own: $is",
    ({ line: commandLine, begun, others, is }) => {
      expect(isBegunAlone(commandLine, { begun, begunByOthers: others })).toBe(is);
    },
  );
});

function connection() {
  const exit = Promise.withResolvers<never>();
  let closes = 0;
  const fake: McpServerConnection = {
    codexVersion: "0.153.4",
    pid: 1,
    ended: exit.promise,
    startThread: () => ({ cancel() {}, detach() {} }),
    reply: () => ({ cancel() {}, detach() {} }),
    async close() {
      closes += 1;
      exit.resolve(undefined as never);
    },
  };
  return { fake, closes: () => closes };
}
const held = (on: McpServerConnection) => ({
  connection: on,
  terms: "t",
  pastTurns: new Set<string>(),
  usage: NO_USAGE,
  spent: false,
});

describe("threads that a process holds", () => {
  test("a process that is replaced ends after its last turn, once, and its threads are let go of", async () => {
    const letGo: McpServerConnection[] = [];
    const threads = createHeldThreads((one) => letGo.push(one), silentLog);
    const { fake, closes } = connection();
    threads.hold("a", held(fake));
    const leaveFirst = threads.enter(fake);
    const leaveSecond = threads.enter(fake);
    threads.retire(fake, "test");
    threads.retire(fake, "test again");
    expect(letGo).toEqual([fake]);
    expect(threads.heldBy(fake)).toBe(1);
    leaveFirst();
    expect(closes()).toBe(0);
    leaveSecond();
    expect(closes()).toBe(1);
    await threads.close();
    expect(closes()).toBe(1);
    expect(threads.get("a")).toBeNull();
  });

  test("closing does not wait for turns", async () => {
    const threads = createHeldThreads(() => {}, silentLog);
    const { fake, closes } = connection();
    threads.enter(fake);
    threads.retire(fake, "test");
    await threads.close();
    expect(closes()).toBe(1);
  });
});

describe("the user's MCP servers", () => {
  let directory: string;
  const count = async (): Promise<number> => (await readFile(join(directory, "calls"), "utf8")).length;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "mcp-list-"));
  });
  afterAll(async () => {
    await rm(directory, { recursive: true });
  });

  async function fakeCodex(answer: string) {
    const command = join(directory, "codex");
    await writeFile(command, `#!/bin/sh\nprintf x >> '${directory}/calls'\necho '${answer}'\n`);
    await chmod(command, 0o755);
    return createUserMcpServers({
      install: { command, version: "0.153.4", programDirectories: [], hasMcpServer: true },
      env: { CODEX_HOME: directory, PATH: "/usr/bin:/bin" },
      cwd: directory,
    });
  }

  test("are asked for once, and again when the configuration has changed", async () => {
    const names = await fakeCodex('[{"name":"one"},{"name":"two","enabled":false}]');
    expect(await names()).toEqual(["one", "two"]);
    expect(await names()).toEqual(["one", "two"]);
    expect(await count()).toBe(1);
    await writeFile(join(directory, "config.toml"), "# new\n");
    await names();
    expect(await count()).toBe(2);
    await utimes(join(directory, "config.toml"), 1, 1);
    await names();
    expect(await count()).toBe(3);
  });

  test("are unknown when Codex cannot tell, and that is not remembered", async () => {
    const names = await fakeCodex("Error: broken");
    await expect(names()).rejects.toThrow("JSON");
    await expect(names()).rejects.toThrow("JSON");
  });
});
