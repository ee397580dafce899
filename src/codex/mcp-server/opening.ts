/**
 * On what terms a thread is opened: the arguments of Codex's `codex` tool, made from a Grant. Never names Codex's own
 * `sandbox`, which would win over the profile and read the whole disk.
 */
import type { Grant } from "../../policy/grant.ts";
import {
  STAND_IN_MODEL,
  toStandInConfig,
  toThreadConfinement,
  type CodexSurroundings,
  type JsonValue,
} from "../confinement.ts";

export interface Opening {
  /** The profile that Codex has to name as active. */
  readonly profileId: string;
  /** Everything that a thread keeps for its life, in one string: another one needs the thread opened anew. */
  readonly terms: string;
  /** Arguments of the `codex` tool, but for the prompt. */
  readonly args: { readonly [name: string]: JsonValue };
}

export function toOpening(
  grant: Grant,
  surroundings: CodexSurroundings,
  projectInstructions: string | null,
  standInModelUrl: string | undefined,
): Opening {
  const { profileId, config } = toThreadConfinement(grant, surroundings);
  if (grant.effort !== null) config["model_reasoning_effort"] = grant.effort;
  if (standInModelUrl !== undefined) Object.assign(config, toStandInConfig(standInModelUrl));
  const args = {
    cwd: grant.cwd.path,
    "approval-policy": grant.approvalPolicy,
    ...(grant.model === null ? {} : { model: grant.model }),
    ...(standInModelUrl === undefined ? {} : { model: STAND_IN_MODEL }),
    config,
  };
  const terms = JSON.stringify(args);
  if (projectInstructions === null) return { profileId, terms, args };
  return { profileId, terms, args: { ...args, "developer-instructions": projectInstructions } };
}
