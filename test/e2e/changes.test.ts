/** What `changes` tells of turns whose model works with the shell: the real bridge, the real Codex, real files. */
import { existsSync, rmSync, statSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { FileChange } from "../../src/codex/events.ts";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { parallel, patch, say, shell, type Step } from "../../src/demo/scripted-model/steps.ts";
import {
  startBridge,
  type Answer,
  type BridgeOptions,
  type Caller,
  type RunningBridge,
} from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  createScratch,
  type ScratchCodexHome,
  type ScratchProject,
} from "../support/scripted-codex.ts";

const subjects = [
  { version: "0.169.0", backend: "app-server" },
  { version: "0.153.4", backend: "app-server" },
  { version: "0.153.4", backend: "mcp-server" },
] as const;

describe.each(subjects)("a write turn of Codex $version through $backend", ({ version, backend }) => {
  let model: ScriptedModel;
  let home: ScratchCodexHome;
  let project: ScratchProject;
  let state: { readonly path: string; dispose(): Promise<void> };
  let bridge: RunningBridge;
  let caller: Caller;
  let turns = 0;

  beforeAll(async () => {
    model = await startScriptedModel();
    home = await createCodexHome({ modelUrl: model.url });
    project = await createProject();
    state = await createScratch("state-");
    await start();
  });
  afterAll(async () => {
    await caller.close();
    await bridge.stop();
    await model.close();
    await home.dispose();
    await project.dispose();
    await state.dispose();
  });
  beforeEach(async () => {
    rmSync(`${project.path}/src`, { recursive: true, force: true });
    for (const name of ["a", "b", "c"]) await project.write(`src/${name}.txt`, `${name} is here\n`);
  });

  async function start(): Promise<void> {
    const options: BridgeOptions = {
      codex: codexBinaries[version],
      codexHome: home.path,
      roots: [project.path],
      stateDir: state.path,
      flags: ["--backend", backend, "--allow-write"],
    };
    bridge = await startBridge(options);
    caller = await bridge.connect();
  }

  async function run(...steps: Step[]): Promise<Answer["content"]> {
    const prompt = `turn number ${(turns += 1)}.`;
    model.script(prompt, [...steps, say("Done.")]);
    return (await caller.finish("codex_run", { prompt, sandbox: "workspace-write" })).content;
  }

  const told = ({ changes }: Answer["content"]): string[] =>
    (changes as readonly FileChange[]).map(
      ({ kind, path, additions, deletions }) => `${kind} ${path} ${additions ?? "?"} ${deletions ?? "?"}`,
    );

  test("that edits, makes, deletes, moves and hides files with the shell tells them all", async () => {
    const content = await run(
      shell("sed -i s/here/there/ src/a.txt && touch -d 2001-01-01 src/a.txt && echo x > src/new.txt"),
      shell(
        "rm src/b.txt && mv src/c.txt src/d.txt && ln -s a.txt src/link && mkdir -p node_modules/x && touch node_modules/x/y",
      ),
    );
    expect(content).toMatchObject({
      status: "completed",
      diff: null,
      diffTruncated: false,
      progress: { filesChanged: 6 },
    });
    expect(told(content)).toEqual([
      "update src/a.txt ? ?",
      "delete src/b.txt ? ?",
      "delete src/c.txt ? ?",
      "add src/d.txt ? ?",
      "add src/link ? ?",
      "add src/new.txt ? ?",
    ]);
    expect(content["changesNote"]).toMatch(
      /^6 files were changed by commands .* the diff does not show what/,
    );
    expect(content.nextAction).toContain("changesNote");
    expect(statSync(`${project.path}/src/a.txt`).mtime.getUTCFullYear()).toBeLessThan(2002);
  });

  test("whose commands change nothing tells nothing", async () => {
    const content = await run(shell("cat src/a.txt; ls -la; true"));
    expect(content).toMatchObject({ status: "completed", changes: [], changesNote: null });
  });

  const edit = (name: string, to: string): string =>
    `*** Begin Patch\n*** Update File: src/${name}.txt\n@@\n-${name} is here\n+${to}\n*** End Patch`;

  test("that patches and runs commands has the patches first, with their counts", async () => {
    const content = await run(
      patch(edit("c", "patched")),
      shell("echo more >> src/c.txt; echo x > src/aa.txt; rm src/a.txt"),
      patch(edit("b", "patched\n+twice")),
    );
    expect(told(content)).toEqual([
      "update src/c.txt 1 1",
      "update src/b.txt 2 1",
      "delete src/a.txt ? ?",
      "add src/aa.txt ? ?",
    ]);
    expect(content["changesNote"]).toMatch(
      /^2 files were changed by commands .* 1 patched file was changed again later: .* the patch's alone\.$/,
    );
    expect(content.diff).not.toContain("more");
    expect(content.diff).toContain("-b is here");
  });

  test("that only patches is not looked at again: nobody waits for a look that it does not need", async () => {
    const content = await run(patch(edit("a", "patched")), patch(edit("b", "patched")), () => {
      writeFileSync(`${project.path}/src/owner.txt`, "typed meanwhile\n");
      return say("Done.");
    });
    expect(told(content)).toEqual(["update src/a.txt 1 1", "update src/b.txt 1 1"]);
    expect(content["changesNote"]).toBeNull();
  });

  test("tells what a command changed before the sandbox stopped it, which Codex does not tell of", async () => {
    const content = await run(shell("echo y > src/a.txt; echo no > /etc/no-such-file; exit 1"));
    expect(told(content)).toEqual(["update src/a.txt ? ?"]);
  });

  test("that makes two calls at once tells what both did", async () => {
    const content = await run(parallel([shell("echo 1 > src/one.txt"), patch(edit("a", "patched"))]));
    expect(told(content)).toEqual(["update src/a.txt 1 1", "add src/one.txt ? ?"]);
  });

  test("whose one command makes 5,000 files counts them all and lists the edit first", async () => {
    const content = await run(
      shell("mkdir src/built && cd src/built && seq 5000 | xargs touch && cd .. && echo x > a.txt", {
        yieldMs: 30_000,
      }),
    );
    expect(content.changes).toHaveLength(500);
    expect(told(content)[0]).toBe("update src/a.txt ? ?");
    expect(content).toMatchObject({ progress: { filesChanged: 5_001 }, diffTruncated: true });
    expect(content["changesNote"]).toContain("The list has 500 of 5001 changed files.");
  });

  test("that is cancelled tells what its command had done", async () => {
    const prompt = `turn number ${(turns += 1)}.`;
    model.script(prompt, [shell("echo x > src/half.txt; sleep 611", { yieldMs: 30_000 }), say("never")]);
    const call = caller.call("codex_run", { prompt, sandbox: "workspace-write" });
    await expect.poll(() => existsSync(`${project.path}/src/half.txt`)).toBe(true);
    const { content: newest } = await caller.call("codex_job_status", { waitMs: 0 });
    await caller.call("codex_job_cancel", { jobId: newest.jobId });
    await call;
    const { content } = await caller.finish("codex_job_status", { jobId: newest.jobId });
    expect(content.status).toBe("cancelled");
    expect(told(content)).toEqual(["add src/half.txt ? ?"]);
  });

  test("that the bridge did not survive does not claim to know what its commands changed", async () => {
    const prompt = `turn number ${(turns += 1)}.`;
    model.script(prompt, [shell("echo x > src/half.txt; sleep 613", { yieldMs: 30_000 }), say("never")]);
    const call = caller.call("codex_run", { prompt, sandbox: "workspace-write" }).catch(() => null);
    await expect.poll(() => existsSync(`${project.path}/src/half.txt`)).toBe(true);
    const { content: running } = await caller.call("codex_job_status", { waitMs: 0 });
    await bridge.kill();
    await call;
    await caller.close();
    await start();
    const { content } = await caller.finish("codex_job_status", { jobId: running.jobId });
    expect(content).toMatchObject({ status: "failed", error: { code: "interrupted" } });
    expect(content["changesNote"]).toMatch(/restarted .* may be changes that are not listed\.$/);
  });
});
