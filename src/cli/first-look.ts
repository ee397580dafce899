/**
 * The first look through each project after a start: once, however many wait for it. Tells the redactor what it saw by
 * way of the workspace; decides nothing.
 */
import type { Log } from "../lib/log.ts";
import type { Project, ScanVerdict } from "../policy/decide.ts";
import type { DirectoryIdentity } from "../policy/grant.ts";

export interface FirstLook {
  /** Settles when this project was looked through, or cannot be; at once where the owner wants no look. */
  through(project: string): Promise<void>;
  /** One after the other. */
  throughAll(): Promise<void>;
}

export function createFirstLook(
  projects: readonly Project[],
  scan: (root: DirectoryIdentity) => Promise<ScanVerdict>,
  log: Log,
  signal: AbortSignal,
): FirstLook {
  const looks = new Map<string, Promise<void>>();

  async function look({ name, root, secrets }: Project): Promise<void> {
    if (secrets === "off" || signal.aborted) return;
    try {
      const verdict = await scan(root);
      if (verdict.kind === "incomplete" && !signal.aborted)
        log.warn({ project: name, why: verdict.reason }, "not looked through");
    } catch (error) {
      log.error({ project: name, error: String(error) }, "not looked through");
    }
  }

  async function through(name: string): Promise<void> {
    const project = projects.find((candidate) => candidate.name === name);
    if (project === undefined) return;
    const known = looks.get(name) ?? look(project);
    looks.set(name, known);
    return known;
  }

  return {
    through,
    async throughAll() {
      for (const { name } of projects) await through(name);
    },
  };
}
