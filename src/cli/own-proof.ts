/** The proof of the confinement, with its canary and its memory in the state directory. Starts nothing by itself. */
import { join } from "node:path";
import type { CodexBackend } from "../codex/backend.ts";
import { codexHome } from "../codex/codex-home.ts";
import { createConfinementProof, type OpenConfinementProof } from "../codex/confinement-proof.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { grantForCanary } from "./canary-grant.ts";

export interface OwnProofParts {
  readonly stateDir: string;
  readonly backend: CodexBackend;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly log: Log;
}

export function createOwnProof({
  stateDir,
  backend,
  environment,
  clock,
  log,
}: OwnProofParts): OpenConfinementProof {
  return createConfinementProof({
    run: async () => {
      const { runCanary } = await import("../codex/canary.ts");
      return runCanary({ backend, scratch: join(stateDir, "canary"), grantFor: grantForCanary });
    },
    cacheFile: join(stateDir, "confinement.json"),
    codexHome: codexHome(environment),
    clock,
    log,
  });
}
