import { join } from "node:path";

/** Where the bridge keeps its audit log, below its state directory. */
export function auditDirectoryOf(stateDir: string): string {
  return join(stateDir, "audit");
}

/** The log of `codex-chatgpt-mcp`, which has several writers: a chain of its own. */
export function askAuditDirectoryOf(stateDir: string): string {
  return join(auditDirectoryOf(stateDir), "chatgpt");
}
