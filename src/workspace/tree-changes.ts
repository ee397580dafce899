/**
 * Gathers changes, as many as can be told and the number of the others. Places in which little changed come first: a
 * few edits are not lost among thousands of built files. Pure.
 */
import type { FileChange } from "../codex/events.ts";
import { below } from "./walk.ts";

export interface FoundChanges {
  /** `directory` and `names` as bytes. */
  add(directory: string, names: readonly string[], kind: FileChange["kind"]): void;
  total(): number;
  /** Paths as bytes. `isInside` is asked once for each directory that is said to hold something. */
  list(limits: ListLimits, isInside: (directory: string) => boolean): FoundChange[];
}

export interface FoundChange {
  readonly path: string;
  readonly kind: FileChange["kind"];
}

export interface ListLimits {
  readonly maxChanges: number;
  readonly maxBytes: number;
}

interface Group {
  readonly directory: string;
  readonly kept: { readonly name: string; readonly kind: FileChange["kind"] }[];
  total: number;
}

const MAX_KEPT_IN_ONE = 500;
const MAX_KEPT = 20_000;

export function createFoundChanges(): FoundChanges {
  const groups = new Map<string, Group>();
  let total = 0;
  let kept = 0;

  /** The largest are told last, and there is more than enough to tell before them. */
  function dropLargest(): void {
    for (const group of [...groups.values()].toSorted((a, b) => b.total - a.total)) {
      if (kept <= MAX_KEPT / 2) return;
      kept -= group.kept.length;
      groups.delete(group.directory);
    }
  }

  return {
    add(directory, names, kind) {
      if (names.length === 0) return;
      total += names.length;
      const group = groups.get(directory) ?? { directory, kept: [], total: 0 };
      groups.set(directory, group);
      group.total += names.length;
      for (const name of names.slice(0, MAX_KEPT_IN_ONE - group.kept.length)) {
        group.kept.push({ name, kind });
        kept += 1;
      }
      if (kept > MAX_KEPT) dropLargest();
    },

    total: () => total,

    list({ maxChanges, maxBytes }, isInside) {
      const listed: FoundChange[] = [];
      let bytes = 0;
      const order = [...groups.values()].toSorted(
        (a, b) => a.total - b.total || compareText(a.directory, b.directory),
      );
      for (const group of order) {
        if (listed.length >= maxChanges || bytes >= maxBytes) break;
        for (const { name, kind } of surely(group, isInside).toSorted((a, b) =>
          compareText(a.name, b.name),
        )) {
          const path = below(group.directory, name);
          bytes += path.length;
          if (listed.length >= maxChanges || bytes > maxBytes) break;
          listed.push({ path, kind });
        }
      }
      return listed;
    },
  };
}

/** What was deleted was there before; of the rest, only what truly lies in the project. */
function surely({ directory, kept }: Group, isInside: (directory: string) => boolean): Group["kept"] {
  const isOld = kept.every(({ kind }) => kind === "delete");
  return isOld || isInside(directory) ? kept : kept.filter(({ kind }) => kind === "delete");
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
