/** What the HTTP room leaves of a bare Hono + SDK server's speed: runs http.ts and takes its worst ratio. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { atLeast, type Row } from "./support/row.ts";

export async function run(): Promise<Row[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, "http.ts"), "--rounds", "5"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const printed = await text(child.stdout); // it exits 1 when the goal is missed
  const ratio = /worst ratio ([\d.]+)/.exec(printed)?.[1];
  if (ratio === undefined) throw new Error(`http.ts printed something else:\n${printed}`);
  return [atLeast("HTTP room alone, worst of both eras", Number(ratio), 0.7, "×")];
}
