import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Clock } from "../../src/lib/clock.ts";
import { createTally } from "../../src/workspace/scan-report.ts";
import { scanProject, type ScanOptions, type ScanReport } from "../../src/workspace/scan.ts";
import { asNobody, whyNobodyCannot } from "../support/nobody.ts";

let base = "";
let root = "";
let home = "";
/** Names are judged by the threads then, not by the main one. */
let readsContent = false;

beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), "scan-")));
  root = join(base, "users", "me", "project");
  home = join(base, "users", "me");
  mkdirSync(root, { recursive: true });
});

afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

function put(path: string, content: string | Buffer = "x\n"): string {
  const full = path.startsWith("/") ? path : join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, content);
  return full;
}

function scan(options: Partial<ScanOptions> = {}): Promise<ScanReport> {
  return scanProject(root, { deadlineMs: 10_000, home, content: readsContent, ...options });
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

const armour = (label: string, body: string): string =>
  ["-----BEGIN ", label, "-----\n", body, "\n-----END ", label, "-----\n"].join("");
const BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ".match(/.{1,64}/g)?.join("\n") ?? "";
const PRIVATE = armour(["RSA", "PRIVATE", "KEY"].join(" "), BODY);
const CERTIFICATE = armour("CERTIFICATE", BODY);

describe.each([
  { what: "names alone", reads: false },
  { what: "names and content", reads: true },
])("scanProject, $what", ({ reads }) => {
  beforeEach(() => {
    readsContent = reads;
  });

  it("finds nothing in a project without secrets", async () => {
    put("src/index.ts");
    put("README.md");
    put("a/b/c/package.json", "{}");
    const report = await scan();
    expect(report).toMatchObject({
      findings: [],
      complete: true,
      incompleteReason: null,
      files: 3,
      directories: 5,
    });
  });

  it("looks below the root everywhere, also where build tools and git write", async () => {
    const places = [
      "",
      "dist/",
      ".next/",
      "coverage/",
      "node_modules/pkg/",
      ".git/",
      ".git/objects/info/",
      ".turbo/",
      "a/b/c/d/e/f/g/",
    ];
    for (const place of places) put(`${place}.env`, "TOKEN=1234\n");
    expect(Object.keys(await verdicts())).toEqual(places.map((place) => `${place}.env`).toSorted());
  });

  it("does not judge directories by their names", async () => {
    put("certs.key/readme.md");
    put(".env/bin/python");
    put("keys.pem/notes.txt");
    expect(await verdicts()).toEqual({});
  });

  it.each<[string, string, string | Buffer, string | undefined]>([
    ["a dotenv file with a value", ".env", "A=1\n", "block dotenv (name)"],
    ["a dotenv file that cannot be parsed", ".env", "%$#\n", "block dotenv (name)"],
    ["a dotenv file with a multi-line value", ".env", `K="\n${PRIVATE}"`, "block dotenv (name)"],
    ["a dotenv file without values", ".env", "# nothing\nA=\nB=${B}\nC=<token>\n", "warn dotenv (name)"],
    ["an empty dotenv file", ".env.local", "", "warn dotenv (name)"],
    ["a dotenv file in UTF-16", ".env", Buffer.from("\ufeffA=secret\r\n", "utf16le"), "block dotenv (name)"],
    ["an encrypted dotenv file", ".env", 'A="encrypted:BDb7t3QkTR2VVBuKFWzA=="\n', "warn dotenv (name)"],
    [
      "an .envrc with an exported value",
      ".envrc",
      "use flake\nexport TOKEN=1234abcd\n",
      "block dotenv (name)",
    ],
    ["an .envrc that only loads a shell", ".envrc", "use flake\nPATH_add bin\nexport A=$PWD/a\n", undefined],
    ["a private key", "server.pem", PRIVATE, "block private-key (name)"],
    ["a certificate", "server.pem", CERTIFICATE, undefined],
    ["a bundle of certificates beyond 64 KiB", "ca.pem", CERTIFICATE.repeat(900), undefined],
    [
      "a bundle with a private key at its end",
      "ca.pem",
      CERTIFICATE.repeat(900) + PRIVATE,
      "block private-key (name)",
    ],
    ["a public key", "jwt.pem", armour("PUBLIC KEY", BODY), undefined],
    ["a PEM file of nothing known", "odd.pem", "x", "block private-key (name)"],
    ["translations", "en.key", "hello = Hello\nbye = Good bye\n", undefined],
    ["a Keynote file", "talk.key", Buffer.from("PK\u0003\u0004\u0014\u0000", "latin1"), undefined],
    ["a binary key", "aes.key", Buffer.from("8f01a2ff9900c3e4", "hex"), "block private-key (name)"],
    ["a hexadecimal key", "master.key", `${"0f1e2d3c4b5a".repeat(3)}\n`, "block private-key (name)"],
    [
      "an .npmrc with a token",
      ".npmrc",
      ["//npm.corp.dev/:_authToken=", "npm", "_", "a1B2c3".repeat(6), "\n"].join(""),
      "block package-credentials (name)",
    ],
    [
      "an .npmrc with a variable",
      ".npmrc",
      "//npm.corp.dev/:_authToken=${NPM_TOKEN}\nsave-exact=true\n",
      undefined,
    ],
    ["an empty credentials file", "credentials.json", "{}", undefined],
    [
      "a service account",
      "service-account.json",
      JSON.stringify({ private_key: PRIVATE }),
      "block cloud-credentials (name)",
    ],
    ["design tokens", "tokens.json", '{"color":{"value":"#fff"}}', undefined],
    ["variables without secrets", "prod.tfvars", 'region = "eu-west-1"\n', undefined],
    [
      "variables with a password",
      "prod.tfvars",
      'db_password = "hunter22"\n',
      "block infrastructure-state (name)",
    ],
    [
      "git's configuration with a password",
      ".git/config",
      ['[remote "o"]\n\turl = https:', "//me:hunter22", "@host/x.git\n"].join(""),
      "block tool-credentials (name)",
    ],
    ["git's usual configuration", ".git/config", '[remote "o"]\n\turl = git@github.com:a/b.git\n', undefined],
    [
      "Docker's configuration with a helper",
      ".docker/config.json",
      '{"credsStore":"desktop","auths":{"x":{}}}',
      undefined,
    ],
    [
      "Docker's configuration with a login",
      ".docker/config.json",
      `{"auths":{"x":{"auth":"${"dXNlcjpwYXNz".repeat(2)}"}}}`,
      "block tool-credentials (name)",
    ],
    ["a key store", "release.p12", "x", "block key-store (name)"],
    ["a template", ".env.example", "TOKEN=your-token\n", undefined],
    [
      "a Kubernetes secret",
      "secret.yaml",
      "kind: Secret\ndata:\n  a: aHVudGVyMg==\n",
      "block tool-credentials (name)",
    ],
    ["a chart's template of one", "secret.yaml", "kind: Secret\ndata:\n  a: {{ .Values.a }}\n", undefined],
    ["a test key of a dependency", "node_modules/a/test/k.pem", PRIVATE, "warn private-key (name)"],
  ])("judges %s by its first bytes", async (_what, path, content, verdict) => {
    put(path, content);
    expect((await verdicts())[path]).toBe(verdict);
  });

  it("judges a name that is no valid UTF-8 as what it looks like", async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${root}/.env`), Buffer.from([0xff])]), "A=1\n");
    mkdirSync(Buffer.concat([Buffer.from(`${root}/dir`), Buffer.from([0xfe])]));
    writeFileSync(
      Buffer.concat([Buffer.from(`${root}/dir`), Buffer.from([0xfe]), Buffer.from("/id_rsa")]),
      "k\n",
    );
    expect(await verdicts()).toEqual({
      ".env\ufffd": "block dotenv (name)",
      "dir\ufffd/id_rsa": "block private-key (name)",
    });
  });

  it("finds files in directories with names of other scripts", async () => {
    put("日本/ключи/.env", "A=1\n");
    expect(await verdicts()).toEqual({ "日本/ключи/.env": "block dotenv (name)" });
  });

  it("lists every finding, sorted, not only the first", async () => {
    for (let index = 0; index < 250; index++) put(`d${String(index).padStart(3, "0")}/.env`, "A=1\n");
    const { findings } = await scan();
    expect(findings).toHaveLength(250);
    expect(findings.map((finding) => finding.path)).toEqual(
      findings.map((finding) => finding.path).toSorted(),
    );
  });

  it("gives up, incomplete, where there are too many findings to list", () => {
    const causes: string[] = [];
    const tally = createTally((cause) => causes.push(cause));
    for (let index = 0; index <= 10_000; index++) {
      tally.add({ path: `${index}.p12`, kind: "key-store", verdict: "block", reason: "name" });
    }
    expect(causes).toEqual(["more than 10000 findings"]);
  });

  it("counts the warnings that it does not list", () => {
    const tally = createTally(() => undefined);
    for (let index = 0; index < 1_500; index++) {
      tally.add({ path: `${index}.dump`, kind: "database", verdict: "warn", reason: "name" });
    }
    const report = tally.report(null, 1);
    expect([report.findings.length, report.unlistedWarnings, report.complete]).toEqual([1_000, 500, true]);
  });

  describe("never waits", () => {
    it("for a pipe, a socket or a device with a secret's name, which are findings as they are", async () => {
      execFileSync("mkfifo", [join(root, ".env"), join(root, "pipe.txt")]);
      const server = createServer().listen(join(root, "id_rsa"));
      await new Promise((resolve) => server.once("listening", resolve));
      spawnSync("mknod", [join(root, "server.key"), "c", "1", "5"]);
      const found = await verdicts();
      server.close();
      expect(found[".env"]).toBe("block dotenv (name)");
      expect(found["id_rsa"]).toBe("block private-key (name)");
    });

    it("for a pipe behind a link", async () => {
      execFileSync("mkfifo", [join(root, "pipe"), join(base, "outside")]);
      symlinkSync("pipe", join(root, ".env"));
      symlinkSync(join(base, "outside"), join(root, ".npmrc"));
      expect(await verdicts()).toEqual({
        ".env": "block dotenv (name)",
        ".npmrc": "block package-credentials (link)",
      });
    });

    it("for a file of a terabyte", async () => {
      truncateSync(put("server.pem", CERTIFICATE), 2 ** 40);
      truncateSync(put(".env", "A=\n"), 2 ** 40);
      expect(Object.keys(await verdicts())).toEqual([".env", "server.pem"]);
    });
  });

  describe("is incomplete", () => {
    it("where a directory cannot be read", async ({ skip }) => {
      skip(whyNobodyCannot !== null, whyNobodyCannot ?? "");
      put("locked/.env", "A=1\n");
      chmodSync(join(root, "locked"), 0o000);
      for (const path of [base, dirname(home), home, root]) chmodSync(path, 0o755);
      const module = new URL("../../src/workspace/scan.ts", import.meta.url).href;
      const script = `const {scanProject} = await import(${JSON.stringify(module)});
        console.log(JSON.stringify(await scanProject(${JSON.stringify(root)}, {deadlineMs: 15000, home: "/nowhere", content: ${readsContent}})));`;
      const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
        encoding: "utf8",
        ...asNobody,
      });
      chmodSync(join(root, "locked"), 0o755);
      const report = JSON.parse(run.stdout) as ScanReport;
      expect(report.complete).toBe(false);
      expect(report.incompleteReason).toContain('"locked" cannot be read: EACCES');
    });

    it("where the tree is deeper than a path can say", async () => {
      const dig = `for (let i = 0; i < 25; i++) { fs.mkdirSync("d".repeat(200)); process.chdir("d".repeat(200)); } fs.writeFileSync(".env", "A=1\\n");`;
      execFileSync(process.execPath, ["-e", dig], { cwd: root });
      const report = await scan();
      expect(report.complete).toBe(false);
      expect(report.incompleteReason).toContain("ENAMETOOLONG");
      execFileSync("rm", ["-rf", root]);
    });

    it("where the root is missing, or is a file", async () => {
      expect((await scanProject(join(root, "nowhere"), { deadlineMs: 1000, content: reads })).complete).toBe(
        false,
      );
      expect((await scanProject(put("file.txt"), { deadlineMs: 1000, content: reads })).complete).toBe(false);
    });

    it("when time is up, and says so", async () => {
      let time = 0;
      const clock: Clock = { now: () => 0, monotonic: () => (time += 40), after: () => () => undefined };
      for (let index = 0; index < 50; index++) put(`d${index}/a.txt`);
      const report = await scan({ clock, deadlineMs: 100 });
      expect(report).toMatchObject({ complete: false, incompleteReason: "not finished within 100 ms" });
    });

    it("when the timer rings while a listing hangs", async () => {
      const clock: Clock = {
        now: () => 0,
        monotonic: () => 0,
        after: (_delay, ring) => {
          ring();
          return () => undefined;
        },
      };
      expect((await scan({ clock })).complete).toBe(false);
    });

    it("when the caller gives up", async () => {
      put("a.txt");
      expect(await scan({ signal: AbortSignal.abort() })).toMatchObject({
        complete: false,
        incompleteReason: "cancelled",
      });
    });
  });

  describe("follows a link to judge it", () => {
    const outside = (path: string, content = "x\n"): string =>
      put(join(base, "users", "other", path), content);

    it("inside the project by where it leads", async () => {
      put("plain.txt", "A=1\n");
      put("src/code.ts");
      symlinkSync("../plain.txt", join(root, "src", ".env"));
      symlinkSync("src", join(root, "secret-dir.pem"));
      symlinkSync("src/code.ts", join(root, "code.ts"));
      expect(await verdicts()).toEqual({ "src/.env": "block dotenv (name)" });
    });

    it("and blocks what leads to a secret outside", async () => {
      symlinkSync(outside(".env", "A=1\n"), join(root, "notes.txt"));
      symlinkSync(outside("keys/server.pem", PRIVATE), join(root, "cert"));
      expect(await verdicts()).toEqual({
        "notes.txt": "block dotenv (link)",
        cert: "block private-key (link)",
      });
    });

    it("and blocks what leads to the home directory, above it, or to where keys live", async () => {
      put(join(home, ".ssh", "config"));
      put(join(home, ".aws", "cli", "cache.json"));
      symlinkSync(home, join(root, "home"));
      symlinkSync("/", join(root, "all"));
      symlinkSync(dirname(home), join(root, "users"));
      symlinkSync(join(home, ".ssh"), join(root, "ssh"));
      symlinkSync(join(home, ".aws", "cli", "cache.json"), join(root, "cache"));
      symlinkSync("/proc/self/environ", join(root, "environ"));
      const found = await verdicts();
      expect([...new Set(Object.values(found))]).toEqual(["block link (link)"]);
      expect(Object.keys(found)).toHaveLength(6);
    });

    it("and blocks a directory outside with a secret in it", async () => {
      outside("neighbour/.env", "A=1\n");
      symlinkSync(join(base, "users", "other", "neighbour"), join(root, "neighbour"));
      expect(await verdicts()).toEqual({ neighbour: "block dotenv (link)" });
    });

    it("and only warns of clean targets outside, and of links to nothing outside", async () => {
      symlinkSync(outside("lib/a.txt"), join(root, "a.txt"));
      symlinkSync(join(base, "users", "other", "lib"), join(root, "lib"));
      symlinkSync(join(base, "users", "other", ".env"), join(root, "later"));
      symlinkSync("nothing", join(root, ".env"));
      symlinkSync("loop", join(root, "loop"));
      expect(await verdicts()).toEqual({
        "a.txt": "warn link (link)",
        lib: "warn link (link)",
        later: "warn link (link)",
      });
    });

    it("through another link", async () => {
      put(join(home, ".ssh", "id_rsa"));
      symlinkSync(join(home, ".ssh"), join(base, "innocent"));
      symlinkSync(join(base, "innocent", "id_rsa"), join(root, "x"));
      expect(await verdicts()).toEqual({ x: "block link (link)" });
    });

    it("when the root itself is reached through a link", async () => {
      put(".env", "A=1\n");
      symlinkSync("src", join(root, "in"));
      put("src/a.ts");
      symlinkSync(root, join(base, "alias"));
      const report = await scanProject(join(base, "alias"), { deadlineMs: 15_000, home, content: reads });
      expect(report.findings.map((finding) => finding.path)).toEqual([".env"]);
    });
  });

  describe("has a generation", () => {
    it("that stays while the findings stay, and changes with them and with the root", async () => {
      put("src/a.ts");
      const first = await scan();
      put("src/b.ts");
      const second = await scan();
      expect(second.generation).toBe(first.generation);
      put("src/.env", "A=1\n");
      const third = await scan();
      expect(third.generation).not.toBe(first.generation);
      renameSync(join(root, "src", ".env"), join(root, ".env"));
      expect((await scan()).generation).not.toBe(third.generation);
      rmSync(join(root, ".env"));
      expect((await scan()).generation).toBe(first.generation);
      renameSync(root, `${root}-old`);
      mkdirSync(join(root, "src"), { recursive: true });
      expect((await scan()).generation).not.toBe(first.generation);
    });
  });

  it("survives a tree that changes under it", async () => {
    for (let index = 0; index < 200; index++) put(`d${index}/e/f.ts`);
    put("secret/.env", "A=1\n");
    const noise = (async (): Promise<void> => {
      for (let index = 0; index < 200; index++) {
        rmSync(join(root, `d${index}`), { recursive: true, force: true });
        symlinkSync("secret", join(root, `d${index}`));
        if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const report = await scan();
    await noise;
    expect(report.complete).toBe(true);
    expect(report.findings.map((finding) => finding.path)).toContain("secret/.env");
  });

  it("keeps the name's verdict of a file that it may not read", async () => {
    chmodSync(put(".npmrc", "save-exact=true\n"), 0o000);
    linkSync(join(root, ".npmrc"), join(root, "twin"));
    if (process.getuid?.() === 0) chownSync(join(root, ".npmrc"), 0, 0);
    expect((await scan()).complete).toBe(true);
  });
});
