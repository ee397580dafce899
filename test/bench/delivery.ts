/**
 * How soon a finished result is there: from the last byte of the model to the receipt, for a caller who waits in
 * `codex_job_status` against a client that drives app-server directly.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import { codexBinaries } from "../support/scripted-codex.ts";
import { say } from "../../src/demo/scripted-model/steps.ts";
import { createMcpCaller, mustBeCompleted } from "./support/mcp-caller.ts";
import { token } from "./support/door.ts";
import { option } from "./support/options.ts";
import { atMost, type Row } from "./support/row.ts";
import { withStage } from "./support/stage.ts";
import { inTurns, median, medianOfRatios } from "./support/statistics.ts";

const PROMPT = "bench: a late answer";
/** The first call gives up before the model answers, and the waiting call is there when it does. */
const FAST_RETURN_MS = 500;
const MODEL_MS = 600;
const RESPONSE_SENT = "http.server.response.finish";

export async function run(): Promise<Row[]> {
  let sentAt = Number.NaN;
  const onSent = (message: unknown): void => {
    const { request } = message as { request: IncomingMessage };
    if (request.url?.startsWith("/v1/responses") === true) sentAt = performance.now();
  };
  subscribe(RESPONSE_SENT, onSent);
  try {
    return await withStage(async (stage) => {
      stage.model.script(PROMPT, [say("Done.", { delayMs: MODEL_MS })]);
      const codex = codexBinaries["0.169.0"];
      const direct = await stage.direct(codex);
      const door = await stage.bridge(codex, { flags: [`--fast-return-ms=${FAST_RETURN_MS}`] });
      const caller = createMcpCaller(door.port, token);
      const ours = async (): Promise<number> => {
        const { status, jobId } = await caller.call("codex_read", { prompt: PROMPT });
        if (status !== "running") return ours(); // the model was faster: nobody had to wait
        let answer = await caller.call("codex_job_status", { jobId });
        while (answer["status"] === "running") answer = await caller.call("codex_job_status", { jobId });
        mustBeCompleted(answer);
        return performance.now() - sentAt;
      };
      const reference = async (): Promise<number> => (await direct.runTurn(PROMPT)).at - sentAt;
      await inTurns(3, ours, reference);
      const times = await inTurns(option("rounds", 30), ours, reference);
      caller.close();
      const detail = `${median(times.ours).toFixed(1)} against ${median(times.reference).toFixed(1)} ms`;
      const ratio = medianOfRatios(times.ours, times.reference);
      const later = median(times.ours) - median(times.reference);
      return [
        atMost("result reaches a waiting caller", ratio, 1.5, "×", detail),
        atMost("the same, after a direct client has Codex's completion event", later, 10, "ms"),
      ];
    });
  } finally {
    unsubscribe(RESPONSE_SENT, onSent);
  }
}
