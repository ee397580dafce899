/**
 * What the looks for changed files cost a turn that may write, on app-server: the same turn with and without them, in a
 * tree of 100,000 files and in one of 20, with one command and with an answer alone.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAppServerBackend } from "../../src/codex/app-server/backend.ts";
import { createWatchedBackend } from "../../src/jobs/watched-backend.ts";
import { say, shell } from "../../src/demo/scripted-model/steps.ts";
import { startScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { decideDenied } from "../../src/policy/deny.ts";
import { createTreeWatch } from "../../src/workspace/tree-watch.ts";
import { partsFor } from "../contract/codex-backend.ts";
import { grantFor, grantForTest } from "../support/grant.ts";
import { createCodexHome, createProject, type ScratchProject } from "../support/scripted-codex.ts";
import { option } from "./support/options.ts";
import { atMost, information, type Row } from "./support/row.ts";
import { median, timed } from "./support/statistics.ts";

const FILES_PER_DIRECTORY = 20;
const COMMAND = "bench: one command";
const ANSWER = "bench: an answer alone";

export async function run(): Promise<Row[]> {
  const model = await startScriptedModel();
  model.script(COMMAND, [shell("echo x > changed.txt"), say("Done.")]);
  model.script(ANSWER, [say("Done.")]);
  const home = await createCodexHome({ modelUrl: model.url });
  const plain = createAppServerBackend(await partsFor("0.169.0", home.path), "0.0.0-bench");
  const watched = createWatchedBackend(plain, createTreeWatch(), systemClock);
  const projects = { "100,000": await createTree(100_000), "20": await createTree(20) };
  const times: Record<string, number[]> = {};
  for (let round = -1; round < option("rounds", 8); round += 1) {
    for (const [files, project] of Object.entries(projects)) {
      for (const [prompt, name] of [
        [COMMAND, "a command"],
        [ANSWER, "an answer"],
      ] as const) {
        for (const [how, backend] of [
          ["without", plain],
          ["with", watched],
        ] as const) {
          const turn = await turnIn(project, prompt);
          const elapsed = await timed(async () => {
            const { failure } = await backend.runTurn(turn, () => {}, AbortSignal.timeout(60_000));
            if (failure !== null) throw new Error(JSON.stringify(failure));
          });
          if (round >= 0) (times[`${name}, ${files} files ${how}`] ??= []).push(elapsed);
        }
      }
    }
  }
  await plain.close();
  await model.close();
  await home.dispose();
  for (const project of Object.values(projects)) await project.dispose();
  const ms = (name: string): number => median(times[name] ?? []);
  const row = (name: string, limit: number | null): Row => {
    const [without, with_] = [ms(`${name} without`), ms(`${name} with`)];
    const detail = `${with_.toFixed(0)} against ${without.toFixed(0)} ms`;
    const title = `write turn with ${name}: looks for changes`;
    return limit === null
      ? information(title, `${(with_ / without).toFixed(2)} x, ${detail}`)
      : atMost(title, with_ - without, limit, "ms", detail);
  };
  return [
    row("a command, 20 files", 25),
    row("an answer, 20 files", 25),
    row("a command, 100,000 files", null),
    row("an answer, 100,000 files", null),
  ];
}

async function createTree(files: number): Promise<ScratchProject> {
  const project = await createProject({ "readme.txt": "hello\n" });
  for (let n = 0; n < files / FILES_PER_DIRECTORY; n += 1) {
    const directory = join(project.path, `d${n % 70}`, `e${n}`);
    mkdirSync(directory, { recursive: true });
    for (let file = 0; file < FILES_PER_DIRECTORY; file += 1)
      writeFileSync(join(directory, `f${file}.txt`), "x\n");
  }
  return project;
}

/** As the bridge makes it where nothing is to be hidden. */
async function turnIn({ path }: ScratchProject, prompt: string) {
  const sandbox = "workspace-write";
  const denied = decideDenied({ root: path, cwd: path, sandbox, secretPaths: [] });
  if (!denied.ok) throw new Error(denied.failure.reason);
  const { paths: deniedPaths, patterns: deniedPatterns } = denied.value;
  const grant = grantForTest({ ...(await grantFor(path)), sandbox, deniedPaths, deniedPatterns });
  return {
    grant,
    thread: { kind: "new" },
    prompt,
    outputSchema: null,
    projectInstructions: null,
  } as const;
}
