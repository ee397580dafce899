import { describe, expect, test } from "vitest";
import type { TurnOutcome } from "../../src/codex/backend.ts";
import type { CodexEvent, FileChange } from "../../src/codex/events.ts";
import type { SeenChange } from "../../src/codex/seen-changes.ts";
import type { ChangeWatch, SeenChanges } from "../../src/jobs/change-watch.ts";
import { toChangesNote } from "../../src/jobs/changes-note.ts";
import { createWatchedBackend } from "../../src/jobs/watched-backend.ts";
import { settle } from "../support/fake-clock.ts";
import { grantForTest } from "../support/grant.ts";
import { createScriptedBackend, type ScriptedTurn } from "../support/scripted-backend.ts";
import { startRunner, terms } from "./start-runner.ts";

const command: CodexEvent = { type: "command-started", command: "sed -i s/a/b/ a.txt" };
const usage = { inputTokens: 1, cachedInputTokens: 0, outputTokens: 1, reasoningOutputTokens: 0 };
const writing = { grant: grantForTest({ ...terms, sandbox: "workspace-write" }) };
const PATCHED_AT = 1_000;
const patched: FileChange = { path: "a.txt", kind: "update", additions: 3, deletions: 2 };

/** A watch that sees what it is told, and says what was asked of it. */
function scriptedWatch(seen: Partial<SeenChanges> = {}) {
  const asked: string[] = [];
  const looked = Promise.withResolvers<void>();
  const watch: ChangeWatch = {
    begin(root) {
      asked.push(`begin ${root}`);
      return {
        looked: looked.promise,
        async changes() {
          asked.push("changes");
          const { changes = [], total = changes.length, gap = null } = seen;
          return { changes, total, gap };
        },
        release() {
          asked.push("release");
        },
      };
    },
  };
  return { watch, asked, look: () => looked.resolve() };
}

/** Runs one write turn that plays `play`; the job as it ended, and what the watch was asked. */
async function run(
  seen: Partial<SeenChanges>,
  play: (turn: ScriptedTurn) => void,
  fields: { readonly grant: typeof writing.grant } | object = writing,
) {
  const backend = createScriptedBackend();
  const { watch, asked, look } = scriptedWatch(seen);
  look();
  backend.script("work", play);
  const started = startRunner({ backend: createWatchedBackend(backend, watch, { now: () => PATCHED_AT }) });
  const { jobId } = await started.start(fields);
  await settle();
  return { ...started, look: started.job, job: await started.job(jobId), asked };
}

const withCommand =
  (outcome: Partial<TurnOutcome> = {}) =>
  (turn: ScriptedTurn) => {
    turn.tell(command);
    turn.end(outcome);
  };

describe("a turn that may write", () => {
  test("tells what commands changed after what patches changed, without counts", async () => {
    const changes: SeenChange[] = [
      { path: "b.txt", kind: "add", changedAt: null },
      { path: "a.txt", kind: "update", changedAt: null },
    ];
    const { job, asked } = await run({ changes }, withCommand({ changes: [patched], diff: "+a" }));
    expect(job.changes).toEqual([patched, { path: "b.txt", kind: "add", additions: null, deletions: null }]);
    expect(job).toMatchObject({ state: "completed", diff: "+a", diffTruncated: false });
    expect(job.commandChanges).toEqual({ files: 1, unlisted: 0, patchedToo: 0, gap: null });
    expect(job.progress.filesChanged).toBe(2);
    expect(toChangesNote(job)).toMatch(/^1 file was changed by commands .* the diff does not show what/);
    expect(asked).toEqual([`begin ${terms.root.path}`, "changes", "release"]);
  });

  test("a patched file that a command deleted is deleted, one that is as before stays as the patch told it", async () => {
    const other = { ...patched, path: "c.txt" };
    const changes: SeenChange[] = [{ path: "a.txt", kind: "delete", changedAt: null }];
    const { job } = await run({ changes }, withCommand({ changes: [patched, other] }));
    expect(job.changes).toEqual([{ ...patched, kind: "delete" }, other]);
    expect(toChangesNote(job)).toMatch(/^1 patched file was changed again later: /);
  });

  test.each([
    ["at the time of its patch", PATCHED_AT, null],
    ["later", PATCHED_AT + 2, expect.stringMatching(/^1 patched file was changed again later: /)],
  ])("a patched file that changed %s", async (_name, changedAt, note) => {
    const changes: SeenChange[] = [{ path: "a.txt", kind: "update", changedAt }];
    const { job } = await run({ changes }, (turn) => {
      turn.tell({ type: "changes", changes: [patched], diff: null });
      withCommand({ changes: [patched] })(turn);
    });
    expect(job.changes).toEqual([patched]);
    expect(toChangesNote(job)).toEqual(note);
  });

  test("a file that a patch moved is the patch's, under both its names", async () => {
    const moved = { ...patched, path: "new.txt", movedFrom: "old.txt" };
    const changes: SeenChange[] = [
      { path: "old.txt", kind: "delete", changedAt: null },
      { path: "new.txt", kind: "add", changedAt: PATCHED_AT },
    ];
    const { job } = await run({ changes }, (turn) => {
      turn.tell({ type: "changes", changes: [moved], diff: null });
      withCommand({ changes: [moved] })(turn);
    });
    expect(job.changes).toEqual([{ ...patched, path: "new.txt" }]);
    expect(job.commandChanges).toEqual({ files: 0, unlisted: 0, patchedToo: 0, gap: null });
    expect(toChangesNote(job)).toBeNull();
  });

  test("more than the list holds is counted and said", async () => {
    const changes = Array.from({ length: 500 }, (_, n): SeenChange => ({
      path: `${n}`,
      kind: "add",
      changedAt: null,
    }));
    const { job } = await run({ changes, total: 5_000 }, withCommand({ changes: [patched] }));
    expect(job.changes).toHaveLength(500);
    expect(job.changes[0]).toEqual(patched);
    expect(job.progress.filesChanged).toBe(5_001);
    expect(job.diffTruncated).toBe(true);
    expect(toChangesNote(job)).toContain("The list has 500 of 5001 changed files.");
  });

  test("a gap is said", async () => {
    const { job } = await run({ gap: "too_large" }, withCommand());
    expect(job.changes).toEqual([]);
    expect(toChangesNote(job)).toMatch(/^The project is too large .* may be changes that are not listed\.$/);
  });

  test("one that only answered is not looked at again", async () => {
    const { job, asked } = await run({ gap: "failed" }, (turn) => {
      turn.tell({ type: "usage", usage });
      turn.end();
    });
    expect(asked).toEqual([`begin ${terms.root.path}`, "release"]);
    expect(job.commandChanges).toBeNull();
  });

  test.each<[string, Partial<TurnOutcome>]>([
    [
      "failed",
      { answer: null, failure: { code: "codex_failed", kind: "other", message: "no", retryable: false } },
    ],
    ["interrupted", { answer: null, failure: { code: "interrupted", reason: "The Codex process ended." } }],
  ])("one that %s tells its changes too", async (_name, outcome) => {
    const changes: SeenChange[] = [{ path: "b.txt", kind: "delete", changedAt: null }];
    const { job } = await run({ changes }, withCommand(outcome));
    expect(job.state).toBe("failed");
    expect(job.changes).toEqual([{ path: "b.txt", kind: "delete", additions: null, deletions: null }]);
  });

  test("one that is cancelled tells its changes too", async () => {
    const changes: SeenChange[] = [{ path: "b.txt", kind: "add", changedAt: null }];
    const begun = await run({ changes }, (turn) => turn.tell(command));
    expect(begun.job.state).toBe("running");
    begun.runner.cancel(begun.job.jobId, "caller");
    expect(await begun.endOf(begun.job.jobId)).toBe("cancelled");
    expect((await begun.look(begun.job.jobId)).changes.map(({ path }) => path)).toEqual(["b.txt"]);
  });

  test("its paths are redacted like everything that leaves", async () => {
    const backend = createScriptedBackend();
    const { watch, look } = scriptedWatch({
      changes: [{ path: "secret-123/x", kind: "add", changedAt: null }],
    });
    look();
    backend.script("work", withCommand());
    const { start, job } = startRunner({
      backend: createWatchedBackend(backend, watch, { now: () => PATCHED_AT }),
      redact: (text) => text.replaceAll("secret-123", "[redacted]"),
    });
    const { jobId } = await start(writing);
    await settle();
    expect(JSON.stringify(await job(jobId))).not.toContain("secret-123");
    expect((await job(jobId)).changes).toMatchObject([{ path: "[redacted]/x" }]);
  });

  test("does not begin before the first look is over, and ends without one where it is cancelled", async () => {
    const backend = createScriptedBackend();
    const { watch, asked, look } = scriptedWatch();
    const { runner, start, endOf } = startRunner({
      backend: createWatchedBackend(backend, watch, { now: () => PATCHED_AT }),
    });
    const cancelled = await start(writing);
    const waiting = await start(writing);
    await settle();
    expect(backend.turns).toHaveLength(0);
    runner.cancel(cancelled.jobId, "caller");
    expect(await endOf(cancelled.jobId)).toBe("cancelled");
    expect(asked).not.toContain("changes");
    look();
    (await backend.turn(1)).end();
    expect(await endOf(waiting.jobId)).toBe("completed");
  });
});

test("a turn that may not write is not looked at at all", async () => {
  const { job, asked } = await run({ gap: "failed" }, withCommand(), {});
  expect(job).toMatchObject({ state: "completed", changes: [], commandChanges: null });
  expect(asked).toEqual([]);
});
