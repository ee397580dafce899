/**
 * What `ask_chatgpt` has cost since the month began (UTC), by model, as the ledger in this state directory has it. Reads
 * beside the processes that write it, waits for none of them, and changes nothing.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { periodsOf } from "../budget.ts";
import { LEDGER_FILE } from "./ledger.ts";

/** A model's name is the asking model's own text; what does not look like one is counted with the others. */
const MODEL = /^[\w.:-]{1,64}$/;
const OTHER = "other";

/** In US dollars; a call that may have been paid for and was never settled counts as what it held. */
export function readSpend(directory: string, now: number): Record<string, number> {
  const path = join(directory, LEDGER_FILE);
  if (!existsSync(path)) return {};
  const sql = new DatabaseSync(path, { readOnly: true });
  try {
    const rows = sql
      .prepare(
        `SELECT model, total(CASE WHEN state = 'settled' THEN coalesce(cost_usd, 0)
                                  WHEN state = 'sent' AND lease_until < :now THEN held_usd ELSE 0 END) AS usd
         FROM asks WHERE created_at >= :since GROUP BY model`,
      )
      .all({ now, since: periodsOf(now).monthStart });
    const spend: Record<string, number> = {};
    for (const { model, usd } of rows) {
      const name = MODEL.test(String(model)) ? String(model) : OTHER;
      spend[name] = (spend[name] ?? 0) + Number(usd);
    }
    return spend;
  } finally {
    sql.close();
  }
}
