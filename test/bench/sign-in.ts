/** What a token of someone who signed in costs at the door: `bridge_status` with it, against the same with the static token. */
import {
  obtainTokens,
  passcode,
  plainClient,
  plainRedirect,
  publicUrl,
} from "../auth/oauth/sign-in-house.ts";
import { codexBinaries } from "../support/scripted-codex.ts";
import { token } from "./support/door.ts";
import { createMcpCaller } from "./support/mcp-caller.ts";
import { option } from "./support/options.ts";
import { atLeast, type Row } from "./support/row.ts";
import { withStage } from "./support/stage.ts";
import { inTurns, median, medianOfRatios } from "./support/statistics.ts";

const SECONDS = 0.5;

export async function run(): Promise<Row[]> {
  return withStage(async (stage) => {
    const flags = [`--public-url=${publicUrl}`, `--oauth-clients=${plainClient}=${plainRedirect}`];
    flags.push(`--oauth-passcode=${passcode}`, "--requests-per-minute=0");
    const door = await stage.bridge(codexBinaries["0.169.0"], { flags });
    try {
      const client = { client_id: plainClient, redirect_uri: plainRedirect };
      const { access_token: accessToken } = await obtainTokens(door.port, client);
      const rows: Row[] = [];
      for (const connections of [1, 16]) {
        const ours = () => rate(door.port, accessToken, connections);
        const reference = () => rate(door.port, token, connections);
        await inTurns(2, ours, reference);
        const rates = await inTurns(option("rounds", 15), ours, reference);
        const detail = `${median(rates.ours).toFixed(0)} against ${median(rates.reference).toFixed(0)}/s`;
        const ratio = medianOfRatios(rates.ours, rates.reference);
        rows.push(atLeast(`bridge_status with OAuth, ${connections} connections`, ratio, 0.85, "×", detail));
      }
      return rows;
    } finally {
      await door.stop();
    }
  });
}

async function rate(port: number, bearer: string, connections: number): Promise<number> {
  const caller = createMcpCaller(port, bearer, connections);
  const began = performance.now();
  const end = began + SECONDS * 1_000;
  let answered = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      await caller.send("bridge_status");
      answered += 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  caller.close();
  return answered / ((performance.now() - began) / 1_000);
}
