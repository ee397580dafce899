/** A search that could find nothing would prove nothing: each place and each spelling, planted. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { leaksIn, noteCredential, noteGiven, searchAnswer, searchWritten } from "./leak-search.ts";
import { runDoor, startDoor, token } from "./running-bridge.ts";

/** With letters that each spelling writes in its own way. */
const VALUE = 'planted "value"/with+odd=letters?ü>>>>???';
const OTHER = "a-value-that-nothing-has-written-anywhere";

// What is planted here is no process of the run.
const { LEAK_COUNT_FILE: counts } = process.env;
beforeAll(() => {
  delete process.env["LEAK_COUNT_FILE"];
});
afterAll(() => {
  if (counts !== undefined) process.env["LEAK_COUNT_FILE"] = counts;
});

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "leak-search-"));
  noteCredential("VALUE", VALUE);
  noteCredential("OTHER", OTHER);
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function plant(name: string, content: string | Buffer): Promise<string> {
  await mkdir(dirname(join(directory, name)), { recursive: true });
  await writeFile(join(directory, name), content);
  return join(directory, name);
}

const search = async (texts: Record<string, string> = {}, shown: string[] = []): Promise<string> => {
  const complaint = searchWritten({ process: "it", texts, directories: [directory], shown }).catch(
    (error: Error) => error.message,
  );
  return (await complaint) ?? "";
};

describe("a planted credential is found", () => {
  test.each([
    ["plain", VALUE],
    ["as JSON", JSON.stringify({ a: VALUE })],
    ["percent-encoded", `https://x.example/?a=${encodeURIComponent(VALUE)}`],
    ["as a form field", new URLSearchParams({ a: VALUE }).toString()],
    ["hex", Buffer.from(VALUE).toString("hex")],
    ["base64", Buffer.from(VALUE).toString("base64")],
    ["base64 behind a user's name", Buffer.from(`me:${VALUE}`).toString("base64")],
    ["base64 behind a longer name", Buffer.from(`user:${VALUE}\n`).toString("base64")],
    ["base64url", Buffer.from(`x${VALUE}y`).toString("base64url")],
  ])("%s, in a stream and in a file", async (spelling, text) => {
    expect(await search({ stderr: `a line\nand ${text} in it` })).toMatch(
      /^credentials leaked, it: VALUE .* in stderr$/,
    );
    await plant("deep/in/a.log", `${"x".repeat(100_000)}${text}`);
    const complaint = await search({ stdout: "nothing" });
    expect(complaint).toContain(`VALUE (${spelling.split(" ")[0]}`);
    expect(complaint).toContain("in deep/in/a.log");
    expect(complaint).not.toContain(VALUE);
    expect(complaint).not.toContain("OTHER");
    expect(leaksIn({ page: text })).not.toEqual([]);
  });

  test("in a database, and in what its WAL alone has", async () => {
    const open = (name: string): DatabaseSync => {
      const database = new DatabaseSync(join(directory, name));
      database.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a TEXT)");
      database.prepare("INSERT INTO t VALUES (?)").run(VALUE);
      return database;
    };
    const running = open("running.sqlite");
    open("closed.sqlite").close();
    const complaint = await search();
    running.close();
    expect(complaint).toContain("in closed.sqlite");
    expect(complaint).toContain("in running.sqlite-wal");
  });

  test("in an answer", () => {
    expect(() => {
      searchAnswer("bridge_status", { content: [{ text: `is ${VALUE}` }] });
    }).toThrow("credentials leaked, bridge_status: VALUE (as JSON) in its answer");
    searchAnswer("bridge_status", { content: [] });
  });

  test.each(["stdout", "stderr"])("on %s of a process that support code has started", async (stream) => {
    const print = `process.${stream}.write("so it is ${token}.\\n")`;
    const command = [process.execPath, "-e", print, "--"];
    await expect(runDoor({ argv: ["audit", "tail"], command })).rejects.toThrow(
      `credentials leaked, audit tail: the token of the tests (plain) in ${stream}`,
    );
  });

  test("in the home and the state directory of a process, once it is stopped", async () => {
    const { CODEX_GPT_BRIDGE_HEADER_SECRET: given } = {
      CODEX_GPT_BRIDGE_HEADER_SECRET: `given-${"9".repeat(40)}`,
    };
    const script = `const { writeFileSync: write } = require("node:fs"); const { env } = process;
      write(env.HOME + "/notes", env.CODEX_GPT_BRIDGE_HEADER_SECRET);
      write(${JSON.stringify(join(directory, "kept.bin"))}, "\\0" + env.CODEX_GPT_BRIDGE_HEADER_SECRET);
      console.error("written"); setInterval(() => {}, 1000)`;
    const running = await startDoor({
      argv: ["serve", "--state-dir", directory],
      command: [process.execPath, "-e", script, "--"],
      env: { CODEX_GPT_BRIDGE_HEADER_SECRET: given },
    });
    await expect.poll(() => running.strayLines).toContain("written");
    const complaint = await running.stop().then(String, (error: Error) => error.message);
    expect(complaint).toContain("CODEX_GPT_BRIDGE_HEADER_SECRET (plain) in notes");
    expect(complaint).toContain("CODEX_GPT_BRIDGE_HEADER_SECRET (plain) in kept.bin");
  });
});

describe("what may stand where", () => {
  test("a text that the owner asked for is left out, and nothing else with it", async () => {
    expect(await search({ stdout: VALUE, stderr: "fine" }, ["stdout"])).toBe("");
    expect(await search({ stdout: VALUE, stderr: VALUE }, ["stdout"])).toContain("in stderr");
  });

  test("the file of kept secrets is left out only there, and only while it is private", async () => {
    const path = await plant("codex-gpt-bridge/secrets.json", VALUE);
    await chmod(path, 0o600);
    expect(await search()).toBe("");
    await chmod(path, 0o640);
    expect(await search()).toContain("in codex-gpt-bridge/secrets.json");
    await chmod(path, 0o600);
    await chmod(await plant("elsewhere/secrets.json", VALUE), 0o600);
    expect(await search()).toContain("in elsewhere/secrets.json");
  });

  test("nothing else is complained of", async () => {
    await plant("a.log", "a clean line");
    expect(await search({ stdout: "fine", stderr: "" })).toBe("");
  });
});

test("credentials are taken from arguments, the environment and the config file that they name", async () => {
  const [flag, joined, variable, inFile] = ["1", "2", "3", "4"].map((n) => n.repeat(40)) as [
    string,
    string,
    string,
    string,
  ];
  const config = await plant("config.toml", `port = 1\nheader_secret = "${inFile}"\n`);
  noteGiven(["serve", "--token", flag, `--oauth-passcode=${joined}`, "--config", config], {
    SOME_PROVIDER_KEY: variable,
    PATH: "/usr/bin:/a/longer/path",
  });
  const text = [flag, joined, variable, inFile, "/usr/bin:/a/longer/path"].join(" ");
  expect(leaksIn({ text }).map((line) => line.split(" ")[0])).toEqual([
    "header_secret",
    "SOME_PROVIDER_KEY",
    "--token",
    "--oauth-passcode",
  ]);
});
