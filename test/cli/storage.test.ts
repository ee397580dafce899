import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openStorage } from "../../src/cli/storage.ts";
import { loadConfigFor } from "../../src/cli/flags.ts";
import { silentLog } from "../../src/lib/log.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createFakeTerminal } from "./fake-terminal.ts";
import { BORN, finished, jobRecord } from "../support/job-records.ts";

const HOUR_MS = 3_600_000;

test("jobs that grow too old go while nothing happens, a few at a time", async () => {
  const stateDir = mkdtempSync(join(tmpdir(), "storage-"));
  const environment = {
    HOME: stateDir,
    CODEX_GPT_BRIDGE_STATE_DIR: stateDir,
    CODEX_GPT_BRIDGE_JOB_KEEP_DAYS: "1",
  };
  const loaded = await loadConfigFor(createFakeTerminal(environment, "/usr/share"), {});
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.failure));
  const clock = createFakeClock(BORN);
  const opened = await openStorage(loaded.value, clock, silentLog);
  if (!opened.ok) throw new Error(opened.failure);
  const { jobs } = opened.value;
  for (let n = 0; n < 50; n += 1) {
    const job = jobRecord(`job-${n}`);
    await jobs.insert(job);
    await jobs.save(finished(job), []);
  }
  await clock.advance(23 * HOUR_MS);
  expect(await jobs.count()).toBe(50);
  await clock.advance(2 * HOUR_MS + 5_000);
  expect(await jobs.count()).toBe(1); // never the newest
  await opened.value.close();
  expect(clock.pending()).toBe(0);
  rmSync(stateDir, { recursive: true });
});
