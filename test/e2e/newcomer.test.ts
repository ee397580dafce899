/**
 * A newcomer with a clean clone, an empty home and only the README: from `npm run setup` to the first answer of Codex,
 * at a real terminal. Instead of `npm ci` the dependencies of this checkout are linked and the build is run.
 */
import { execFileSync } from "node:child_process";
import {
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
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeScriptedCodexHome } from "../../src/demo/scripted-model/codex-home.ts";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { say, shell } from "../../src/demo/scripted-model/steps.ts";
import { checkout, makeCleanClone, plainPath } from "../support/clean-clone.ts";
import { codexBinaries } from "../support/scripted-codex.ts";
import { noteCredential } from "../support/leak-search.ts";
import { hasTmux, openTmux, type TmuxSession } from "../support/tmux-session.ts";

const QUESTION = "What does this project do?";

let scratch = "";
let clone = "";
let home = "";
let model: ScriptedModel;
let terminal: TmuxSession;

beforeAll(async () => {
  // Not below the temporary directory: Codex goes without its helpers there.
  const base = join(homedir(), ".cache", "codex-gpt-bridge-tests");
  mkdirSync(base, { recursive: true });
  scratch = realpathSync(mkdtempSync(join(base, "newcomer-")));
  clone = join(scratch, "my clöne"); // nobody promised a name without a space
  home = join(scratch, "home");
  mkdirSync(join(home, "bin"), { recursive: true });
  mkdirSync(join(home, "app"));
  writeFileSync(join(home, "app", "README.md"), "Counts the birds in the garden.\n");
  writeFileSync(join(home, "app", ".env"), "DATABASE_PASSWORD=0f3a9c1d5e7b2468ace0\n");
  symlinkSync(codexBinaries["0.169.0"], join(home, "bin", "codex"));
  makeCleanClone(clone);
  model = await startScriptedModel();
  model.script(QUESTION, [shell("cat README.md"), say("It counts the birds in the garden.")]);
  await writeScriptedCodexHome(join(home, ".codex"), model.url);
  terminal = await openTmux({
    cwd: clone,
    env: { HOME: home, PATH: plainPath(join(home, "bin")), TERM: "screen-256color" },
  });
});

afterAll(async () => {
  await terminal?.close();
  await model?.close();
  rmSync(scratch, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
});

describe("a newcomer without a Codex that could work", () => {
  const setup = (environment: Record<string, string>): string => {
    const argv = [
      join(checkout, "src", "bridge.ts"),
      "setup",
      "--yes",
      "--dry-run",
      "--root",
      join(home, "app"),
    ];
    return execFileSync(process.execPath, argv, { env: environment }).toString();
  };

  it("hears that it is not there, and how to get it", () => {
    const said = setup({ HOME: home, PATH: "/usr/bin:/bin", CODEX_HOME: join(home, ".codex") });
    expect(said).toContain("There is no Codex on your PATH");
    expect(said).toContain("codex login");
  });

  it("hears that it is not logged in", () => {
    const nobody = join(scratch, "nobody");
    mkdirSync(nobody, { recursive: true });
    const said = setup({ HOME: nobody, PATH: plainPath(join(home, "bin")) });
    expect(said).toContain("Codex: not logged in");
    expect(said).toContain("Run: codex login");
  });
});

describe.runIf(hasTmux)("a newcomer who thinks better of it", () => {
  it(
    "leaves with Ctrl-C while something is looked for, and nothing was changed",
    { timeout: 120_000 },
    async () => {
      const slow = join(scratch, "slow");
      mkdirSync(slow);
      writeFileSync(join(slow, "codex"), "#!/bin/sh\nexec sleep 20\n", { mode: 0o755 });
      await terminal.enter("npm run --silent build");
      await terminal.enter(`PATH=${slow}:$PATH HOME=${slow} npm run --silent setup; echo "ended with $?"`);
      await terminal.until("Looking for Codex...");
      await terminal.press("Enter", "Enter", "C-c");
      const said = await terminal.until(/ended with \d/);
      expect(said).toMatch(/^codex-gpt-bridge setup: nothing was changed\n+ended with 1$/m);
      expect(said).not.toContain("Directory of the project");
      expect(existsSync(join(slow, ".config"))).toBe(false);
      await terminal.clear();
    },
  );
});

describe.runIf(hasTmux)("a newcomer", () => {
  it("gets from a clean clone to the first answer of Codex", { timeout: 300_000 }, async () => {
    await terminal.enter("npm run --silent build && npm run --silent setup");
    await terminal.until("Codex 0.169.0, ready");
    await terminal.until("Directory of the project:");
    await terminal.enter("~/not-there");
    await terminal.until("is no directory");
    await terminal.press(...Array.from({ length: 11 }, () => "BSpace"));
    await terminal.enter("~/app");
    await terminal.until("What may Codex do in app?");
    await terminal.press("Enter");
    await terminal.until("Another project?");
    await terminal.press("Enter");
    await terminal.until("What to do about them?");
    await terminal.press("Enter");
    await terminal.until("Look through the projects");
    await terminal.press("Enter");
    await terminal.until("Would block in app");
    await terminal.until("nothing would start there");
    await terminal.press("Down", "Enter");
    await terminal.until("How will ChatGPT reach this machine?");
    await terminal.press("Up", "Enter");
    await terminal.until("Keep an OpenAI API key");
    await terminal.press("Enter");
    await terminal.until("keep the secrets?");
    await terminal.press("Enter");
    const told = await terminal.until("The first prompt to paste");

    const configFile = join(home, ".config", "codex-gpt-bridge", "config.toml");
    const secretsFile = join(dirname(configFile), "secrets.json");
    const { secrets } = JSON.parse(readFileSync(secretsFile, "utf8")) as { secrets: { token: string } };
    noteCredential("the token that setup made", secrets.token);
    expect(readFileSync(configFile, "utf8")).toMatch(
      /^keychain = true\nsecrets = "mask"\n\n\[\[projects\]\]\nname = "app"\npath = ".+\/home\/app"\n$/m,
    );
    for (const file of [configFile, secretsFile]) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(secrets.token.length).toBeGreaterThanOrEqual(32);
    expect(told).not.toContain(secrets.token);
    expect(told).toContain(".env  (dotenv)");

    await terminal.clear();
    await terminal.enter("npm --silent start -- --port 0");
    const started = await terminal.until(/http:\/\/127\.0\.0\.1:\d+\/mcp/);
    const [url = ""] = /http:\/\/127\.0\.0\.1:\d+\/mcp/.exec(started) ?? [];
    expect(await askCodex(url, secrets.token)).toMatchObject({
      status: "completed",
      project: "app",
      sandbox: "read-only",
      answer: "It counts the birds in the garden.",
    });
    await expect(askCodex(url, "not-the-token-that-setup-has-made-000000")).rejects.toThrow(
      "wrong_credential",
    );
    await terminal.press("C-c");
    await terminal.until("stopped");
    expect(await terminal.screen()).not.toContain(secrets.token);
  });

  it("runs setup again: what is there is shown and stays, and nothing is written for nothing", async () => {
    const configFile = join(home, ".config", "codex-gpt-bridge", "config.toml");
    const before = readFileSync(configFile, "utf8");
    await terminal.clear();
    await terminal.enter("npm run --silent setup -- --yes");
    const told = await terminal.until("The first prompt to paste");
    expect(told).toContain("says this already");
    expect(readFileSync(configFile, "utf8")).toBe(before);
    await terminal.clear();
    await terminal.enter("npm run --silent bridge -- service print");
    await terminal.until("[Install]");
    expect((await terminal.screen()).replaceAll("\n", "")).toContain(`"${clone}/dist/bridge.js" "serve"`);
    await terminal.clear();
    await terminal.enter("npm run --silent setup");
    await terminal.until("Which of your projects stay?");
    await terminal.press("C-c");
    await terminal.until("nothing was changed");
    expect(readFileSync(configFile, "utf8")).toBe(before);
  });
});

async function askCodex(url: string, token: string): Promise<unknown> {
  const client = new Client({ name: "newcomer", version: "1" }, { versionNegotiation: { mode: "legacy" } });
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  try {
    let result = await client.callTool({ name: "codex_read", arguments: { prompt: QUESTION } });
    for (;;) {
      const answer = result.structuredContent as { status: string; jobId: string };
      if (answer.status !== "running" && answer.status !== "queued") return answer;
      result = await client.callTool({ name: "codex_job_status", arguments: { jobId: answer.jobId } });
    }
  } finally {
    await client.close();
  }
}
