/** How the owner calls this program here: by its name where npm installed it, else by its file in the clone. */
import { sep } from "node:path";
import { packageRoot } from "../lib/version.ts";

export function ownCommand(): string {
  return packageRoot.split(sep).includes("node_modules") ? "codex-gpt-bridge" : "node dist/bridge.js";
}
