/** What `ask_chatgpt` has cost this month, for /metrics. Loads SQLite's view of it only when somebody asks. */
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";

/** The ledger is another program's: what keeps it from being read is no reason to hide all other numbers. */
export async function spendOf(stateDir: string, clock: Clock, log: Log): Promise<Record<string, number>> {
  try {
    const { readSpend } = await import("../chatgpt/sqlite/spend-view.ts");
    return readSpend(stateDir, clock.now());
  } catch (error) {
    log.warn({ error: String(error) }, "what ask_chatgpt has cost cannot be read");
    return {};
  }
}
