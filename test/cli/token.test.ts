import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../src/cli/token.ts";
import { createFakeTerminal } from "./fake-terminal.ts";

let base = "";
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "cli-token-")));
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

async function token(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const environment = { HOME: base, CODEX_GPT_BRIDGE_STATE_DIR: join(base, "state") };
  const terminal = createFakeTerminal(environment, base);
  const code = await run(terminal, argv);
  return { code, out: terminal.out(), err: terminal.err() };
}

const syntax = /^cgb_[0-9A-Za-z]{16}_[0-9A-Za-z]{43}\n$/;

describe("codex-gpt-bridge token create", () => {
  it("prints the token alone on stdout, so that it can be piped, and what it is on stderr", async () => {
    const { code, out, err } = await token(
      "create",
      "--name",
      "phone",
      "--scope",
      "write",
      "--expires",
      "2d",
    );
    expect(code).toBe(0);
    expect(out).toMatch(syntax);
    expect(err).toMatch(/"phone" \(read and write\) holds until \d{4}-\d\d-\d\d/);
    expect(err).not.toContain(out.trim());
  });

  it("makes one that may read, for 90 days, unless told otherwise", async () => {
    const { out } = await token("create", "--name", "phone", "--json");
    const { token: text, scope, createdAt, expiresAt } = JSON.parse(out) as Record<string, string>;
    expect(`${text}\n`).toMatch(syntax);
    expect(scope).toBe("read");
    expect(Date.parse(expiresAt ?? "") - Date.parse(createdAt ?? "")).toBe(90 * 86_400_000);
  });

  it("keeps no token anywhere, in files that are the owner's alone", async () => {
    const { out } = await token("create", "--name", "phone");
    const state = join(base, "state");
    expect(statSync(state).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(state)) {
      expect(statSync(join(state, name)).mode & 0o777).toBe(0o600);
      expect(readFileSync(join(state, name), "latin1")).not.toContain(out.trim().slice(-43));
    }
  });

  it.each<[string, string[], number, RegExp]>([
    ["no name", [], 2, /--name/],
    ["a name that steers a terminal", ["--name", "a\u001B[2J"], 2, /--name/],
    ["a name that is too long", ["--name", "a".repeat(65)], 2, /--name/],
    ["an unknown scope", ["--name", "x", "--scope", "admin"], 2, /--scope has to be read or write/],
    ["an end in the past", ["--name", "x", "--expires", "2020-01-01"], 2, /--expires lies in the past/],
    ["an end that is far away", ["--name", "x", "--expires", "400d"], 2, /--expires may be at most a year/],
    ["a token on the command line", ["cgb_x", "--name", "x"], 2, /Usage/],
  ])("refuses %s", async (_name, argv, code, words) => {
    const refused = await token("create", ...argv);
    expect(refused).toMatchObject({ code, out: "", err: expect.stringMatching(words) });
  });

  it("refuses a name that is taken, and takes it again when it is free", async () => {
    await token("create", "--name", "phone");
    expect(await token("create", "--name", "phone")).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringContaining("already"),
    });
    await token("revoke", "phone");
    expect((await token("create", "--name", "phone")).out).toMatch(syntax);
  });
});

describe("codex-gpt-bridge token list", () => {
  it("says so when there is none, and makes no file for that", async () => {
    expect(await token("list")).toEqual({ code: 0, out: "There are no tokens yet.\n", err: "" });
    expect(readdirSync(base)).toEqual([]);
  });

  it("shows what each is for and whether it holds, and never the token", async () => {
    const made = [
      await token("create", "--name", "phone"),
      await token("create", "--name", "ci", "--scope=write"),
    ];
    await token("revoke", "ci");
    const { out } = await token("list");
    expect(out.split("\n")[0]).toMatch(/^name +id +scope +state +until +last used$/);
    expect(out).toMatch(/^phone +\w{16} +read +holds +\d{4}-\d\d-\d\d +never$/m);
    expect(out).toMatch(/^ci +\w{16} +write +revoked /m);
    for (const { out: text } of made) expect(out).not.toContain(text.trim().slice(-43));
    const rows = (await token("list", "--json")).out.trim().split("\n");
    expect(rows.map((row) => (JSON.parse(row) as { name: string }).name).toSorted()).toEqual(["ci", "phone"]);
  });
});

describe("codex-gpt-bridge token revoke", () => {
  it("takes a name or an id, once", async () => {
    const { out } = await token("create", "--name", "phone", "--json");
    const { id = "" } = JSON.parse(out) as Record<string, string>;
    expect(await token("revoke", id)).toMatchObject({ code: 0, out: expect.stringContaining("phone") });
    expect(await token("revoke", id)).toMatchObject({
      code: 1,
      err: expect.stringContaining("no such token"),
    });
    expect(await token("revoke", "nobody")).toMatchObject({ code: 1 });
  });

  it.each([[["revoke"]], [["revoke", "a", "b"]], [["list", "x"]], [[]], [["rotate"]]])(
    "%j is not understood",
    async (argv) => {
      expect(await token(...argv)).toMatchObject({
        code: 2,
        err: expect.stringMatching(/Usage|no "rotate"/),
      });
    },
  );
});
