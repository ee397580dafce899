/** The doctor as its owner runs it: the real door, the real Codex, beside a running bridge and without one. */
import { once } from "node:events";
import { chmod, readdir, readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { say } from "../../src/demo/scripted-model/steps.ts";
import { checks } from "../../src/doctor/checks.ts";
import { parsePrometheus } from "../support/prometheus-text.ts";
import { runDoor, startBridge, token, type Ended } from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  type ScratchCodexHome,
  type ScratchProject,
} from "../support/scripted-codex.ts";

interface Report {
  readonly ok: boolean;
  readonly checks: readonly {
    readonly name: string;
    readonly status: "ok" | "warning" | "failed" | "skipped";
    readonly reason: string;
    readonly next: string | null;
    readonly elapsedMs: number;
  }[];
}

let model: ScriptedModel;
let home: ScratchCodexHome;
let project: ScratchProject;
let free: string;

beforeAll(async () => {
  model = await startScriptedModel();
  home = await createCodexHome({ modelUrl: model.url });
  project = await createProject({ "readme.txt": "hello\n" });
  free = await freePort();
});

afterAll(async () => {
  await model.close();
  await home.dispose();
  await project.dispose();
});

interface DoctorOptions {
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly codex?: string | null;
  readonly port?: string;
}

async function doctor(options: DoctorOptions = {}): Promise<Ended> {
  const { flags = [], env = {}, codex = codexBinaries["0.169.0"], port = free } = options;
  const own = codex === null ? [] : ["--codex", codex];
  return runDoor({
    argv: ["doctor", "--root", project.path, "--port", port, ...own, ...flags],
    env: { CODEX_HOME: home.path, ...env },
  });
}

async function report(options: DoctorOptions = {}): Promise<{ ended: Ended; report: Report }> {
  const ended = await doctor({ ...options, flags: [...(options.flags ?? []), "--json"] });
  return { ended, report: JSON.parse(ended.stdout) as Report };
}

function find({ checks: found }: Report, name: string): Report["checks"][number] {
  const check = found.find((candidate) => candidate.name === name);
  if (check === undefined) throw new Error(`there is no check ${name}`);
  return check;
}

function statuses({ checks: found }: Report): Record<string, string> {
  return Object.fromEntries(found.map(({ name, status }) => [name, status]));
}

describe("beside a running bridge", () => {
  const versions = Object.entries(codexBinaries);
  test.each(versions)("every link is looked at, with Codex %s", async (version, codex) => {
    const stateDir = join(home.path, `state-${version}`);
    const bridge = await startBridge({ codex, codexHome: home.path, roots: [project.path], stateDir });
    try {
      const port = new URL(bridge.url).port;
      const flags = ["--state-dir", stateDir];
      const env = { CODEX_GPT_BRIDGE_TOKEN: token };
      const { ended, report: found } = await report({ codex, port, flags, env });
      expect(found.checks.map(({ name }) => name)).toEqual(checks.map(({ name }) => name));
      const bad = found.checks.filter(({ status }) => status === "failed");
      expect(bad).toEqual([]);
      expect({ exitCode: ended.exitCode, ok: found.ok, stderr: ended.stderr }).toEqual({
        exitCode: 0,
        ok: true,
        stderr: "",
      });
      expect(statuses(found)).toMatchObject({
        node: "ok",
        config: "ok",
        projects: "ok",
        state_dir: "ok",
        codex: "ok",
        backend: "ok",
        confinement: "ok",
        port: "ok",
        readiness: "ok",
        http_guard: "ok",
        token: "ok",
        chatgpt_sequence: "ok",
      });
      expect(find(found, "codex").reason).toContain(version);
      expect(find(found, "state_dir").reason).toContain("a bridge works on it");
      expect(find(found, "confinement").reason).toContain("proven");
      expect(ended.stdout).not.toContain(token);
      // The bridge goes on as if nobody had looked.
      const caller = await bridge.connect();
      model.script("still there?", [say("Yes.")]);
      const answer = await caller.finish("codex_read", { prompt: "still there?" });
      expect(answer.content.answer).toBe("Yes.");
      await caller.close();
    } finally {
      await bridge.stop();
    }
  });

  test("a token that the bridge was not started with is named, and not shown", async () => {
    const stateDir = join(home.path, "state-other-token");
    const bridge = await startBridge({
      codex: codexBinaries["0.169.0"],
      codexHome: home.path,
      roots: [project.path],
      stateDir,
    });
    try {
      const other = "another-token-with-more-than-32-characters";
      const { ended, report: found } = await report({
        port: new URL(bridge.url).port,
        flags: ["--state-dir", stateDir],
        env: { CODEX_GPT_BRIDGE_TOKEN: other },
      });
      expect(ended.exitCode).toBe(1);
      expect(find(found, "token")).toMatchObject({ status: "failed" });
      expect(find(found, "token").next).toContain("restart");
      expect(find(found, "chatgpt_sequence").status).toBe("failed");
      expect(ended.stdout + ended.stderr).not.toContain(other);
    } finally {
      await bridge.stop();
    }
  });

  test("a bridge that ChatGPT signs in at: its documents fit together, and its address is asked for", async () => {
    const stateDir = join(home.path, "state-sign-in");
    // Nobody answers there; RFC 6761 keeps the name from ever being anybody's.
    const publicUrl = "https://bridge.invalid";
    const bridge = await startBridge({
      codex: codexBinaries["0.169.0"],
      codexHome: home.path,
      roots: [project.path],
      stateDir,
      flags: ["--public-url", publicUrl],
    });
    try {
      const port = new URL(bridge.url).port;
      const flags = ["--state-dir", stateDir, "--public-url", publicUrl];
      const { report: found } = await report({ port, flags, env: { CODEX_GPT_BRIDGE_TOKEN: token } });
      expect(find(found, "oauth_metadata")).toMatchObject({ status: "ok" });
      expect(find(found, "public_url")).toMatchObject({ status: "failed" });
      expect(find(found, "public_url").reason).toContain(publicUrl);
      expect(statuses(found)).toMatchObject({ http_guard: "ok", token: "ok", chatgpt_sequence: "ok" });
      const other = ["--state-dir", stateDir, "--public-url", "https://other.invalid"];
      const { report: wrong } = await report({ port, flags: other, env: { CODEX_GPT_BRIDGE_TOKEN: token } });
      expect(find(wrong, "oauth_metadata")).toMatchObject({ status: "failed" });
    } finally {
      await bridge.stop();
    }
  });

  test("the numbers of a running bridge count what its callers did", async () => {
    const bridge = await startBridge({
      codex: codexBinaries["0.169.0"],
      codexHome: home.path,
      roots: [project.path],
    });
    try {
      const ask = async (authorization: string): Promise<Response> =>
        fetch(`${bridge.url}/metrics`, { headers: { authorization } });
      expect((await ask("Bearer nobody")).status).toBe(401);
      const caller = await bridge.connect();
      model.script("count me", [say("Counted.")]);
      await caller.finish("codex_read", { prompt: "count me" });
      await caller.call("codex_read", { prompt: "count me", project: "elsewhere" });
      await caller.close();
      const response = await ask(`Bearer ${token}`);
      expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
      const text = await response.text();
      const metrics = parsePrometheus(text);
      expect(metrics.values("codex_gpt_bridge_calls_total")).toMatchObject({
        "outcome=unknown_project,tool=codex_read": 1,
      });
      expect(metrics.values("codex_gpt_bridge_jobs_ended_total")).toEqual({
        "code=none,state=completed,tool=codex_read": 1,
      });
      expect(metrics.values("codex_gpt_bridge_ready")).toEqual({ "": 1 });
      expect(metrics.values("codex_gpt_bridge_codex_starts_total")[""]).toBeGreaterThanOrEqual(1);
      expect(metrics.values("codex_gpt_bridge_info")).toHaveProperty(
        [`backend=app-server,codex=0.169.0,version=${(await import("../../src/lib/version.ts")).version}`],
        1,
      );
      for (const word of ["count me", "elsewhere", project.path]) expect(text).not.toContain(word);
    } finally {
      await bridge.stop();
    }
  });
});

describe("without a running bridge", () => {
  test("the confinement is tried, and the exit code says that nothing failed", async () => {
    const { ended, report: found } = await report({ env: { CODEX_GPT_BRIDGE_TOKEN: token } });
    expect(find(found, "confinement")).toMatchObject({ status: "ok" });
    expect(find(found, "port")).toMatchObject({ status: "warning" });
    expect(statuses(found)).toMatchObject({ http_guard: "skipped", chatgpt_sequence: "skipped" });
    expect({ exitCode: ended.exitCode, ok: found.ok }).toEqual({ exitCode: 0, ok: true });
  });

  test("no Codex on PATH: says so, and what to do", async () => {
    const { ended, report: found } = await report({ codex: null, env: { CODEX_GPT_BRIDGE_TOKEN: token } });
    expect(ended.exitCode).toBe(1);
    expect(find(found, "codex")).toMatchObject({ status: "failed" });
    expect(find(found, "codex").next).toContain("npm install -g @openai/codex");
    expect(statuses(found)).toMatchObject({ backend: "skipped", login: "skipped", confinement: "skipped" });
  });

  test("a CODEX_HOME that does not exist: says that, and what to do", async () => {
    const missing = join(home.path, "moved-away");
    const { ended, report: found } = await report({
      env: { CODEX_GPT_BRIDGE_TOKEN: token, CODEX_HOME: missing },
    });
    expect(ended.exitCode).toBe(1);
    expect(find(found, "codex")).toMatchObject({ status: "ok" });
    expect(find(found, "backend")).toMatchObject({
      status: "failed",
      reason: `CODEX_HOME (${missing}) names a directory that does not exist`,
      next: expect.stringContaining("unset CODEX_HOME") as string,
    });
  });

  test("a wrong configuration: every problem is told, and no other check pretends to know", async () => {
    const { ended, report: found } = await report({ flags: ["--queue", "many", "--token", "short"] });
    expect(ended.exitCode).toBe(1);
    expect(find(found, "config").reason).toMatch(/--queue: .*--token: |--token: .*--queue: /);
    const others = found.checks.filter(({ name }) => name !== "node" && name !== "config");
    expect(new Set(others.map(({ status }) => status))).toEqual(new Set(["skipped"]));
    const { stdout } = await doctor({ flags: ["--queue", "many", "--token", "short"] });
    expect(stdout.match(/has to be right first/g)).toHaveLength(1);
    expect(stdout).toContain(`- ${others.length} more`);
  });

  test("nobody could call: the credential is missing", async () => {
    const { ended, report: found } = await report();
    expect(ended.exitCode).toBe(1);
    expect(find(found, "token").next).toContain("CODEX_GPT_BRIDGE_TOKEN");
  });

  test("a secret file in the project: named, with the ways out", async () => {
    const guarded = await createProject({ ".env": "DB_PASSWORD=f3a9c1d27b\n", "readme.txt": "x\n" });
    try {
      const { report: found } = await report({ flags: ["--roots", `guarded=${guarded.path}`] });
      const { status, reason, next } = find(found, "projects");
      expect(status).toBe("failed");
      expect(reason).toContain(".env");
      expect(reason).not.toContain("f3a9c1d27b");
      expect(next).toMatch(/mask.*allow/);
    } finally {
      await guarded.dispose();
    }
  });

  test("a Codex that is not logged in", async () => {
    const empty = await createProject({});
    try {
      const { report: found } = await report({ env: { CODEX_HOME: empty.path } });
      expect(find(found, "login")).toMatchObject({ status: "failed" });
      expect(find(found, "login").next).toContain("codex login");
    } finally {
      await empty.dispose();
    }
  });

  test("another program on the port", async () => {
    const stranger = createServer((_request, response) => response.end("<html>hello</html>"));
    stranger.listen(0, "127.0.0.1");
    await once(stranger, "listening");
    try {
      const address = stranger.address();
      const port = typeof address === "object" && address !== null ? String(address.port) : "";
      const { ended, report: found } = await report({ port });
      expect(ended.exitCode).toBe(1);
      expect(find(found, "port")).toMatchObject({ status: "failed" });
      expect(find(found, "port").next).toContain("--port");
    } finally {
      stranger.close();
    }
  });

  test("callers with a token of their own are enough, and a tunnel without its keys is not", async () => {
    const stateDir = join(home.path, "state-tokens");
    const made = await runDoor({ argv: ["token", "create", "--name", "laptop", "--state-dir", stateDir] });
    expect(made.exitCode).toBe(0);
    const flags = [
      "--state-dir",
      stateDir,
      "--tunnel",
      "openai",
      "--tunnel-client",
      "/no/such/tunnel-client",
    ];
    const { ended, report: found } = await report({ flags, codex: null });
    expect(find(found, "token")).toMatchObject({ status: "ok" });
    expect(find(found, "tunnel")).toMatchObject({ status: "failed" });
    expect(find(found, "tunnel").reason).toContain("CONTROL_PLANE_API_KEY");
    expect(ended.stdout).not.toContain(made.stdout.trim());
    const env = {
      CONTROL_PLANE_API_KEY: "planted-key-0123456789",
      CONTROL_PLANE_TUNNEL_ID: `tunnel_${"a".repeat(32)}`,
    };
    const withKeys = await report({ flags, codex: null, env });
    expect(find(withKeys.report, "tunnel").reason).toContain("/no/such/tunnel-client is not there");
    expect(withKeys.ended.stdout).not.toContain(env.CONTROL_PLANE_API_KEY);
  });

  test("a Codex that never answers: told within 20 s, and nothing is left of it", async () => {
    const scratch = await createProject({ codex: "#!/bin/sh\nexec sleep 61.3\n" });
    const hanging = join(scratch.path, "codex");
    await chmod(hanging, 0o755);
    try {
      const began = Date.now();
      const { report: found } = await report({ codex: hanging });
      expect(Date.now() - began).toBeLessThan(25_000);
      expect(find(found, "codex").status).not.toBe("ok");
      expect(find(found, "node").status).toBe("ok");
      expect(await commandLines()).not.toContain("sleep\u000061.3");
    } finally {
      await scratch.dispose();
    }
  });
});

describe("for people", () => {
  test("lines fit 80 columns, and there is no colour where nobody looks", async () => {
    const { stdout } = await doctor({ codex: null });
    expect(stdout).not.toContain("\u001B");
    const long = stdout.split("\n").filter((line) => line.length > 79 && !/\S{60}/.test(line));
    expect(long).toEqual([]);
    expect(stdout).toMatch(/fine, .*failed/);
  });
});

describe("the bundle for a bug report", () => {
  const planted = {
    token: "planted-token-0123456789abcdef0123456789abcdef",
    headerSecret: "planted-header-secret-0123456789abcdef01234567",
    apiKey: "sk-planted0123456789abcdefghijklmnopqrstuvwxyz0123",
    controlPlane: "planted-control-plane-key-0123456789",
    password: "planted-password-0123456789",
    inFile: "planted-file-token-0123456789abcdef0123456789",
  };

  async function bundle(flags: readonly string[], env: Readonly<Record<string, string>>, config = "") {
    const scratch = await createProject({ "config.toml": config });
    try {
      if (config !== "") await chmod(join(scratch.path, "config.toml"), 0o600);
      const file = join(scratch.path, "report.txt");
      const own = config === "" ? [] : ["--config", join(scratch.path, "config.toml")];
      const ended = await doctor({ flags: ["--bundle", file, ...own, ...flags], env });
      const text = await readFile(file, "utf8");
      return { ended, text, mode: (await stat(file)).mode & 0o777 };
    } finally {
      await scratch.dispose();
    }
  }

  test("holds what helps, is private, and can be read by a person", async () => {
    const { ended, text, mode } = await bundle([], { CODEX_GPT_BRIDGE_TOKEN: token });
    expect(ended.exitCode).toBe(0);
    expect(ended.stderr).toContain("read it before you send it");
    expect(mode).toBe(0o600);
    expect(text.split("\n").length).toBeGreaterThan(50);
    expect(JSON.parse(text)).toMatchObject({
      checks: expect.arrayContaining([expect.objectContaining({ name: "codex", status: "ok" })]),
      settings: { token: "set", port: Number(free), secrets: "refuse" },
      variables: expect.arrayContaining(["CODEX_GPT_BRIDGE_TOKEN"]),
    });
  });

  test("no secret of environment, flags or config file is in it, nor on the screen", async () => {
    const env = {
      CODEX_GPT_BRIDGE_TOKEN: planted.token,
      OPENAI_API_KEY: planted.apiKey,
      CONTROL_PLANE_API_KEY: planted.controlPlane,
      MY_DATABASE_PASSWORD: planted.password,
    };
    const config = `token = "${planted.inFile}"\nheader_secret = "${planted.headerSecret}"\n`;
    // A key in the wrong place is shown by a check, were it not struck out.
    const { ended, text } = await bundle(["--codex", `/no/such/${planted.password}`], env, config);
    expect(ended.stdout).toContain("/no/such/[redacted");
    const shown = text + ended.stdout + ended.stderr;
    for (const [name, value] of Object.entries(planted)) expect(shown, name).not.toContain(value);
  });

  test("nor of a configuration that is wrong", async () => {
    const config = `token = "${planted.inFile}"\nheader_secret = "${planted.headerSecret}\n`;
    const { ended, text } = await bundle([], { CODEX_GPT_BRIDGE_TOKEN: planted.token }, config);
    expect(ended.exitCode).toBe(1);
    for (const [name, value] of Object.entries(planted)) {
      expect(text + ended.stdout + ended.stderr, name).not.toContain(value);
    }
  });

  test("never replaces a file", async () => {
    const scratch = await createProject({ "report.txt": "mine\n" });
    try {
      const file = join(scratch.path, "report.txt");
      const ended = await doctor({ flags: ["--bundle", file], codex: null });
      expect(ended.exitCode).toBe(1);
      expect(ended.stderr).toContain("choose another");
      expect(await scratch.read("report.txt")).toBe("mine\n");
    } finally {
      await scratch.dispose();
    }
  });
});

async function freePort(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? String(address.port) : "";
}

async function commandLines(): Promise<string> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map(async (pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
  );
  return lines.join("\n");
}
