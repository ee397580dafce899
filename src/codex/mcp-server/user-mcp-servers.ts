/**
 * Names of the MCP servers in the user's Codex configuration, as Codex itself lists them. Read again when the
 * configuration file has changed. Never reads what the servers are, and never starts one.
 */
import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import type { BackendParts } from "../backend.ts";
import { codexHome } from "../codex-home.ts";

const run = promisify(execFile);
const LIST_WITHIN_MS = 15_000;
const list = z.array(z.looseObject({ name: z.string() }));

/** The returned function rejects when Codex cannot list them (its configuration is broken, say). */
export function createUserMcpServers(
  parts: Pick<BackendParts, "install" | "env" | "cwd">,
): () => Promise<readonly string[]> {
  const home = codexHome(parts.env);
  let known: { readonly stamp: string; readonly names: readonly string[] } | null = null;

  return async () => {
    const stamp = await stampOf(home === null ? null : join(home, "config.toml"));
    if (known?.stamp === stamp) return known.names;
    const { stdout } = await run(parts.install.command, ["mcp", "list", "--json", "--disable", "plugins"], {
      env: parts.env,
      cwd: parts.cwd,
      timeout: LIST_WITHIN_MS,
    });
    const names = list.parse(JSON.parse(stdout)).map(({ name }) => name);
    known = { stamp, names };
    return names;
  };
}

async function stampOf(path: string | null): Promise<string> {
  if (path === null) return "none";
  const found = await stat(path, { bigint: true }).catch(() => null);
  return found === null ? "none" : `${found.mtimeNs}:${found.size}:${found.ino}`;
}
