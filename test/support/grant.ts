/** Grants for tests of the rooms behind the policy, made by the real policy. */
import { stat } from "node:fs/promises";
import { decideTurn, type Ceiling, type Project } from "../../src/policy/decide.ts";
import type { DirectoryIdentity, Grant, GrantTerms } from "../../src/policy/grant.ts";

export async function identityOf(path: string): Promise<DirectoryIdentity> {
  const { dev, ino } = await stat(path, { bigint: true });
  return { path, device: String(dev), inode: String(ino) };
}

export const openCeiling: Ceiling = {
  allowWrite: true,
  defaultSandbox: "read-only",
  approvalPolicy: "never",
  network: false,
  mcpServers: [],
  models: [],
  confinement: "required",
};

export async function grantFor(path: string, terms: Partial<GrantTerms> = {}): Promise<Grant> {
  const root = await identityOf(path);
  const project: Project = {
    name: terms.project ?? "sample",
    root,
    write: null,
    secrets: "refuse",
    model: null,
    effort: null,
  };
  const decision = decideTurn({
    ceiling: {
      ...openCeiling,
      approvalPolicy: terms.approvalPolicy ?? "never",
      network: terms.network ?? false,
      mcpServers: terms.mcpServers ?? [],
      models: terms.model === undefined || terms.model === null ? [] : [terms.model],
    },
    project,
    rootNow: root,
    cwd: terms.cwd ?? root,
    scan: { kind: "clean" },
    steeringLinks: [],
    confinementIsProven: true,
    sandbox: terms.sandbox ?? "read-only",
    model: terms.model ?? null,
    effort: terms.effort ?? null,
  });
  if (!decision.ok) throw new Error(`no grant: ${decision.failure.code}`);
  return decision.value;
}

/** For the rare test that needs terms no decision gives yet. */
export function grantForTest(terms: GrantTerms): Grant {
  return terms as Grant;
}
