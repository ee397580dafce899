/**
 * `codex_read` through the bridge over HTTP against the same turn driven directly on app-server, under the same
 * profile and config, with an instant model: one answer, and one shell command.
 */
import { codexBinaries } from "../support/scripted-codex.ts";
import { say, shell } from "../../src/demo/scripted-model/steps.ts";
import { createMcpCaller, mustBeCompleted } from "./support/mcp-caller.ts";
import { token } from "./support/door.ts";
import { option } from "./support/options.ts";
import { atMost, type Row } from "./support/row.ts";
import { withStage } from "./support/stage.ts";
import { inTurns, median, medianOfRatios, timed } from "./support/statistics.ts";

const CASES = [
  { name: "codex_read, one answer", prompt: "bench: one answer", goal: 1.1, rounds: 60 },
  { name: "codex_read, one shell command", prompt: "bench: one command", goal: 1.08, rounds: 40 },
];
const WARM_UP = 6;

export async function run(): Promise<Row[]> {
  return withStage(async (stage) => {
    stage.model.script("bench: one answer", [say("Done.")]);
    stage.model.script("bench: one command", [shell("cat src/file-1.txt"), say("Done.")]);
    const codex = codexBinaries["0.169.0"];
    const direct = await stage.direct(codex);
    const door = await stage.bridge(codex);
    const caller = createMcpCaller(door.port, token);
    const rows: Row[] = [];
    for (const { name, prompt, goal, rounds } of CASES) {
      const ours = () => timed(async () => mustBeCompleted(await caller.call("codex_read", { prompt })));
      const reference = () => timed(() => direct.runTurn(prompt));
      await inTurns(WARM_UP, ours, reference);
      const times = await inTurns(option("rounds", rounds), ours, reference);
      const detail = `${median(times.ours).toFixed(1)} against ${median(times.reference).toFixed(1)} ms`;
      rows.push(atMost(name, medianOfRatios(times.ours, times.reference), goal, "×", detail));
    }
    caller.close();
    return rows;
  });
}
