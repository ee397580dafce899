/** The facts from disk that the policy asks for, with the scan in the policy's words. */
import type { ScanVerdict } from "../policy/decide.ts";
import type { DirectoryIdentity, Grant } from "../policy/grant.ts";
import { findSteeringLinks, identifyCwd, identifyDirectory, relativeToRoot } from "./directory.ts";
import { readProjectInstructions } from "./instructions.ts";
import type { SecretException } from "./exceptions.ts";
import type { ScanFinding } from "./scan.ts";

/** Reading everything for the first time takes longer than a call may; later looks read what has changed. */
export const FIRST_LOOK_MS = 120_000;

export interface WorkspaceParts {
  /** The owner's exceptions, as they are now. */
  readonly exceptions: () => Promise<readonly SecretException[]>;
  /** Wall time, for their expiry. */
  readonly now: () => number;
  readonly scanDeadlineMs: number;
  /** Told to the owner: the relative paths of what was found; callers hear of kinds and counts only. */
  readonly onFindings: (root: string, paths: readonly string[]) => void;
  /** Told after every look: the secrets that it saw, those of files with an exception too. `isWhole`: it saw everything. */
  readonly onSecrets: (root: string, values: Iterable<string>, isWhole: boolean) => void;
}

export function createWorkspace(parts: WorkspaceParts) {
  async function withoutExceptions(root: DirectoryIdentity, found: ScanFinding[]): Promise<ScanFinding[]> {
    const { applyExceptions } = await import("./exceptions.ts");
    return applyExceptions(root.path, found, await parts.exceptions(), parts.now());
  }

  return {
    identifyRoot: async (project: { root: DirectoryIdentity }) => identifyDirectory(project.root.path),
    identifyCwd,
    steeringLinks: async (root: DirectoryIdentity) => findSteeringLinks(root.path),
    relativeToRoot: (root: DirectoryIdentity, path: string) => relativeToRoot(root.path, path),
    instructions: async (grant: Grant, cwd: string) => readProjectInstructions(grant.root.path, cwd, grant),

    async scan(
      root: DirectoryIdentity,
      options: { deadlineMs?: number; signal?: AbortSignal } = {},
    ): Promise<ScanVerdict> {
      const deadlineMs = options.deadlineMs ?? parts.scanDeadlineMs;
      const { scanProject } = await import("./scan.ts");
      const secrets = new Set<string>();
      const onSecret = (value: string): void => {
        if (secrets.size < MAX_SECRETS) secrets.add(value);
      };
      const report = await scanProject(root.path, { ...options, deadlineMs, content: true, onSecret });
      parts.onSecrets(root.path, secrets, report.complete);
      const found = report.findings.filter(({ verdict }) => verdict === "block");
      const blocking = found.length === 0 ? [] : await withoutExceptions(root, found);
      if (blocking.length > 0) {
        parts.onFindings(
          root.path,
          blocking.slice(0, 20).map(({ path }) => path),
        );
        return {
          kind: "secrets",
          kinds: countKinds(blocking),
          more: !report.complete,
          paths: blocking.map(({ path }) => path),
        };
      }
      if (!report.complete) return { kind: "incomplete", reason: report.incompleteReason ?? "unknown" };
      return { kind: "clean" };
    },
  };
}

const MAX_SECRETS = 2_000;

function countKinds(findings: readonly { kind: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of findings) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}
