import { join } from "node:path";

/** Where the bridge keeps its audit log, below its state directory. */
export function auditDirectoryOf(stateDir: string): string {
  return join(stateDir, "audit");
}
