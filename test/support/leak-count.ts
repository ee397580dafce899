/** Before and after the whole run: every process that was started has been searched (leak-search.ts), and there were many. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import type { LeakCount } from "./leak-search.ts";

/** Less of it, in a run of all tests of a project, and something is not searched any more. */
const AT_LEAST: Readonly<Record<string, Partial<LeakCount>>> = {
  e2e: { ended: 200, answers: 800, files: 800, bytes: 20_000_000 },
  unit: { ended: 50, files: 50, bytes: 1_000_000 },
};

export default function countLeakSearches(project: TestProject): () => Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "leak-count-"));
  const path = join(directory, "counts.jsonl");
  writeFileSync(path, "");
  process.env["LEAK_COUNT_FILE"] = path;
  return async () => {
    const sum = { started: 0, ended: 0, answers: 0, files: 0, bytes: 0, values: 0 };
    for (const line of readFileSync(path, "utf8").split("\n").filter(Boolean)) {
      const part = JSON.parse(line) as Partial<LeakCount>;
      for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += part[name] ?? 0;
    }
    rmSync(directory, { recursive: true });
    console.log(
      `searched for credentials: ${sum.ended} of ${sum.started} processes, ${sum.answers} answers, ${sum.files} files, ${sum.bytes} bytes`,
    );
    if (sum.ended < sum.started)
      throw new Error(`${sum.started - sum.ended} processes were not searched for credentials at their end`);
    const { testFiles } = await project.globTestFiles();
    if (project.vitest.state.getFiles().length < testFiles.length) return;
    if (project.config.testNamePattern !== undefined) return;
    for (const [name, least] of Object.entries(AT_LEAST[project.name] ?? {})) {
      const was = sum[name as keyof LeakCount];
      if (was < least) throw new Error(`only ${was} ${name} were searched for credentials, of ${least}`);
    }
  };
}
