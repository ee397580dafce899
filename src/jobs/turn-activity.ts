/**
 * Whether a turn may have run commands. Codex tells of most commands, but not of all: one that its sandbox denied
 * something and that failed is never told (measured on 0.153.4 and 0.169.0), though it may have changed files before.
 * So the responses of the model are counted too: each but the last one called some tool. One may make several patches,
 * told before or after its tokens; what comes between two counts is taken for one response's. Pure.
 */
import type { CodexEvent } from "../codex/events.ts";
import type { Clock } from "../lib/clock.ts";

export interface TurnActivity {
  hear(event: CodexEvent): void;
  hasBegun(): boolean;
  /** When a patch last changed this file; null: none did. */
  patchedAt(path: string): number | null;
  /** False only when all that the turn did was to answer and to patch files. */
  mayHaveRunCommands(completed: boolean): boolean;
}

export function createTurnActivity(clock: Pick<Clock, "now">): TurnActivity {
  let begun = false;
  let ranSomething = false;
  let responses = 0;
  let patching = 0;
  let isPatching = false;
  let lastUsage = "";
  const lastPatches = new Map<string, { readonly change: string; readonly at: number }>();

  return {
    hear(event) {
      switch (event.type) {
        case "turn":
          begun = true;
          return;
        case "command-started":
        case "command-finished":
        case "tool":
          ranSomething = true;
          return;
        case "usage": {
          const usage = JSON.stringify(event.usage);
          if (usage === lastUsage) return;
          responses += 1;
          lastUsage = usage;
          isPatching = false;
          return;
        }
        case "changes": {
          for (const one of event.changes) {
            const change = JSON.stringify(one);
            if (lastPatches.get(one.path)?.change === change) continue;
            lastPatches.set(one.path, { change, at: clock.now() });
            if (!isPatching) patching += 1;
            isPatching = true;
          }
          return;
        }
        default:
      }
    },
    hasBegun: () => begun,
    patchedAt: (path) => lastPatches.get(path)?.at ?? null,
    mayHaveRunCommands: (completed) =>
      ranSomething || !completed || responses === 0 || responses - 1 > patching,
  };
}
