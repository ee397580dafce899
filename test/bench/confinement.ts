/**
 * What denied paths cost a turn with one command, on a tree of 100,000 files: the same turn on app-server with none,
 * with exact paths, and in write mode without and with the patterns for names that may appear.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createAppServerBackend } from "../../src/codex/app-server/backend.ts";
import { say, shell } from "../../src/demo/scripted-model/steps.ts";
import { startScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { decideDenied } from "../../src/policy/deny.ts";
import type { GrantTerms } from "../../src/policy/grant.ts";
import { partsFor } from "../contract/codex-backend.ts";
import { grantFor, grantForTest } from "../support/grant.ts";
import { createCodexHome, createProject } from "../support/scripted-codex.ts";
import { option } from "./support/options.ts";
import { atMost, information, type Row } from "./support/row.ts";
import { median, timed } from "./support/statistics.ts";

const FILES = 100_000;
const FILES_PER_DIRECTORY = 20;
const PROMPT = "bench: one command in a large tree";

export async function run(): Promise<Row[]> {
  const model = await startScriptedModel();
  model.script(PROMPT, [shell("true"), say("Done.")]);
  const home = await createCodexHome({ modelUrl: model.url });
  const project = await createProject({ "readme.txt": "hello\n" });
  for (let n = 0; n < FILES / FILES_PER_DIRECTORY; n += 1) {
    const directory = join(project.path, `d${n % 70}`, `e${n}`);
    mkdirSync(directory, { recursive: true });
    for (let file = 0; file < FILES_PER_DIRECTORY; file += 1)
      writeFileSync(join(directory, `f${file}.txt`), "x\n");
  }
  const secretPaths = ["d1/e1/.env", "d2/e2/.env", "d3/e3/key.pem"];
  for (const path of secretPaths) writeFileSync(join(project.path, path), "SECRET=1\n");

  const root = project.path;
  const deny = (sandbox: "read-only" | "workspace-write"): Partial<GrantTerms> => {
    const denied = decideDenied({ root, cwd: root, sandbox, secretPaths });
    if (!denied.ok) throw new Error(denied.failure.reason);
    const { paths, patterns, held } = denied.value;
    return { sandbox, deniedPaths: paths, deniedPatterns: patterns, heldDirectories: held };
  };
  const none = { deniedPaths: [], deniedPatterns: [] };
  const cases: Record<string, Partial<GrantTerms>> = {
    read: { sandbox: "read-only", ...none },
    readDenied: deny("read-only"),
    write: { sandbox: "workspace-write", ...none },
    writeDenied: deny("workspace-write"),
  };
  const backend = createAppServerBackend(await partsFor("0.169.0", home.path), "0.0.0-bench");
  const times: Record<string, number[]> = {};
  for (let round = -1; round < option("rounds", 8); round += 1) {
    for (const [name, terms] of Object.entries(cases)) {
      const grant = grantForTest({ ...(await grantFor(root)), ...terms });
      const turn = {
        grant,
        thread: { kind: "new" },
        prompt: PROMPT,
        outputSchema: null,
        projectInstructions: null,
      } as const;
      const elapsed = await timed(async () => {
        const { failure } = await backend.runTurn(turn, () => {}, AbortSignal.timeout(60_000));
        if (failure !== null) throw new Error(JSON.stringify(failure));
      });
      if (round >= 0) (times[name] ??= []).push(elapsed);
    }
  }
  await backend.close();
  await model.close();
  await home.dispose();
  await project.dispose();
  const ms = (name: string): number => median(times[name] ?? []);
  const added = ms("readDenied") - ms("read");
  const detail = `${ms("readDenied").toFixed(0)} against ${ms("read").toFixed(0)} ms`;
  return [
    atMost("read turn, exact denied paths, 100,000 files: added", added, 120, "ms", detail),
    information(
      "write turn, paths and patterns, 100,000 files",
      `${ms("writeDenied").toFixed(0)} against ${ms("write").toFixed(0)} ms without`,
    ),
  ];
}
