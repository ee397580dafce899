/** How the owner calls this program here: by its name where npm installed it, else by npm in the clone, which takes the clone's Node. */
import { sep } from "node:path";
import { packageRoot } from "../lib/version.ts";

export function ownCommand(): string {
  return packageRoot.split(sep).includes("node_modules") ? "codex-gpt-bridge" : "npm run bridge --";
}
