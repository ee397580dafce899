import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { allowedHostsOf, showPasscode } from "../../src/cli/sign-in-parts.ts";
import { run } from "../../src/cli/sign-in.ts";
import { loadConfig, type Config } from "../../src/config/load.ts";
import type { LogFields } from "../../src/lib/log.ts";
import {
  createAuthorization,
  obtainTokens,
  openHouse,
  callMcp,
  signIn,
} from "../auth/oauth/sign-in-house.ts";
import { createFakeTerminal } from "./fake-terminal.ts";

let stateDir = "";
beforeEach(() => {
  stateDir = realpathSync(mkdtempSync(join(tmpdir(), "cli-sign-in-")));
});
afterEach(() => {
  rmSync(stateDir, { recursive: true, force: true });
});

async function command(
  argv: readonly string[],
  more: Record<string, string> = {},
  absence: string | null = null,
) {
  const environment = { HOME: stateDir, CODEX_GPT_BRIDGE_STATE_DIR: stateDir, ...more };
  const terminal = createFakeTerminal(environment, stateDir);
  const exitCode = await run(terminal, argv, { absence: () => absence });
  return { exitCode, out: terminal.out(), err: terminal.err() };
}

describe("sign-in passcode", () => {
  it("makes one that opens the consent page of a bridge that runs, and keeps no copy", async () => {
    const house = await openHouse({ directory: stateDir, settings: { oauthPasscode: undefined } });
    try {
      const { exitCode, out } = await command(["passcode"]);
      expect(exitCode).toBe(0);
      const passcode = out.trim();
      expect(passcode).toMatch(/^\w{4}-\w{4}-\w{4}$/);
      const back = await signIn(house.port, createAuthorization(), { passcode, write: "yes" });
      expect(back.searchParams.get("code")).not.toBeNull();
      const kept = readFileSync(join(stateDir, "oauth.sqlite")).toString("latin1");
      expect(kept).not.toContain(passcode);
      expect(kept).not.toContain(passcode.replaceAll("-", ""));
    } finally {
      await house.stop();
    }
  });

  it("is for the owner at a terminal, and of no use where they have set their own", async () => {
    const away = await command(["passcode"], {}, "it has to be run at a terminal");
    expect(away).toMatchObject({ exitCode: 1, out: "" });
    expect(away.err).toContain("at a terminal");
    const own = await command(["passcode"], { CODEX_GPT_BRIDGE_OAUTH_PASSCODE: "my own passcode" });
    expect(own).toMatchObject({ exitCode: 1, out: "" });
    expect(own.err).not.toContain("my own passcode");
  });
});

describe("sign-in list and end", () => {
  it("show who has signed in, and end it at once for a bridge that runs", async () => {
    expect((await command(["list"])).out).toBe("Nobody has signed in.\n");
    const house = await openHouse({ directory: stateDir });
    try {
      const tokens = await obtainTokens(house.port, { scope: "read" });
      const { out } = await command(["list"]);
      expect(out).toMatch(
        /^[\w-]{12} {2}\d{4}-\d\d-\d\dT\S+ {2}read {8}https:\/\/chatgpt\.com\/oauth\/client\.json\n$/,
      );
      const [listed] = JSON.parse((await command(["list", "--json"])).out);
      expect(listed).toMatchObject({ scopes: ["read"] });
      expect((await command(["end", "nobody"])).exitCode).toBe(1);
      expect((await callMcp(house.port, tokens.access_token)).status).toBe(200);
      expect(await command(["end", listed.signInId])).toMatchObject({ exitCode: 0, out: "1 ended.\n" });
      expect((await callMcp(house.port, tokens.access_token)).status).toBe(401);
      expect(await command(["end", "--all"])).toMatchObject({ exitCode: 0, out: "0 ended.\n" });
    } finally {
      await house.stop();
    }
  });

  it.each([[[]], [["end"]], [["end", "x", "y"]], [["list", "x"]], [["end", "x", "--all"]], [["open"]]])(
    "say how they are used when they are not: %j",
    async (argv) => {
      const { exitCode, err } = await command(argv);
      expect(exitCode).toBe(2);
      expect(err).toMatch(/Usage: codex-gpt-bridge sign-in|no "open"\.\nIt takes passcode, list, end\./);
    },
  );
});

describe("the passcode at start", () => {
  const lines: [LogFields, string][] = [];
  const note = (fields: LogFields, message: string): void => {
    lines.push([fields, message]);
  };
  const log = { debug: note, info: note, warn: note, error: note };

  it("is shown on a terminal, once, and never in the log", async () => {
    lines.length = 0;
    const house = await openHouse({ settings: { oauthPasscode: undefined } });
    try {
      const terminal = createFakeTerminal({}, stateDir, true);
      await showPasscode(house.oauth, [terminal.stderr, terminal.stdout], log);
      const [, passcode = ""] = /Passcode for letting ChatGPT in: (\S+)/.exec(terminal.err()) ?? [];
      expect(passcode).toMatch(/^\w{4}-\w{4}-\w{4}$/);
      expect(terminal.out()).toBe("");
      expect(lines).toEqual([]);
      expect(
        (await signIn(house.port, createAuthorization(), { passcode })).searchParams.get("code"),
      ).not.toBeNull();
    } finally {
      await house.stop();
    }
  });

  it("is not made where nobody is there to read it; the log says what to do until there is one", async () => {
    lines.length = 0;
    const house = await openHouse({ directory: stateDir, settings: { oauthPasscode: undefined } });
    try {
      const terminal = createFakeTerminal({}, stateDir);
      await showPasscode(house.oauth, [terminal.stderr, terminal.stdout], log);
      expect(terminal.err() + terminal.out()).toBe("");
      expect(lines.map(([, message]) => message)).toEqual([
        "no passcode yet, so nobody can sign in; make one with: codex-gpt-bridge sign-in passcode",
      ]);
      const made = (await command(["passcode"])).out.trim();
      lines.length = 0;
      await showPasscode(house.oauth, [terminal.stderr, terminal.stdout], log);
      expect(lines).toEqual([]);
      expect(
        (await signIn(house.port, createAuthorization(), { passcode: made })).searchParams.has("code"),
      ).toBe(true);
    } finally {
      await house.stop();
    }
  });

  it("of the owner's own is not shown", async () => {
    lines.length = 0;
    const house = await openHouse();
    try {
      const terminal = createFakeTerminal({}, stateDir, true);
      await showPasscode(house.oauth, [terminal.stderr], log);
      expect(terminal.err()).toBe("");
      expect(lines).toEqual([]);
    } finally {
      await house.stop();
    }
  });
});

describe("the settings of sign-in", () => {
  const load = async (flags: Record<string, string | boolean>) =>
    loadConfig({
      flags: { roots: "none=/dev/null", ...flags },
      environment: { HOME: stateDir },
      cwd: "/",
      readFile: async () => null,
    });
  const problems = async (flags: Record<string, string | boolean>): Promise<string> => {
    const loaded = await load(flags);
    return loaded.ok ? "" : loaded.failure.map(({ setting, problem }) => `${setting}: ${problem}`).join("\n");
  };

  it("make the public URL an origin, and its host one of the bridge's own", async () => {
    const loaded = await load({ "public-url": "https://Bridge.Example.com/" });
    expect(loaded.ok && loaded.value.publicUrl).toBe("https://bridge.example.com");
    expect(allowedHostsOf((loaded.ok ? loaded.value : {}) as Config)).toEqual(["bridge.example.com"]);
    expect(await problems({ "public-url": "http://127.0.0.1:8765" })).toBe("");
  });

  it.each([
    [{ "public-url": "http://bridge.example.com" }, /--public-url: .*https/],
    [{ "public-url": "https://bridge.example.com/mcp" }, /--public-url: .*without a path/],
    [{ "public-url": "https://me:secret@bridge.example.com" }, /--public-url: /],
    [{ "public-url": "https://bridge.example.com?x=1" }, /--public-url: /],
    [{ "public-url": "bridge.example.com" }, /--public-url: /],
    [{ "public-url": "https://bridge.example.com", "no-auth": true }, /--no-auth: .*--public-url/],
    [{ "auth-issuer": "https://id.example.com" }, /--auth-issuer: needs .*PUBLIC_URL/],
    [{ "auth-issuer": "http://id.example.com", "public-url": "https://b.example.com" }, /--auth-issuer: /],
    [{ "oauth-passcode": "short" }, /--oauth-passcode: .*8 characters/],
    [{ "oauth-client-secret": "short" }, /--oauth-client-secret: .*32 characters/],
    [{ "oauth-clients": "chatgpt" }, /--oauth-clients: .*id=https/],
    [{ "oauth-clients": "chatgpt=http://chatgpt.com/cb" }, /--oauth-clients: /],
    [{ "oauth-clients": "chat gpt=https://chatgpt.com/cb" }, /--oauth-clients: /],
    [{ "oauth-refresh-grace-seconds": "301" }, /--oauth-refresh-grace-seconds: /],
  ])("refuse %j", async (flags, told) => {
    const text = await problems(flags);
    expect(text).toMatch(told);
    expect(text).not.toContain("secret@");
  });

  it.each(["127.0.0.1", "[::1]", "localhost"])(
    "let a client on this machine be named by %s",
    async (host) => {
      const client = `mine=http://${host}:4000/callback`;
      expect(await problems({ "public-url": "https://bridge.example.com", "oauth-clients": client })).toBe(
        "",
      );
    },
  );
});
