/** What `/readyz` says: Codex has answered, and the canary has its verdict. */
import type { Codex } from "../codex/codex.ts";
import type { ConfinementProof } from "../codex/confinement-proof.ts";

export function readinessOf(
  codex: Codex,
  confinement: ConfinementProof,
): { ok: true } | { ok: false; reason: string } {
  const { facts, failure } = codex.status();
  if (failure !== null) return { ok: false, reason: failure.code };
  if (facts === null || !confinement.isJudged()) return { ok: false, reason: "starting" };
  return { ok: true };
}
