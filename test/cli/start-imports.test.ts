import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const src = join(import.meta.dirname, "..", "..", "src");
/** What `serve` loads before its port is open: itself, and by import() the job database. */
const atStart = [
  "bridge.ts",
  "cli/main.ts",
  "cli/serve.ts",
  "jobs/sqlite/audited-ends.ts",
  "jobs/sqlite/cancel-requests.ts",
  "jobs/sqlite/database.ts",
  "jobs/sqlite/job-store.ts",
  "jobs/sqlite/thread-store.ts",
];

/** Packages that a file and all that it imports load with it, and by which file. */
function packagesOf(files: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const imports = readFileSync(file, "utf8").matchAll(
      /^(?:import|export) (?!type )[^;]*?from "([^"]+)";/gm,
    );
    for (const [, name = ""] of imports) {
      if (name.startsWith(".")) visit(join(dirname(file), name));
      else if (!name.startsWith("node:")) found.set(name, file);
    }
  };
  for (const file of files) visit(join(src, file));
  return found;
}

test("the start of serve waits for Hono and nanoid, and for no other package", () => {
  const packages = packagesOf(atStart);
  expect([...packages.keys()].toSorted()).toEqual(["@hono/node-server", "hono", "nanoid"]);
});
