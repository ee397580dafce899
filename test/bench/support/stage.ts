/** What every bench with a real Codex stands on: a scripted model, a small project, a CODEX_HOME for each Codex. */
import { startScriptedModel, type ScriptedModel } from "../../../src/demo/scripted-model/scripted-model.ts";
import { createCodexHome, createProject } from "../../support/scripted-codex.ts";
import { buildDoor, startDoor, type Door, type DoorOptions } from "./door.ts";
import { startDirectCodex, type DirectCodex } from "./direct-codex.ts";

export interface Stage {
  readonly model: ScriptedModel;
  readonly project: string;
  /** The bridge, on a Codex of its own. */
  bridge(codex: string, more?: Pick<DoorOptions, "flags" | "nodeFlags" | "stateDir">): Promise<Door>;
  /** The same Codex driven directly. */
  direct(codex: string): Promise<DirectCodex>;
}

const FILES: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 10 }, (_, index) => [`src/file-${index}.txt`, `line ${index}\n`.repeat(20)]),
);

/** Everything that was started is ended, whether `run` throws or not. */
export async function withStage<T>(run: (stage: Stage) => Promise<T>): Promise<T> {
  const cleanUp: (() => Promise<void>)[] = [];
  const keep = <K>(thing: K, end: (thing: K) => Promise<void>): K => {
    cleanUp.unshift(() => end(thing));
    return thing;
  };
  try {
    const model = keep(await startScriptedModel(), (it) => it.close());
    const project = keep(await createProject(FILES), (it) => it.dispose());
    const door = keep(await buildDoor(), (it) => it.dispose());
    const home = async () => keep(await createCodexHome({ modelUrl: model.url }), (it) => it.dispose());
    return await run({
      model,
      project: project.path,
      async bridge(codex, more = {}) {
        const { path: codexHome } = await home();
        const options = { door, codex, codexHome, project: project.path, ...more };
        return keep(await startDoor(options), (it) => it.stop());
      },
      async direct(codex) {
        const { path } = await home();
        return keep(await startDirectCodex(codex, path, project.path), (it) => it.close());
      },
    });
  } finally {
    for (const end of cleanUp) await end();
  }
}
