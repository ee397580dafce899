/** What the look through a project saw is struck out of everything, though Codex prints it without its name. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startScriptedModel, type ScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { say, shell } from "../../src/demo/scripted-model/steps.ts";
import { startBridge, type RunningBridge } from "../support/running-bridge.ts";
import {
  codexBinaries,
  createCodexHome,
  createProject,
  type ScratchCodexHome,
  type ScratchProject,
} from "../support/scripted-codex.ts";

/** Only worth a warning where it stands: nothing about it is certain. */
const WARNED = "k7Wq-Zr93-mTx1-pLd8";
/** Its padding gives nothing away. */
const BASE64 = btoa(WARNED).replace(/=+$/, "");
/** In a file that is hidden from Codex, but known to somebody else. */
const HIDDEN = "v9Kd02mZqLw47tRb";
/** In two parts, so that this file is none that would be hidden. */
const AWS_KEY = ["AKIA", "QJ7ZM3TXW5BNR2LC"].join("");
/** Three mebibytes after a key that is enough to hide the file, and without a form of its own. */
const DEEP = "Yq83-nBv0-hJs6-eTc5";

let model: ScriptedModel;
let home: ScratchCodexHome;
let project: ScratchProject;
let bridge: RunningBridge;

beforeAll(async () => {
  model = await startScriptedModel();
  home = await createCodexHome({ modelUrl: model.url });
  project = await createProject({
    "settings.py": `db_password = "${WARNED}"\n`,
    ".env": `SHOP_THING=${HIDDEN}\n`,
    "export.sql": `-- ${AWS_KEY}\n${"insert into orders values (1, 'a thing');\n".repeat(80_000)}-- db_password = "${DEEP}"\n`,
    "readme.txt": "hello\n",
  });
  bridge = await startBridge({
    codex: codexBinaries["0.169.0"],
    codexHome: home.path,
    roots: [project.path],
    stateDir: join(home.path, "state-of-the-bridge"),
    flags: ["--secrets=mask", "--log-level=debug"],
  });
});
afterAll(async () => {
  await bridge?.stop();
  await model.close();
  await home.dispose();
  await project.dispose();
});

test("answer, events, stored jobs, audit and log have the marker, and the disk never has the value", async () => {
  model.script("print it", [
    shell("cut -d'\"' -f2 settings.py"),
    say(`It is ${WARNED}; base64 ${BASE64}. The other one is ${HIDDEN}, the deep one ${DEEP}.`),
  ]);
  const caller = await bridge.connect();
  const { content } = await caller.finish("codex_read", { prompt: "print it" });
  expect(content).toMatchObject({
    status: "completed",
    answer:
      "It is [redacted:value]; base64 [redacted:value]. The other one is [redacted:value], the deep one [redacted:value].",
  });
  const told = await caller.call("codex_job_status", { jobId: content.jobId, cursor: "0", waitMs: 0 });
  expect(JSON.stringify(told.content)).toContain("[redacted:value]");
  await caller.close();
  await bridge.stop();

  const kept = join(home.path, "state-of-the-bridge");
  const names = await readdir(kept, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile());
  expect(files.map(({ name }) => name)).toContain("jobs.sqlite");
  const texts = await Promise.all(
    files.map(async ({ parentPath, name }) => readFile(join(parentPath, name), "latin1")),
  );
  texts.push(JSON.stringify(bridge.logLines), bridge.strayLines.join("\n"), JSON.stringify([content, told]));
  for (const text of texts) {
    for (const value of [WARNED, BASE64, HIDDEN, DEEP]) expect(text).not.toContain(value);
  }
});
