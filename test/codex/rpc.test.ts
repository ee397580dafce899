import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../src/lib/clock.ts";
import { ConnectionLost, createRpcConnection, RpcError } from "../../src/codex/app-server/rpc.ts";
import type { Child, ChildExit } from "../../src/lib/child.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A connection to a child of which the test sees every line. */
function connect(onRequest: (method: string) => unknown = () => null) {
  const sent: unknown[] = [];
  const notified: [string, unknown][] = [];
  const { promise: exited, resolve: exit } = Promise.withResolvers<ChildExit>();
  const child: Child = {
    pid: 1,
    send: (line) => sent.push(JSON.parse(line)),
    exited,
    stop: async () => exited,
    kill() {},
  };
  const rpc = createRpcConnection(
    {
      onNotification: (method, params) => notified.push([method, params]),
      onRequest,
    },
    systemClock,
  );
  rpc.attach(child);
  return { rpc, sent, notified, exit };
}

test("a request is sent as one line and gets the answer with its id", async () => {
  const { rpc, sent } = connect();
  const first = rpc.request("one", { a: 1 });
  const second = rpc.request("two", {});
  expect(sent).toEqual([
    { id: 1, method: "one", params: { a: 1 } },
    { id: 2, method: "two", params: {} },
  ]);
  rpc.receive('{"id":2,"result":"second"}');
  rpc.receive('{"id":1,"result":{"first":true},"extra":1}');
  expect(await first).toEqual({ first: true });
  expect(await second).toBe("second");
});

test("an error is told with its code and text", async () => {
  const { rpc } = connect();
  const asking = rpc.request("one", {});
  rpc.receive('{"id":1,"error":{"code":-32600,"message":"thread not found"}}');
  await expect(asking).rejects.toThrow("thread not found");
  await expect(asking).rejects.toBeInstanceOf(RpcError);
});

test.each(['{"code":1}', "{}", '"text"', "7", "[]"])(
  "an error of the shape %s is an error all the same",
  async (error) => {
    const { rpc } = connect();
    const asking = rpc.request("one", {});
    rpc.receive(`{"id":1,"error":${error}}`);
    await expect(asking).rejects.toThrow("unknown error");
  },
);

test("an error that is null is none", async () => {
  const { rpc } = connect();
  const asking = rpc.request("one", {});
  rpc.receive('{"id":1,"result":"fine","error":null}');
  expect(await asking).toBe("fine");
});

describe("what is no message", () => {
  test.each([
    "",
    "not JSON",
    '{"half":',
    "null",
    "42",
    "[]",
    '[{"id":1}]',
    "{}",
    '{"id":7,"result":1}',
    '{"id":"1","result":1}',
    '{"id":null,"result":1}',
    '{"id":1.5,"error":null}',
    '{"method":5}',
    '{"id":1,"method":null}',
  ])("is skipped: %s", async (line) => {
    const { rpc } = connect();
    const asking = rpc.request("one", {});
    expect(() => rpc.receive(line)).not.toThrow();
    rpc.receive('{"id":1,"result":"right"}');
    expect(await asking).toBe("right");
  });
});

test("a request without an answer is lost after its time; the answer that comes later is nobody's", async () => {
  const { rpc } = connect();
  const asking = rpc.request("slow", {}, 1_000).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await asking).toEqual(new ConnectionLost("Codex did not answer slow within 1000 ms", false));
  rpc.receive('{"id":1,"result":"late"}');
  const next = rpc.request("next", {});
  rpc.receive('{"id":2,"result":"next"}');
  expect(await next).toBe("next");
});

test("when the process ends, all who wait are told, and whoever asks later", async () => {
  const { rpc, exit, sent } = connect();
  const waiting = [rpc.request("one", {}), rpc.request("two", {})];
  const told = Promise.all(
    waiting.map(async (asking) => expect(asking).rejects.toBeInstanceOf(ConnectionLost)),
  );
  exit({ code: null, signal: "SIGKILL", stderrTail: "secret" });
  await told;
  await expect(rpc.request("three", {})).rejects.toThrow("Codex ended (SIGKILL)");
  expect(sent).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
});

describe("what Codex asks of us", () => {
  test("is answered with the handler's word", () => {
    const { rpc, sent } = connect(() => ({ decision: "decline" }));
    rpc.receive('{"id":"abc","method":"item/fileChange/requestApproval","params":{}}');
    rpc.receive('{"id":0,"method":"item/fileChange/requestApproval"}');
    expect(sent).toEqual([
      { id: "abc", result: { decision: "decline" } },
      { id: 0, result: { decision: "decline" } },
    ]);
  });

  test("and nobody knows gets an error, not silence", () => {
    const { rpc, sent } = connect();
    rpc.receive('{"id":3,"method":"fs/readEverything","params":{}}');
    expect(sent).toEqual([
      { id: 3, error: { code: -32601, message: "fs/readEverything is not supported by this client" } },
    ]);
  });

  test("a notification is handed on and never answered", () => {
    const { rpc, sent, notified } = connect();
    rpc.receive('{"method":"turn/started","params":{"threadId":"t"}}');
    rpc.notify("initialized");
    expect(notified).toEqual([["turn/started", { threadId: "t" }]]);
    expect(sent).toEqual([{ method: "initialized" }]);
  });
});
