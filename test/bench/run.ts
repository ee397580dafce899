/**
 * Runs the benches one after another and prints one table. Exits 1 when a goal is missed.
 * `npm run bench`, or only some: `npm run bench -- read start`. Linux only; nothing else should run meanwhile.
 */
import type { Row } from "./support/row.ts";
import { toTable } from "./support/row.ts";

const benches: Readonly<Record<string, () => Promise<{ run: () => Promise<Row[]> }>>> = {
  start: () => import("./start.ts"),
  read: () => import("./read.ts"),
  delivery: () => import("./delivery.ts"),
  status: () => import("./status.ts"),
  lookup: () => import("./job-status.ts"),
  jobs: () => import("./jobs.ts"),
  audit: () => import("./audit.ts"),
  storage: () => import("./storage.ts"),
  http: () => import("./http-room.ts"),
  signin: () => import("./sign-in.ts"),
  guard: () => import("./guard.ts"),
  confinement: () => import("./confinement.ts"),
  changes: () => import("./changes.ts"),
  scan: () => import("./names-preflight.ts"),
  ask: () => import("./ask.ts"),
};

const known = Object.keys(benches);
const picked = process.argv.slice(2).filter((argument) => Object.hasOwn(benches, argument));
const unknown = process.argv
  .slice(2)
  .filter((argument) => /^[a-z]+$/.test(argument) && !known.includes(argument));
if (unknown.length > 0) {
  console.error(`There is no bench ${unknown.join(", ")}; there are ${known.join(", ")}.`);
  process.exit(2);
}

const rows: Row[] = [];
for (const name of picked.length === 0 ? known : picked) {
  const began = performance.now();
  try {
    const bench = await benches[name]?.();
    rows.push(...((await bench?.run()) ?? []));
  } catch (error) {
    console.error(error);
    rows.push({ name, measured: "the bench itself failed", goal: "", ok: false });
  }
  console.error(`${name}: ${((performance.now() - began) / 1000).toFixed(0)} s`);
}
console.log(toTable(rows));
if (rows.some(({ ok }) => ok === false)) process.exitCode = 1;
