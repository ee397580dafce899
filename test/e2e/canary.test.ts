/** The canary has to see a hole where there is one, and to prove nothing where nothing ran. */
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grantForCanary } from "../../src/cli/canary-grant.ts";
import { createAppServerBackend } from "../../src/codex/app-server/backend.ts";
import type { BackendFacts, CodexBackend } from "../../src/codex/backend.ts";
import { runCanary, type CanaryVerdict } from "../../src/codex/canary.ts";
import { createConfinementProof } from "../../src/codex/confinement-proof.ts";
import { createMcpServerBackend } from "../../src/codex/mcp-server/backend.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { partsFor } from "../contract/codex-backend.ts";
import { createCodexHome, createProject, type ScratchProject } from "../support/scripted-codex.ts";

let scratch: ScratchProject;
beforeAll(async () => {
  scratch = await createProject();
});
afterAll(async () => {
  await scratch.dispose();
});

const canaryOn = async (backend: CodexBackend): Promise<CanaryVerdict> =>
  runCanary({ backend, scratch: join(scratch.path, "canary"), grantFor: grantForCanary });

describe("on the real Codex", () => {
  test.each([
    { name: "app-server", version: "0.169.0" },
    { name: "app-server", version: "0.153.4" },
    { name: "mcp-server", version: "0.153.4" },
  ] as const)(
    "$name of $version is proven, logged out and with nothing left behind",
    async ({ name, version }) => {
      // No provider of its own: the owner is not logged in, and the canary needs neither login nor network.
      const home = await createCodexHome({ modelUrl: "http://127.0.0.1:9/v1" });
      const parts = await partsFor(version, home.path);
      const backend =
        name === "app-server"
          ? createAppServerBackend(parts, "0.0.0")
          : createMcpServerBackend(parts, createAppServerBackend(parts, "0.0.0"), "0.0.0");
      try {
        expect(await canaryOn(backend)).toEqual({ state: "proven" });
        expect(await readdir(join(scratch.path, "canary"))).toEqual([]);
      } finally {
        await backend.close();
        await home.dispose();
      }
    },
  );
});

describe("a backend that does not confine", () => {
  test("is found out when its commands simply run", async () => {
    const verdict = await canaryOn(backendThat((command) => ["bash", "-c", command]));
    expect(verdict).toMatchObject({
      state: "unproven",
      reason: expect.stringMatching(/could be (read|written)/),
    });
  });

  test("is found out when only the network is open", async () => {
    const verdict = await canaryOn(
      backendThat((command) => ["bash", "-c", `cat "$(ls -d "$PWD"/open.txt)"; ${onlyNetwork(command)}`]),
    );
    expect(verdict).toMatchObject({ state: "unproven", reason: expect.stringContaining("network") });
  });

  test("proves nothing when its commands do not run", async () => {
    const verdict = await canaryOn(
      backendThat(() => ["bash", "-c", "echo 'bwrap: No permissions' >&2; exit 1"]),
    );
    expect(verdict).toMatchObject({ state: "unproven", reason: expect.stringContaining("do not run") });
  });

  test("proves nothing when the turn fails", async () => {
    const failing = { ...backendThat(() => ["true"]), runTurn: async () => ended({ code: "internal" }) };
    expect(await canaryOn(failing)).toMatchObject({ state: "unproven" });
  });
});

describe("the memory of a proof", () => {
  const facts: BackendFacts = { kind: "app-server", codexVersion: "1.2.3", loggedIn: true };

  async function proofIn(name: string, verdicts: CanaryVerdict[]) {
    const directory = join(scratch.path, name);
    await mkdir(directory, { recursive: true });
    let runs = 0;
    let aheadMs = 0;
    const make = () =>
      createConfinementProof({
        run: async () => {
          runs += 1;
          return verdicts.shift() ?? { state: "proven" };
        },
        cacheFile: join(directory, "confinement.json"),
        codexHome: directory,
        clock: { ...systemClock, monotonic: () => systemClock.monotonic() + aheadMs },
        log: silentLog,
      });
    const wait = (ms: number): void => {
      aheadMs += ms;
    };
    return { make, runs: () => runs, directory, wait };
  }

  test("spares the next start the trial, but not after an upgrade or a change of the Codex configuration", async () => {
    const { make, runs, directory } = await proofIn("upgrade", []);
    const proof = make();
    expect(proof.verdict().state).toBe("unproven");
    expect(await proof.ensure(facts)).toEqual({ state: "proven" });
    expect(await proof.ensure(facts)).toEqual({ state: "proven" });
    expect(await make().ensure(facts)).toEqual({ state: "proven" });
    expect(runs()).toBe(1);
    await make().ensure({ ...facts, codexVersion: "1.2.4" });
    expect(runs()).toBe(2);
    await writeFile(join(directory, "config.toml"), "[features]\nuse_legacy_landlock = true\n");
    await make().ensure({ ...facts, codexVersion: "1.2.4" });
    expect(runs()).toBe(3);
  });

  test("keeps no failure: it is tried again after a while, and at the next start", async () => {
    const { make, runs, wait } = await proofIn("failure", [{ state: "unproven", reason: "no" }]);
    const proof = make();
    expect((await proof.ensure(facts)).state).toBe("unproven");
    expect((await proof.ensure(facts)).state).toBe("unproven");
    expect(runs()).toBe(1);
    wait(61_000);
    expect((await proof.ensure(facts)).state).toBe("proven");
    expect(runs()).toBe(2);
  });

  test("tries once when many calls ask at the same time", async () => {
    const { make, runs } = await proofIn("many", []);
    const proof = make();
    await Promise.all(Array.from({ length: 20 }, async () => proof.ensure(facts)));
    expect(runs()).toBe(1);
  });

  test("a damaged memory is no proof", async () => {
    const { make, runs, directory } = await proofIn("damaged", []);
    await writeFile(join(directory, "confinement.json"), '{"key": 7}');
    await make().ensure(facts);
    expect(runs()).toBe(1);
    expect(JSON.parse(await readFile(join(directory, "confinement.json"), "utf8"))).toMatchObject({
      version: 1,
    });
  });
});

const ended = (failure: { code: "internal" } | null) => ({
  threadId: null,
  turnId: null,
  answer: "tried",
  changes: [],
  diff: null,
  usage: null,
  failure,
});

/** Asks the stand-in model as Codex does, and runs its command as `toArgv` says. */
function backendThat(toArgv: (command: string) => readonly [string, ...string[]]): CodexBackend {
  return {
    kind: "app-server",
    connect: async () => ({ ok: true, value: { kind: "app-server", codexVersion: "0.0.0", loggedIn: true } }),
    readTurn: async () => ({ ok: false, failure: { code: "unknown_thread" } }),
    close: async () => {},
    async runTurn({ grant, prompt, standInModelUrl }) {
      const user = { type: "message", role: "user", content: [{ type: "input_text", text: prompt }] };
      const first = await ask([user]);
      const call = /"call_id":"([^"]+)"/.exec(first)?.[1] ?? "";
      const args = /"arguments":("(?:[^"\\]|\\.)*")/.exec(first)?.[1] ?? '"{}"';
      const { cmd = "" } = JSON.parse(JSON.parse(args) as string) as { cmd?: string };
      const [program, ...rest] = toArgv(cmd);
      const output = await new Promise<string>((resolve) => {
        execFile(program, rest, { cwd: grant.cwd.path }, (_error, stdout, stderr) => {
          resolve(stdout + stderr);
        });
      });
      await ask([user, { type: "function_call_output", call_id: call, output }]);
      return ended(null);

      async function ask(input: readonly object[]): Promise<string> {
        const tools = [{ type: "function", name: "exec_command" }];
        const response = await fetch(`${standInModelUrl}/responses`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ model: "stand-in", stream: true, input, tools }),
        });
        return response.text();
      }
    },
  };
}

/** Of the canary's command, the part that connects. */
function onlyNetwork(command: string): string {
  return /\(exec 3<>[^)]*\)/.exec(command)?.[0] ?? "false";
}
