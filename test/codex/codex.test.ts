import { describe, expect, test } from "vitest";
import type { CodexBackend, TurnRequest } from "../../src/codex/backend.ts";
import { createCodex, pickBackend, type BackendChoice } from "../../src/codex/codex.ts";
import type { CodexInstall } from "../../src/codex/install.ts";
import { silentLog } from "../../src/lib/log.ts";
import { fail, ok, type Result } from "../../src/lib/result.ts";
import type { Failure } from "../../src/policy/failure.ts";
import { terms } from "../jobs/start-runner.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { grantForTest } from "../support/grant.ts";
import { createScriptedBackend, type ScriptedBackend } from "../support/scripted-backend.ts";

const install: CodexInstall = {
  command: "/opt/codex/bin/codex",
  version: "0.153.4",
  programDirectories: ["/opt/codex/bin"],
  hasMcpServer: true,
};
const newer: CodexInstall = { ...install, version: "0.169.0", hasMcpServer: false };
const request: TurnRequest = {
  grant: grantForTest(terms),
  thread: { kind: "new" },
  prompt: "work",
  outputSchema: null,
  projectInstructions: null,
};
const never = new AbortController().signal;

describe("which driver", () => {
  test.each<{ choice: BackendChoice; of: CodexInstall; kind: string }>([
    { choice: "auto", of: install, kind: "app-server" },
    { choice: "auto", of: newer, kind: "app-server" },
    { choice: "app-server", of: newer, kind: "app-server" },
    { choice: "mcp-server", of: install, kind: "mcp-server" },
    { choice: "mcp-server", of: newer, kind: "codex_unsupported" },
  ])("$choice with Codex $of.version is $kind", ({ choice, of, kind }) => {
    const picked = pickBackend(choice, of);
    expect(picked.ok ? picked.value.kind : picked.failure.code).toBe(kind);
  });
});

function room(choice: BackendChoice = "auto") {
  const clock = createFakeClock();
  const drivers: ScriptedBackend[] = [];
  let found: Result<CodexInstall, Failure> = ok(install);
  let looks = 0;
  let prepare: (driver: ScriptedBackend) => void = () => {};
  const drive = (): CodexBackend => {
    const driver = createScriptedBackend();
    prepare(driver);
    drivers.push(driver);
    return driver;
  };
  const codex = createCodex({
    choice,
    find: async () => {
      looks += 1;
      return found;
    },
    drivers: { "app-server": drive, "mcp-server": drive },
    clock,
    log: silentLog,
  });
  return {
    codex,
    clock,
    drivers,
    looks: () => looks,
    become: (next: Result<CodexInstall, Failure>): void => {
      found = next;
    },
    prepare: (next: (driver: ScriptedBackend) => void): void => {
      prepare = next;
    },
  };
}

test("nothing is looked for until somebody asks", () => {
  const { codex, looks } = room();
  expect(codex.status()).toMatchObject({ facts: null, backend: null, failure: null });
  expect(looks()).toBe(0);
});

test("a Codex that is fine is looked for once, also by many at once", async () => {
  const { codex, drivers, looks } = room();
  const all = await Promise.all(Array.from({ length: 10 }, async () => codex.ready()));
  expect(all.every((one) => one.ok)).toBe(true);
  await codex.ready();
  expect(looks()).toBe(1);
  expect(drivers).toHaveLength(1);
  expect(codex.status()).toMatchObject({
    backend: "app-server",
    failure: null,
    facts: { codexVersion: "0.169.0" },
  });
});

test("a Codex that is not there is looked for again, but not with every call", async () => {
  const { codex, clock, looks, become } = room();
  become(fail({ code: "codex_not_found" }));
  expect(await codex.ready()).toEqual(fail({ code: "codex_not_found" }));
  expect(codex.status()).toMatchObject({ failure: { code: "codex_not_found" }, why: "No codex on PATH." });
  become(ok(install));
  await clock.advance(2_999);
  expect(await codex.ready()).toEqual(fail({ code: "codex_not_found" }));
  expect(looks()).toBe(1);
  await clock.advance(1);
  expect(await codex.ready()).toMatchObject({ ok: true });
  expect(codex.status().why).toContain("0.153.4");
});

test("a login is noticed without a restart of the bridge", async () => {
  const { codex, clock, drivers, prepare } = room();
  prepare((driver) => driver.become({ loggedIn: false }));
  expect(await codex.ready()).toEqual(fail({ code: "codex_not_logged_in" }));
  expect(codex.status()).toMatchObject({
    failure: { code: "codex_not_logged_in" },
    facts: { loggedIn: false },
  });
  prepare(() => {});
  await clock.advance(3_000);
  expect(await codex.ready()).toMatchObject({ ok: true, value: { loggedIn: true } });
  expect(drivers[0]?.isClosed()).toBe(true);
});

test("a Codex that cannot tell whether it is logged in may try", async () => {
  const { codex, prepare } = room();
  prepare((driver) => driver.become({ loggedIn: null }));
  expect(await codex.ready()).toMatchObject({ ok: true });
});

test("a Codex that did not answer is found anew, and the old reason is forgotten", async () => {
  const { codex, clock, drivers, prepare, become } = room();
  prepare((driver) => driver.become({ code: "codex_unsupported", reason: "no handshake" }));
  expect(await codex.ready()).toMatchObject({ ok: false });
  expect(codex.status().why).toBe("no handshake");
  become(ok(newer));
  prepare(() => {});
  await clock.advance(3_000);
  expect(await codex.ready()).toMatchObject({ ok: true });
  expect(codex.status()).toMatchObject({ failure: null });
  expect(codex.status().why).toContain("0.169.0");
  expect(drivers[0]?.isClosed()).toBe(true);
});

test("a Codex that is too new for the wanted driver says why", async () => {
  const { codex, become } = room("mcp-server");
  become(ok(newer));
  expect(await codex.ready()).toMatchObject({ ok: false, failure: { code: "codex_unsupported" } });
  expect(codex.status().why).toContain("removed in 0.154.0");
});

test("a turn goes to the driver; without a usable Codex it ends with the refusal", async () => {
  const { codex, drivers } = room();
  await codex.ready();
  const running = codex.runTurn(request, () => {}, never);
  (await drivers[0]?.turn(0))?.end({ answer: "hi" });
  expect(await running).toMatchObject({ answer: "hi", failure: null });

  const without = room();
  without.become(fail({ code: "codex_not_found" }));
  expect(await without.codex.runTurn(request, () => {}, never)).toMatchObject({
    threadId: null,
    failure: { code: "codex_not_found" },
  });
});

describe("closing", () => {
  test("closes the driver, and no turn runs any more", async () => {
    const { codex, drivers } = room();
    await codex.ready();
    await codex.close();
    expect(drivers[0]?.isClosed()).toBe(true);
    expect(await codex.runTurn(request, () => {}, never)).toMatchObject({ failure: { code: "interrupted" } });
  });

  test("of one that was never asked starts nothing, then or later", async () => {
    const { codex, drivers } = room();
    await codex.close();
    expect(await codex.runTurn(request, () => {}, never)).toMatchObject({ failure: { code: "interrupted" } });
    expect(drivers).toHaveLength(0);
  });
});
