/** Is there a Codex, and is it logged in? Asks Codex itself; what is missing is told, and setup goes on. */
import { loadConfig } from "../config/load.ts";
import { systemClock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import type { Asker } from "../setup/asker.ts";
import { createCodexDriver } from "./codex-driver.ts";
import { homeOf } from "./service-manager.ts";
import type { Terminal } from "./terminal.ts";

const INSTALL = "To get it: npm install --global @openai/codex\nThen log in: codex login";

/** What the owner has still to do for it, or null. */
export async function lookForCodex(
  { environment }: Terminal,
  ask: Asker,
  codex: string,
): Promise<string | null> {
  const problem = await ask.work(
    "Looking for Codex",
    async () => askCodex(environment, codex),
    (found) => found.says,
  );
  if (problem.todo !== null) ask.warn(problem.todo);
  return problem.todo;
}

async function askCodex(
  environment: Terminal["environment"],
  codex: string,
): Promise<{ says: string; todo: string | null }> {
  const home = homeOf(environment);
  const config = await loadConfig({
    flags: { codex, "state-dir": home, roots: "none=/dev/null" },
    environment: { HOME: home },
    cwd: home,
    readFile: async () => null,
  });
  if (!config.ok) return { says: "Codex: not asked", todo: config.failure[0]?.problem ?? null };
  const driver = createCodexDriver(config.value, {
    environment,
    children: { note: async () => {} },
    clock: systemClock,
    log: silentLog,
  });
  try {
    const ready = await driver.ready();
    if (ready.ok) return { says: `Codex ${ready.value.codexVersion}, ready`, todo: null };
    switch (ready.failure.code) {
      case "codex_not_found":
        return { says: "Codex: not found", todo: `There is no Codex on your PATH.\n${INSTALL}` };
      case "codex_not_logged_in":
        return { says: "Codex: not logged in", todo: "Codex has no account yet. Run: codex login" };
      default:
        return {
          says: "Codex: cannot be used",
          todo: `${driver.status().why}\nSee what Codex itself says: codex doctor`,
        };
    }
  } finally {
    await driver.close();
  }
}
