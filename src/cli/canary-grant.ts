/** The Grant of the canary's trial turns, from the same policy as every other. */
import type { CanaryTerms } from "../codex/canary.ts";
import { decideTurn } from "../policy/decide.ts";
import type { Grant } from "../policy/grant.ts";
import { identifyDirectory } from "../workspace/directory.ts";

/** The canary's own small project, decided by the same policy as every other. */
export async function grantForCanary(terms: CanaryTerms): Promise<Grant> {
  const root = await identifyDirectory(terms.root);
  if (root === null) throw new Error("the canary's directory is gone");
  const decision = decideTurn({
    ceiling: {
      allowWrite: true,
      defaultSandbox: "read-only",
      approvalPolicy: "never",
      network: false,
      mcpServers: [],
      models: [],
      confinement: "required",
    },
    project: { name: "canary", root, write: true, secrets: "mask", model: null, effort: null },
    rootNow: root,
    cwd: root,
    scan: { kind: "secrets", kinds: {}, more: false, paths: terms.secretPaths },
    steeringLinks: [],
    confinementIsProven: true,
    sandbox: terms.sandbox,
    model: null,
    effort: null,
  });
  if (!decision.ok) throw new Error(`the policy refuses the canary: ${decision.failure.code}`);
  return decision.value;
}
