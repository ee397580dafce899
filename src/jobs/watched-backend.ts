/**
 * A CodexBackend whose write turns also tell what their commands changed: the project is looked at before the turn, and
 * again after it when commands may have run. Turns that may not write pay nothing; turns without commands pay the look
 * before, which the turn waits for while its thread is opened.
 */
import type { CodexBackend } from "../codex/backend.ts";
import type { Clock } from "../lib/clock.ts";
import type { ChangeWatch } from "./change-watch.ts";
import { mergeSeenChanges } from "./merge-changes.ts";
import { createTurnActivity } from "./turn-activity.ts";

export function createWatchedBackend(
  backend: CodexBackend,
  watch: ChangeWatch,
  clock: Pick<Clock, "now">,
): CodexBackend {
  return {
    get kind() {
      return backend.kind;
    },
    connect: async (signal) => backend.connect(signal),
    readTurn: async (turn) => backend.readTurn(turn),
    close: async () => backend.close(),

    async runTurn(request, onEvent, signal) {
      if (request.grant.sandbox !== "workspace-write") return backend.runTurn(request, onEvent, signal);
      const tree = watch.begin(request.grant.root.path);
      const activity = createTurnActivity(clock);
      try {
        const outcome = await backend.runTurn(
          { ...request, beforeTurn: tree.looked },
          (event) => {
            activity.hear(event);
            onEvent(event);
          },
          signal,
        );
        if (!activity.hasBegun() || !activity.mayHaveRunCommands(outcome.failure === null)) return outcome;
        const merged = mergeSeenChanges(outcome, await tree.changes(signal), (path) =>
          activity.patchedAt(path),
        );
        const { changes, diff } = merged;
        if (changes.length > outcome.changes.length) onEvent({ type: "changes", changes, diff });
        return merged;
      } finally {
        tree.release();
      }
    },
  };
}
