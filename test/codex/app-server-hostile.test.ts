/** The app-server driver against a Codex that lies, floods and garbles: the bridge lives, ends the turn truly, and goes on. */
import { chmod, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createAppServerBackend } from "../../src/codex/app-server/backend.ts";
import type { CodexBackend, TurnRequest } from "../../src/codex/backend.ts";
import type { CodexEvent } from "../../src/codex/events.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { grantFor } from "../support/grant.ts";

const program = fileURLToPath(new URL("../support/fixture-child-app-server.ts", import.meta.url));
const WAIT = { timeout: 60_000 };
let scratch: string;
let backend: CodexBackend;
beforeEach(async () => {
  scratch = await realpath(await mkdtemp(join(tmpdir(), "hostile-")));
  await writeFile(join(scratch, "codex"), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`);
  await chmod(join(scratch, "codex"), 0o755);
  backend = backendWith("");
});
afterEach(async () => {
  await backend.close();
  await rm(scratch, { recursive: true, force: true });
});

function backendWith(fixture: string): CodexBackend {
  const install = {
    command: join(scratch, "codex"),
    version: "0.169.0",
    programDirectories: ["/opt/codex/bin"],
    hasMcpServer: false,
  };
  const env = { FIXTURE: fixture, FIXTURE_LOG: join(scratch, "log") };
  const parts = { install, env, cwd: scratch, clock: systemClock, log: silentLog, silenceMs: 50_000 };
  return createAppServerBackend(parts, "1.2.3");
}

async function run(
  prompt: string,
  options: Partial<TurnRequest> = {},
  signal = new AbortController().signal,
) {
  const events: CodexEvent[] = [];
  const outcome = await backend.runTurn(
    {
      grant: await grantFor(scratch),
      thread: { kind: "new" },
      prompt,
      outputSchema: null,
      projectInstructions: null,
      ...options,
    },
    (event) => events.push(event),
    signal,
  );
  return { outcome, events };
}

const raw = (...lines: (string | [string, number])[]): string => `raw ${JSON.stringify(lines)}`;
const item = (text: string, fields = ""): string =>
  `{"method":"item/completed","params":{"threadId":"THREAD"${fields},"item":{"type":"agentMessage","id":"m","text":"${text}"}}}`;
const end =
  '{"method":"turn/completed","params":{"threadId":"THREAD","turn":{"id":"TURN","status":"completed"}}}';
const fine = [item("still fine"), end];

describe("a turn goes on over", () => {
  test.each([
    ["a method that is no text", '{"method":{"toString":1},"params":{"threadId":"THREAD"}}'],
    ["a request by a method that is no text", '{"id":1,"method":{"toString":1,"valueOf":1}}'],
    ["a request by an id that is no id", '{"id":{"a":[1]},"method":"what/ever"}'],
    ["an error whose message is no text", '{"id":77,"error":{"message":{"toString":1}}}'],
    ["an answer to nobody", '{"id":4711,"result":{"turn":{"id":"x"}}}'],
    ["answers that came before", '{"id":1,"result":{}}\n{"id":2,"error":{"code":1}}\n{"id":3,"result":7}'],
    ["the end of a turn that never began", end.replace("TURN", "turn-of-nobody")],
    [
      "the beginning of another turn",
      '{"method":"turn/started","params":{"threadId":"THREAD","turn":{"id":"x"}}}',
    ],
    ["a message of another turn", item("not this", ',"turnId":"turn-of-nobody"')],
    ["a message of another thread", item("not this").replace("THREAD", "thread-of-nobody")],
    [
      "prototypes",
      '{"method":"__proto__","params":{"__proto__":{"threadId":"THREAD"}}}\n{"method":"constructor","id":9}',
    ],
  ])("%s", WAIT, async (_name, line) => {
    const { outcome } = await run(raw(line, ...fine));
    expect(outcome).toMatchObject({ failure: null, answer: "still fine" });
  });

  test("what comes after its end", WAIT, async () => {
    const { outcome } = await run(raw(...fine, item("too late"), end.replace("completed", "failed")));
    expect(outcome).toMatchObject({ failure: null, answer: "still fine" });
  });

  test("bytes that are no UTF-8", WAIT, async () => {
    expect((await run("bytes fffe80c00a")).outcome).toMatchObject({ failure: null, answer: "still fine" });
  });

  test("40 MB on stderr", WAIT, async () => {
    expect((await run("noise 40000000")).outcome).toMatchObject({ failure: null, answer: "still fine" });
  });

  test.each([
    [
      "a request whose id is 100,000 lists deep",
      [
        ['{"method":"x","id":', 1],
        ["[", 100_000],
        ["]", 100_000],
        ["}\n", 1],
      ],
    ],
    [
      "60 MB of open lists",
      [
        ["[", 60_000_000],
        ["\n", 1],
      ],
    ],
    [
      "60 MB of open objects",
      [
        ['{"a":', 12_000_000],
        ["\n", 1],
      ],
    ],
    [
      "60 MB of empty objects",
      [
        ["[{}", 1],
        [",{}", 20_000_000],
        ["]\n", 1],
      ],
    ],
  ] as [string, [string, number][]][])("%s", WAIT, async (_name, lines) => {
    const { outcome } = await run(raw(...lines, ...fine));
    expect(outcome).toMatchObject({ failure: null, answer: "still fine" });
  });
});

describe("a turn ends, and the next one works, after", () => {
  test.each([
    ["200 MB without the end of a line", raw(["x".repeat(1_000_000), 200])],
    ["a closed stdout", "hush"],
    [
      "answers that pile up unread",
      `deaf ${JSON.stringify(['{"id":1,"method":"no/such"}\n'.repeat(1_000), 3_000])}`,
    ],
  ])("%s", WAIT, async (_name, prompt) => {
    expect((await run(prompt)).outcome.failure).toMatchObject({ code: "interrupted" });
    expect((await run("say hello")).outcome).toMatchObject({ failure: null, answer: "hello" });
  });

  test("a turn that Codex began and says that it refused is told to end", WAIT, async () => {
    backend = backendWith("begun-and-refused,refuses:turn/start");
    expect((await run("hold")).outcome.failure).not.toBeNull();
    expect(await readFile(join(scratch, "log"), "utf8")).toContain('"turn/interrupt"');
  });
});

describe("a thread that is another's", () => {
  test("is not taken when a new one is asked for", WAIT, async () => {
    backend = backendWith("same-thread");
    const stop = new AbortController();
    const begun = Promise.withResolvers<void>();
    const grant = await grantFor(scratch);
    const request = { grant, prompt: "hold", outputSchema: null, projectInstructions: null };
    const first = backend.runTurn(
      { ...request, thread: { kind: "new" } },
      (event) => event.type === "turn" && begun.resolve(),
      stop.signal,
    );
    await begun.promise;
    const second = await run("say secret");
    expect(second.outcome).toMatchObject({ threadId: null, answer: null, failure: { code: "codex_failed" } });
    stop.abort();
    expect(await first).toMatchObject({ answer: null, failure: { code: "interrupted" } });
  });

  test("is not taken for the one that is gone on with", WAIT, async () => {
    backend = backendWith("other-thread");
    const { outcome } = await run("say secret", { thread: { kind: "resume", threadId: "mine" } });
    expect(outcome).toMatchObject({ threadId: null, answer: null, failure: { code: "codex_failed" } });
  });
});
