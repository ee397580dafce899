/** What an ordinary user may not read in a project of their own, through the whole bridge. */
import { spawnSync } from "node:child_process";
import { chmod, chown, copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startScriptedModel } from "../../src/demo/scripted-model/scripted-model.ts";
import { say } from "../../src/demo/scripted-model/steps.ts";
import { asNobody, whyNobodyCannot } from "../support/nobody.ts";
import { startBridge } from "../support/running-bridge.ts";
import { codexBinaries, createCodexHome } from "../support/scripted-codex.ts";

test("a directory that cannot be read refuses every call in plain words, and nothing starts", async ({
  skip,
}) => {
  skip(whyNobodyCannot !== null, whyNobodyCannot ?? "");
  const codexRuns = spawnSync(codexBinaries["0.169.0"], ["--version"], { ...asNobody }).status === 0;
  skip(!codexRuns, "that user cannot run this Codex");
  const base = await mkdtemp(join(tmpdir(), "unreadable-"));
  await chmod(base, 0o755);
  const model = await startScriptedModel();
  const home = await createCodexHome({ modelUrl: model.url });
  const codexHome = join(base, "codex");
  const project = join(base, "project");
  const locked = join(project, "deep", "locked");
  await mkdir(codexHome);
  await copyFile(join(home.path, "config.toml"), join(codexHome, "config.toml"));
  await mkdir(locked, { recursive: true });
  await writeFile(join(locked, "notes.txt"), "x");
  await writeFile(join(project, "readme.txt"), "hello\n");
  const { uid, gid } = asNobody;
  if (uid !== undefined) {
    for (const path of [codexHome, join(codexHome, "config.toml"), project, join(project, "deep"), locked])
      await chown(path, uid, gid);
  }
  await chmod(locked, 0o000);
  model.script("look", [say("ok")]);
  const bridge = await startBridge({
    codex: codexBinaries["0.169.0"],
    codexHome,
    roots: [project],
    flags: ["--confinement=best-effort"],
    asUser: { ...asNobody, scratchBelow: base },
  });
  const caller = await bridge.connect();
  try {
    const { isError, content } = await caller.call("codex_read", { prompt: "look" });
    expect(isError).toBe(true);
    expect(content).toMatchObject({ status: "refused", error: { code: "scan_incomplete" } });
    expect(JSON.stringify(content)).not.toContain(base);
    expect(model.requests).toHaveLength(0);
    await chmod(locked, 0o755);
    expect((await caller.finish("codex_read", { prompt: "look" })).content.status).toBe("completed");
  } finally {
    await caller.close();
    await bridge.stop();
    await model.close();
    await home.dispose();
    await chmod(locked, 0o755);
    await rm(base, { recursive: true, force: true });
  }
});
