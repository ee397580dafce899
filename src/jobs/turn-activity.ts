/**
 * Whether a turn may have run commands. Codex tells of most commands, but not of all: one that its sandbox denied
 * something and that failed is never told (measured on 0.153.4 and 0.169.0), though it may have changed files before.
 * So the responses of the model are counted too: each but the last one called some tool. Pure.
 */
import type { CodexEvent } from "../codex/events.ts";

export interface TurnActivity {
  hear(event: CodexEvent): void;
  hasBegun(): boolean;
  /** False only when all that the turn did was to answer and to patch files. */
  mayHaveRunCommands(completed: boolean): boolean;
}

export function createTurnActivity(): TurnActivity {
  let begun = false;
  let ranSomething = false;
  let responses = 0;
  let patches = 0;
  let lastUsage = "";
  let lastChanges = "[]";

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
          if (usage !== lastUsage) responses += 1;
          lastUsage = usage;
          return;
        }
        case "changes": {
          const changes = JSON.stringify(event.changes);
          if (changes !== lastChanges) patches += 1;
          lastChanges = changes;
          return;
        }
        default:
      }
    },
    hasBegun: () => begun,
    mayHaveRunCommands: (completed) =>
      ranSomething || !completed || responses === 0 || responses - 1 > patches,
  };
}
