import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createContentCache,
  fingerprintOf,
  isEmptyCache,
  isRemembered,
} from "../../src/workspace/content-cache.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { listDirectory, steadyDevice, type KnownListing } from "../../src/workspace/content-directory.ts";
import { forgetCleanFiles } from "../../src/workspace/content-scanner.ts";
import { createDirectoryMemory } from "../../src/workspace/directory-memory.ts";
import { scanProject, type ScanOptions, type ScanReport } from "../../src/workspace/scan.ts";
import { asNobody, whyNobodyCannot } from "../support/nobody.ts";
import { FAKE_SECRETS } from "../support/secret-corpus.ts";

let root = "";

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "content-")));
  forgetCleanFiles();
});

afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function put(path: string, content: string | Buffer): string {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, content);
  return full;
}

function fake(name: string): string {
  const make = FAKE_SECRETS[name];
  if (make === undefined) throw new Error(`no fake secret is called ${name}`);
  return make();
}

function scan(options: Partial<ScanOptions> = {}): Promise<ScanReport> {
  return scanProject(root, { deadlineMs: 10_000, home: "/nowhere", content: true, ...options });
}

async function verdicts(): Promise<Record<string, string>> {
  const report = await scan();
  expect(report.incompleteReason).toBe(null);
  return Object.fromEntries(
    report.findings.map((finding) => [
      finding.path,
      `${finding.verdict} ${finding.kind} (${finding.reason})`,
    ]),
  );
}

describe("the memory of clean files", () => {
  const file = { dev: 1, ino: 2, size: 3, mtimeMs: 1_700_000_000_000.25, ctimeMs: 1_700_000_000_001.5 };
  const fingerprint = (words: Int32Array, state: typeof file): Int32Array => {
    const into = new Int32Array(2);
    fingerprintOf(words, state, into);
    return into;
  };

  it("knows a file again until anything about it changes", () => {
    const { words, add } = createContentCache(64);
    expect(isEmptyCache(words)).toBe(true);
    add(fingerprint(words, file));
    expect(isEmptyCache(words)).toBe(false);
    expect(isRemembered(words, fingerprint(words, file))).toBe(true);
    for (const part of ["dev", "ino", "size", "mtimeMs", "ctimeMs"] as const) {
      expect(isRemembered(words, fingerprint(words, { ...file, [part]: file[part] + 1 }))).toBe(false);
    }
    expect(isRemembered(words, fingerprint(words, { ...file, ctimeMs: file.ctimeMs + 0.25 }))).toBe(false);
  });

  it("forgets all when it is full, and goes on", () => {
    const { words, add } = createContentCache(64);
    for (let ino = 0; ino < 1_000; ino++) add(fingerprint(words, { ...file, ino }));
    expect(isRemembered(words, fingerprint(words, { ...file, ino: 999 }))).toBe(true);
    expect(isRemembered(words, fingerprint(words, { ...file, ino: 0 }))).toBe(false);
  });
});

describe("the memory of directories", () => {
  const listing = (readable: string): KnownListing => ({
    directories: "",
    readable,
    files: 1,
    isRead: true,
    fingerprint: [1, 2],
  });

  it("keeps the newest listing, and forgets all when it is full", () => {
    const memory = createDirectoryMemory(1_000);
    memory.learn("/a", listing("old"));
    memory.learn("/a", listing("new"));
    expect(memory.recall("/a")).toEqual(listing("new"));
    expect(memory.recall("/b")).toBe(null);
    for (let index = 0; index < 4; index++) memory.learn(`/b${index}`, listing("x"));
    expect([memory.recall("/a"), memory.recall("/b3")]).toEqual([null, listing("x")]);
  });
});

describe("scanProject with content", () => {
  it("finds a secret in a file with an innocent name, and only then", async () => {
    put("src/a.ts", `const key = "${fake("GitHub personal token")}";\n`);
    put("src/b.ts", "const key = process.env.KEY;\n");
    expect(await verdicts()).toEqual({ "src/a.ts": "block github (content)" });
    expect((await scan({ content: false })).findings).toEqual([]);
  });

  it("reads UTF-16 with and without a mark", async () => {
    const text = `the key is ${fake("Anthropic key")}\r\n`.repeat(3);
    put("le.txt", Buffer.from(`\ufeff${text}`, "utf16le"));
    put("be.txt", Buffer.from(`\ufeff${text}`, "utf16le").swap16());
    put("bare.txt", Buffer.from(text, "utf16le"));
    expect(Object.values(await verdicts())).toEqual(
      Array.from({ length: 3 }, () => "block anthropic (content)"),
    );
  });

  it("finds a secret that two reads share, and one near the end of a very long file", async () => {
    const secret = fake("Stripe live key");
    const mebibyte = "a line of text, and nothing more\n".repeat(32_768);
    const border = 2 ** 20 + 16 * 1024;
    put("border.txt", `${mebibyte.slice(0, 2 ** 20 - 12)} ${secret}\n${mebibyte}`);
    put("second-border.txt", `${mebibyte}${mebibyte.slice(0, border - 2 ** 20 + 4)} ${secret}\n${mebibyte}`);
    put("deep.txt", `${mebibyte.repeat(9)}${secret}\n${mebibyte}`);
    const long = put("end.log", mebibyte);
    for (let index = 0; index < 20; index++) appendFileSync(long, mebibyte);
    appendFileSync(long, `${secret}\n`);
    expect(Object.values(await verdicts())).toEqual(
      Array.from({ length: 4 }, () => "block stripe (content)"),
    );
  }, 60_000);

  it("tells of the values in the whole of a long file, though its beginning is enough to block it", async () => {
    const mebibyte = "a line of text, and nothing more\n".repeat(32_768);
    const [middle, last] = ["k7Wq-Zr93-mTx1-pLd8", "v9Kd02mZqLw47tRb"];
    put(
      "long.txt",
      `${fake("AWS access key id")}\n${mebibyte}db_password = "${middle}"\n${mebibyte.repeat(2)}api_secret = "${last}"\n${fake("Stripe live key")}\n`,
    );
    const values = new Set<string>();
    const { findings } = await scan({ onSecret: (value) => values.add(value) });
    expect(findings).toEqual([{ path: "long.txt", kind: "aws", verdict: "block", reason: "content" }]);
    expect([...values]).toEqual(expect.arrayContaining([middle, last]));
  });

  it("reads no more of blocked files than a project full of them may cost", async () => {
    const mebibyte = "a line of text, and nothing more\n".repeat(32_768);
    const tail = (n: number): string => `db_password = "k7Wq-Zr93-mTx1-${n}"\n`;
    for (let n = 0; n < 7; n++) {
      const path = put(`long-${n}.txt`, `${fake("AWS access key id")}\n`);
      for (let more = 0; more < 12; more++) appendFileSync(path, mebibyte);
      appendFileSync(path, tail(n));
    }
    const values = new Set<string>();
    const report = await scan({ onSecret: (value) => values.add(value), deadlineMs: 60_000 });
    expect(report).toMatchObject({ complete: true, findings: { length: 7 } });
    const tails = [...values].filter((value) => value.startsWith("k7Wq-"));
    expect(tails.length).toBeGreaterThan(2);
    expect(tails.length).toBeLessThan(7);
  }, 60_000);

  it("finds a private key that two reads share", async () => {
    const padding = "text and more text\n".repeat(60_000).slice(0, 2 ** 20 - 700);
    put("notes.txt", `${padding}\n${fake("RSA private key")}`);
    expect(await verdicts()).toEqual({ "notes.txt": "block private-key (content)" });
  });

  it("does not read what registries gave and what git packed, but judges names there", async () => {
    const token = fake("npm token");
    put("node_modules/a/index.js", token);
    put("packages/b/node_modules/c/index.js", token);
    put(".git/objects/ab/cdef", token);
    put("node_modules/a/.env", "A=1\n");
    put(".git/notes", token);
    put(".venv/lib/python3.13/site-packages/x/y.py", `T = "${token}"\n`);
    expect(await verdicts()).toEqual({
      ".git/notes": "block npm (content)",
      "node_modules/a/.env": "block dotenv (name)",
      ".venv/lib/python3.13/site-packages/x/y.py": "warn npm (content)",
    });
  });

  it("blocks the other names of a blocked file", async () => {
    linkSync(put(".env", "A=hunter22\n"), join(root, "innocent.txt"));
    linkSync(put("plain.txt", "nothing\n"), join(root, "plain-too.txt"));
    expect(await verdicts()).toEqual({ ".env": "block dotenv (name)", "innocent.txt": "block link (link)" });
  });

  it("reports one finding for a file, the worst", async () => {
    put("notes.md", `${fake("Stripe live key").replace("_live_", "_test_")}\n${fake("AWS access key id")}\n`);
    put(".env.example", `A=${fake("AWS access key id")}\n`);
    expect(await verdicts()).toEqual({
      "notes.md": "block aws (content)",
      ".env.example": "block aws (content)",
    });
  });

  it("finds a token in a template also without reading all content", async () => {
    put(".env.example", `A=${fake("AWS access key id")}\n`);
    expect((await scan({ content: false })).findings).toMatchObject([{ path: ".env.example", kind: "aws" }]);
  });

  it("reads a clean file outside that a link leads to", async () => {
    const outside = realpathSync(mkdtempSync(join(tmpdir(), "outside-")));
    writeFileSync(join(outside, "notes.txt"), fake("SendGrid key"));
    symlinkSync(join(outside, "notes.txt"), join(root, "notes"));
    expect(await verdicts()).toEqual({ notes: "block sendgrid (link)" });
    rmSync(outside, { recursive: true });
  });

  it("never waits for pipes and devices, and reads only a part of a file with holes", async () => {
    execFileSync("mkfifo", [join(root, "pipe.txt")]);
    spawnSync("mknod", [join(root, "zero.txt"), "c", "1", "5"]);
    truncateSync(put("sparse.img", fake("Slack bot token")), 2 ** 40);
    expect(await verdicts()).toEqual({ "sparse.img": "block slack (content)" });
  });

  it("reads names in no valid encoding", async () => {
    writeFileSync(
      Buffer.concat([Buffer.from(`${root}/x`), Buffer.from([0xff, 0xfe])]),
      fake("Telegram bot token"),
    );
    mkdirSync(join(root, "日本"));
    writeFileSync(join(root, "日本", "鍵.txt"), fake("Vault token"));
    expect(await verdicts()).toEqual({
      "x\ufffd\ufffd": "block telegram (content)",
      "日本/鍵.txt": "block hashicorp (content)",
    });
  });

  it("is incomplete where the user may not read his own file", async ({ skip }) => {
    skip(whyNobodyCannot !== null, whyNobodyCannot ?? "");
    chmodSync(put("locked.txt", "x"), 0o000);
    chmodSync(root, 0o755);
    const module = new URL("../../src/workspace/scan.ts", import.meta.url).href;
    if (asNobody.uid !== undefined) execFileSync("chown", [String(asNobody.uid), join(root, "locked.txt")]);
    const script = `const {scanProject} = await import(${JSON.stringify(module)});
      console.log(JSON.stringify(await scanProject(${JSON.stringify(root)}, {deadlineMs: 15000, home: "/nowhere", content: true})));`;
    const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      ...asNobody,
    });
    const report = JSON.parse(run.stdout) as ScanReport;
    expect(report).toMatchObject({
      complete: false,
      incompleteReason: '"locked.txt" cannot be read: EACCES',
    });
  });

  it("is incomplete when time is up, although the timer is late", async () => {
    let time = 0;
    const clock: Clock = { now: () => 0, monotonic: () => (time += 40), after: () => () => undefined };
    for (let index = 0; index < 50; index++) put(`d${index}/a.txt`, "text\n");
    const report = await scan({ clock, deadlineMs: 100 });
    expect(report).toMatchObject({ complete: false, incompleteReason: "not finished within 100 ms" });
  });

  it("is incomplete when time is up, and can be asked again at once", async () => {
    for (let index = 0; index < 300; index++) put(`d${index}/a.txt`, "text\n".repeat(2_000));
    const first = await scan({ deadlineMs: 1 });
    expect(first.complete).toBe(false);
    expect((await scan()).complete).toBe(true);
  });

  it("remembers clean files, but none that changed, whatever its times and size say", async () => {
    const path = put("src/a.txt", "x".repeat(400));
    put("src/b.txt", "y".repeat(400));
    utimesSync(path, 1_700_000_000, 1_700_000_000);
    await sleep(2_300);
    expect((await scan()).findings).toEqual([]);
    expect((await scan()).findings).toEqual([]);
    writeFileSync(path, fake("GitLab personal token").padEnd(400, " "));
    utimesSync(path, 1_700_000_000, 1_700_000_000);
    expect(statSync(path)).toMatchObject({ size: 400, mtimeMs: 1_700_000_000_000 });
    expect(await verdicts()).toEqual({ "src/a.txt": "block gitlab (content)" });
  });

  it("knows an unchanged directory again, and looks at each that changed", async () => {
    const file = put("src/deep/a.txt", "x".repeat(400));
    put("src/other/b.txt", "y");
    put("src/node_modules/c/index.js", fake("npm token"));
    await sleep(2_300);
    const clean = await scan();
    expect(await scan()).toMatchObject({
      complete: true,
      files: clean.files,
      directories: clean.directories,
      findings: [],
    });
    put("src/deep/new.txt", fake("npm token"));
    put("src/other/.env", "A=hunter22\n");
    put("src/node_modules/c/.env", "A=hunter22\n");
    symlinkSync("/etc/shadow", join(root, "src", "link"));
    const times = [1_700_000_000, 1_700_000_000] as const;
    for (const place of ["src", "src/deep", "src/other", "src/node_modules/c"])
      utimesSync(join(root, place), ...times);
    expect(Object.keys(await verdicts())).toEqual([
      "src/deep/new.txt",
      "src/link",
      "src/node_modules/c/.env",
      "src/other/.env",
    ]);
    rmSync(file);
    for (const name of ["src/deep/new.txt", "src/link", "src/node_modules/c/.env", "src/other/.env"])
      rmSync(join(root, name));
    expect(await scan()).toMatchObject({ complete: true, files: clean.files - 1, findings: [] });
  }, 30_000);

  it("reads files of a package only when the package is the project", async () => {
    put("node_modules/a/index.js", fake("npm token"));
    await sleep(2_300);
    expect(await verdicts()).toEqual({});
    const own = await scanProject(join(root, "node_modules", "a"), {
      deadlineMs: 10_000,
      home: "/nowhere",
      content: true,
    });
    expect(own.findings).toMatchObject([{ path: "index.js", kind: "npm", verdict: "block" }]);
    expect(await verdicts()).toEqual({});
  }, 30_000);

  it("reads all of a directory with very many files", async () => {
    for (let index = 0; index < 1_700; index++)
      put(`many/${index}.txt`, index % 500 === 499 ? fake("Linear key") : "text\n");
    const report = await scan();
    expect([report.files, report.directories, report.findings.length]).toEqual([1_700, 2, 3]);
  });

  it("says the same with and without content of names, and counts the same", async () => {
    put(".env", "A=hunter22\n");
    put("a/b/id_rsa", fake("RSA private key"));
    put("a/c/plain.ts", "x");
    symlinkSync(join(root, "a"), join(root, "loop"));
    const [names, both] = [await scan({ content: false }), await scan()];
    expect([both.findings, both.files, both.directories]).toEqual([
      names.findings,
      names.files,
      names.directories,
    ]);
  });

  it("serves several scans at once", async () => {
    for (let index = 0; index < 100; index++)
      put(`d${index}/a.txt`, index === 42 ? fake("Linear key") : "text\n");
    const reports = await Promise.all(Array.from({ length: 6 }, () => scan()));
    expect(reports.map(({ findings }) => findings.length)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(new Set(reports.map(({ generation }) => generation)).size).toBe(1);
  });

  it("lets a process end that only waited for it", () => {
    put("a.txt", "text\n");
    const module = new URL("../../src/workspace/scan.ts", import.meta.url).href;
    const script = `const {scanProject} = await import(${JSON.stringify(module)});
      const report = await scanProject(${JSON.stringify(root)}, {deadlineMs: 15000, content: true}); console.log(report.files);`;
    const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      timeout: 18_000,
    });
    expect([run.stdout, run.status]).toEqual(["1\n", 0]);
  });
});

it("knows directories again on a local disk of Linux alone", async () => {
  put("a/file.txt", "x");
  const { words } = createContentCache();
  const later = Date.now() + 60_000;
  const list = (known: KnownListing | null, steady: number | null) =>
    listDirectory(join(root, "a"), true, known, words, steady, later);
  const { dev } = statSync(root);
  expect(list(null, null).learned).toBe(null);
  expect(list(null, dev + 1).learned).toBe(null);
  const { learned } = list(null, dev);
  expect(learned).toMatchObject({ readable: "file.txt", files: 1 });
  const changed = learned === null ? null : { ...learned, readable: "another.txt" };
  expect(list(changed, dev).readable).toEqual(["another.txt"]); // known, so not looked at
  expect(list(changed, null).readable).toEqual(["file.txt"]);
  expect(steadyDevice("/proc")).toBe(null);
  expect(steadyDevice("/nowhere/at/all")).toBe(null);
});
