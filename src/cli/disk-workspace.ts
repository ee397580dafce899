/** The workspace on this disk, with the owner's exceptions: read for every scan, so that one counts at once. */
import type { Config } from "../config/load.ts";
import type { ChangeWatch } from "../jobs/change-watch.ts";
import { systemClock } from "../lib/clock.ts";
import { createWorkspace, type WorkspaceParts } from "../workspace/workspace.ts";
import { exceptionsFileOf } from "./exceptions-file.ts";

interface DiskWorkspaceParts extends Pick<WorkspaceParts, "onFindings" | "onSecrets"> {
  readonly roots: () => Promise<readonly string[]>;
  /** The exceptions cannot be read, and count for nothing. */
  readonly onTrouble: (why: string) => void;
}

export function createDiskWorkspace(
  config: Config,
  environment: Readonly<Record<string, string | undefined>>,
  { roots, onFindings, onSecrets, onTrouble }: DiskWorkspaceParts,
): ReturnType<typeof createWorkspace> {
  const exceptionsFile = exceptionsFileOf(config, environment);
  return createWorkspace({
    scanDeadlineMs: config.scanDeadlineMs,
    now: () => systemClock.now(),
    exceptions: async () => {
      const { readExceptions } = await import("../workspace/exceptions.ts");
      const read = await readExceptions(exceptionsFile, await roots());
      if (!read.ok) onTrouble(read.failure);
      return read.ok ? read.value : [];
    },
    onFindings,
    onSecrets,
  });
}

/** Loaded with the first turn that may write. */
export function createDiskWatch(): ChangeWatch {
  let loaded: Promise<ChangeWatch> | null = null;
  return {
    begin(root) {
      loaded ??= import("../workspace/tree-watch.ts").then(({ createTreeWatch }) => createTreeWatch());
      const begun = loaded.then((watch) => watch.begin(root));
      return {
        looked: begun.then(async (tree) => tree.looked),
        changes: async (signal) => (await begun).changes(signal),
        release() {
          void begun.then((tree) => {
            tree.release();
          });
        },
      };
    },
  };
}
