import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "../../src/cli/allow.ts";
import { parseExpiry } from "../../src/cli/expiry.ts";
import type { Owner } from "../../src/cli/owner.ts";
import { createFakeTerminal } from "./fake-terminal.ts";

const DAY_MS = 86_400_000;
const VALUE = "s3cretValue0123456789";
let base = "";
let root = "";
let list = "";
let asked: string[] = [];

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "cli-allow-")));
  root = join(base, "app");
  list = join(base, "config", "codex-gpt-bridge", "allow.json");
  asked = [];
  mkdirSync(join(root, "test"), { recursive: true });
  writeFileSync(join(root, "test", ".env"), `API_KEY=${VALUE}\n`);
  writeFileSync(join(root, "README.md"), "nothing\n");
});

afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

const environment = (): Record<string, string> => ({
  HOME: base,
  XDG_CONFIG_HOME: join(base, "config"),
  CODEX_GPT_BRIDGE_ROOT: root,
});

const owner = (answer: boolean): Owner => ({
  absence: () => null,
  agrees: async (question) => {
    asked.push(question);
    return answer;
  },
});

async function allow(
  argv: readonly string[],
  who: Owner = owner(true),
  more: Record<string, string> = {},
  cwd = root,
): Promise<{ code: number; out: string; err: string }> {
  const terminal = createFakeTerminal({ ...environment(), ...more }, cwd);
  const code = await run(terminal, argv, who);
  return { code, out: terminal.out(), err: terminal.err() };
}

function kept(): Record<string, unknown>[] {
  const { exceptions } = JSON.parse(readFileSync(list, "utf8")) as { exceptions: Record<string, unknown>[] };
  return exceptions;
}

describe("codex-gpt-bridge allow", () => {
  it("shows what was found, asks, and keeps one exception beside the config file", async () => {
    const { code, out } = await allow(["test/.env", "--reason", "a sample for the docs"]);
    expect(code).toBe(0);
    expect(asked).toHaveLength(1);
    expect(out).toContain("test/.env");
    expect(out).toContain("dotenv");
    expect(out).not.toContain(VALUE);
    expect(statSync(list).mode & 0o777).toBe(0o600);
    expect(kept()).toEqual([
      {
        root,
        path: "test/.env",
        kinds: ["dotenv"],
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        reason: "a sample for the docs",
        by: expect.any(String) as string,
        madeAt: expect.any(String) as string,
        expiresAt: expect.any(String) as string,
      },
    ]);
    const [{ madeAt, expiresAt } = {}] = kept();
    expect(Date.parse(String(expiresAt)) - Date.parse(String(madeAt))).toBe(90 * DAY_MS);
  });

  it("changes nothing when the owner does not agree", async () => {
    const { code, err } = await allow(["test/.env", "--reason", "x"], owner(false));
    expect(code).toBe(1);
    expect(err).toContain("nothing was changed");
    expect(existsSync(list)).toBe(false);
  });

  it("finds the file by its absolute path, from where the owner is, and by the path that the log shows", async () => {
    for (const [path, cwd] of [
      [join(root, "test", ".env"), base],
      [".env", join(root, "test")],
      ["test/.env", base],
    ] as const) {
      expect((await allow([path, "--reason", "x"], owner(true), {}, cwd)).code).toBe(0);
    }
    expect(kept()).toHaveLength(1);
  });

  it("keeps the list beside the config file that is used, if it is another", async () => {
    mkdirSync(join(base, "own"), { mode: 0o700 });
    writeFileSync(join(base, "own", "bridge.toml"), "", { mode: 0o600 });
    const config = join(base, "own", "bridge.toml");
    expect((await allow(["test/.env", "--reason", "x", "--config", config])).code).toBe(0);
    expect(existsSync(join(base, "own", "allow.json"))).toBe(true);
    expect(existsSync(list)).toBe(false);
  });

  it("asks which project is meant when several have such a file", async () => {
    const second = join(base, "second");
    mkdirSync(join(second, "test"), { recursive: true });
    writeFileSync(join(second, "test", ".env"), `API_KEY=${VALUE}\n`);
    const roots = ["--roots", `${root},${second}`];
    const more = { CODEX_GPT_BRIDGE_ROOT: "" };
    const { code, err } = await allow(["test/.env", "--reason", "x", ...roots], owner(true), more, base);
    expect([code, err]).toEqual([1, expect.stringContaining("absolute path") as string]);
    const exact = join(second, "test", ".env");
    expect((await allow([exact, "--reason", "x", ...roots], owner(true), more, base)).code).toBe(0);
    expect(kept()).toMatchObject([{ root: second }]);
  });

  it.each<[string, string, string]>([
    ["a file that the scan does not block", "README.md", "needs no exception"],
    ["a file that is not there", "missing.pem", "needs no exception"],
    ["a pattern", "test/*", "needs no exception"],
    ["a directory", "test", "needs no exception"],
    ["the project itself", ".", "no project"],
    ["a file outside", "/etc/passwd", "no project"],
    ["a file outside, from inside", "../elsewhere/.env", "no project"],
  ])("makes none for %s", async (_name, path, why) => {
    const { code, err } = await allow([path, "--reason", "x"]);
    expect([code, err]).toEqual([1, expect.stringContaining(why) as string]);
    expect(asked).toEqual([]);
    expect(existsSync(list)).toBe(false);
  });

  it("makes none for a link", async () => {
    writeFileSync(join(base, "real.env"), `API_KEY=${VALUE}\n`);
    symlinkSync(join(base, "real.env"), join(root, ".env"));
    const { code } = await allow([".env", "--reason", "x"]);
    expect(code).toBe(1);
    expect(existsSync(list)).toBe(false);
  });

  it.each<[string, string[]]>([
    ["no path", []],
    ["two paths", ["a", "b", "--reason", "x"]],
    ["no reason", ["test/.env"]],
    ["a blank reason", ["test/.env", "--reason", "  "]],
    ["a reason of two lines", ["test/.env", "--reason", "a\nb"]],
    ["an end that is none", ["test/.env", "--reason", "x", "--expires", "soon"]],
    ["an end that is past", ["test/.env", "--reason", "x", "--expires", "2020-01-01"]],
    ["an end that never comes", ["test/.env", "--reason", "x", "--expires", "5000d"]],
    ["a flag that answers for the owner", ["test/.env", "--reason", "x", "--yes"]],
    ["a list of one path", ["test/.env", "--list"]],
    ["a wrong setting", ["test/.env", "--reason", "x", "--port", "no"]],
  ])("is used wrongly with %s", async (_name, argv) => {
    expect((await allow(argv)).code).toBe(2);
    expect(asked).toEqual([]);
    expect(existsSync(list)).toBe(false);
  });

  it("refuses a list that others could have written, and leaves it alone", async () => {
    await allow(["test/.env", "--reason", "x"]);
    chmodSync(list, 0o666);
    const before = readFileSync(list, "utf8");
    const { code, err } = await allow(["test/.env", "--reason", "y"]);
    expect([code, err]).toEqual([2, expect.stringContaining("others can write") as string]);
    expect(readFileSync(list, "utf8")).toBe(before);
  });

  it("refuses to keep the list inside a project", async () => {
    const { code } = await allow(["test/.env", "--reason", "x"], owner(true), {
      XDG_CONFIG_HOME: join(root, "config"),
    });
    expect(code).toBe(2);
    expect(existsSync(join(root, "config"))).toBe(false);
  });

  it("lists the exceptions with their state, and takes one back", async () => {
    expect((await allow(["--list"])).out).toBe("There are no exceptions.\n");
    await allow(["test/.env", "--reason", "a sample"]);
    expect((await allow(["--list"])).out).toMatch(
      /^app: test\/\.env\n  holds, dotenv, until \d{4}-\d\d-\d\d\n  a sample \(.+\)\n$/,
    );
    writeFileSync(join(root, "test", ".env"), `API_KEY=${VALUE}changed\n`);
    expect((await allow(["--list"])).out).toContain("changed or gone");
    expect((await allow(["other", "--remove"])).code).toBe(1);
    rmSync(join(root, "test", ".env"));
    expect((await allow(["test/.env", "--remove"])).code).toBe(0);
    expect(kept()).toEqual([]);
    expect((await allow(["--help"])).code).toBe(0);
  });
});

describe("the end of an exception", () => {
  const now = Date.UTC(2026, 10, 20, 12);
  it.each<[string, string | null]>([
    ["30d", "2026-12-20T12:00:00.000Z"],
    ["1d", "2026-11-21T12:00:00.000Z"],
    ["2027-01-31", "2027-01-31T23:59:59.999Z"],
    ["2026-11-20", "2026-11-20T23:59:59.999Z"],
    ["2026-11-19", null],
    ["2027-02-30", null],
    ["2028-01-01", null],
    ["367d", null],
    ["0d", null],
    ["-1d", null],
    ["30", null],
    ["never", null],
    ["", null],
  ])("%j is %j", (text, expected) => {
    const parsed = parseExpiry(text, now);
    expect(parsed.ok ? new Date(parsed.value).toISOString() : null).toBe(expected);
  });
});

/** The real command in a process of its own, as the door runs it. */
const PROGRAM = `
  const { run } = await import(${JSON.stringify(new URL("../../src/cli/allow.ts", import.meta.url).href)});
  process.exitCode = await run({
    argv: [], environment: process.env, cwd: process.cwd(), stdout: process.stdout, stderr: process.stderr,
    onSignal() {}, exitNow() {},
  }, ["test/.env", "--reason", "a sample"]);
`;

async function runProcess(
  command: string,
  args: readonly string[],
  input: string,
  more: Record<string, string> = {},
): Promise<{ code: number | null; out: string }> {
  const program = join(base, "allow.mjs");
  writeFileSync(program, PROGRAM);
  const child = spawn(command, args, {
    cwd: root,
    env: { PATH: process.env["PATH"], ...environment(), ...more },
  });
  let out = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      out += chunk.toString();
      if (out.includes("[y/N]")) child.stdin.end(input);
    });
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(timer);
  return { code, out };
}

describe.runIf(process.platform === "linux" && existsSync("/usr/bin/script"))(
  "the owner at a terminal",
  () => {
    const atTerminal = (): string[] => [
      "-qec",
      `${process.execPath} ${join(base, "allow.mjs")}`,
      "/dev/null",
    ];

    it("is asked there, and a yes makes the exception", async () => {
      const { code, out } = await runProcess("script", atTerminal(), "yes\n");
      expect(out).toContain("Make this exception? [y/N]");
      expect(out).toContain("Made.");
      expect(code).toBe(0);
      expect(kept()).toHaveLength(1);
    });

    it.each(["\n", "no\n", "yesterday\n", ""])("says no with %j", async (input) => {
      const { code } = await runProcess("script", atTerminal(), input);
      expect(code).toBe(1);
      expect(existsSync(list)).toBe(false);
    });

    it("cannot be replaced by a pipe: without a terminal nothing is asked", async () => {
      const { code, out } = await runProcess(
        "setsid",
        ["-w", process.execPath, join(base, "allow.mjs")],
        "yes\n",
      );
      expect(out).toContain("terminal");
      expect(code).toBe(2);
      expect(existsSync(list)).toBe(false);
    });

    it("cannot be replaced by a command of Codex's, even at a terminal", async () => {
      const { code, out } = await runProcess("script", atTerminal(), "yes\n", { CODEX_SANDBOX: "seatbelt" });
      expect(out).toContain("run by Codex");
      expect(code).toBe(2);
      expect(existsSync(list)).toBe(false);
    });
  },
);
