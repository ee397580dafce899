import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { scanProject } from "../../src/workspace/scan.ts";
import { secretCorpus } from "../support/secret-corpus.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "corpus-")));
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

it("stops at nearly every secret of the corpus and lets nearly every clean file pass", async () => {
  const rows = secretCorpus();
  for (const [index, { path, content }] of rows.entries()) {
    const full = join(root, String(index), path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
  }
  const report = await scanProject(root, { deadlineMs: 20_000, home: "/nowhere", content: true });
  expect(report.incompleteReason).toBe(null);
  const blocked = new Set(
    report.findings
      .filter(({ verdict }) => verdict === "block")
      .map(({ path }) => Number(path.split("/")[0])),
  );
  const wrong = (secret: boolean): string[] =>
    rows.flatMap((row, index) =>
      row.secret === secret && blocked.has(index) !== secret ? [`${index}/${row.path}`] : [],
    );
  const secrets = rows.filter(({ secret }) => secret).length;
  const missed = wrong(true);
  const stopped = wrong(false);
  if (missed.length + stopped.length > 0) console.log({ missed, stopped });
  expect(rows.length).toBeGreaterThanOrEqual(200);
  expect(missed.length / secrets).toBeLessThanOrEqual(0.03);
  expect(stopped.length / (rows.length - secrets)).toBeLessThanOrEqual(0.02);
});
