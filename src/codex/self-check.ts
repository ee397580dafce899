/**
 * What `codex doctor --json` says, check by check. Its exit code and its overall status say nothing: an update that is
 * due counts as a failure there.
 */
import { execFile } from "node:child_process";
import { z } from "zod";

const selfCheck = z.looseObject({
  status: z.string(),
  summary: z.string().catch(""),
  remediation: z.string().nullable().catch(null),
});
export type SelfCheck = z.output<typeof selfCheck>;

const answer = z.looseObject({ checks: z.record(z.string(), selfCheck) });

const MAX_BYTES = 4 * 1024 * 1024;

/** By name ("config.load"). null: no answer that could be read, or none before `signal`. Never rejects. */
export async function askCodexDoctor(
  command: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, SelfCheck> | null> {
  const stdout = await new Promise<string>((resolve) => {
    const options = { env: { ...env }, signal, killSignal: "SIGKILL", maxBuffer: MAX_BYTES } as const;
    execFile(command, ["doctor", "--json"], options, (_error, text) => {
      resolve(text);
    });
  });
  try {
    return new Map(Object.entries(answer.parse(JSON.parse(stdout)).checks));
  } catch {
    return null; // an older Codex without it, or one that was ended
  }
}
