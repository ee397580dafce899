/**
 * The values that the look through each project saw, for the redactor. In memory only: never logged, never stored,
 * never counted out to anybody.
 */

export interface ScannedSecrets {
  /** What the newest look through this project saw; `isWhole` false: it did not see everything, so earlier values stay. */
  replace(project: string, values: Iterable<string>, isWhole: boolean): void;
  values(): readonly string[];
  /** Grows with every change of `values`. */
  version(): number;
}

/** Each value makes the redactor look a little longer; a project with more has other problems. */
const MAX_VALUES = 500;
const MAX_CHARACTERS = 64 * 1024;

export function createScannedSecrets(): ScannedSecrets {
  const byProject = new Map<string, ReadonlySet<string>>();
  let version = 0;
  return {
    replace(project, values, isWhole) {
      const before = byProject.get(project) ?? new Set<string>();
      const after = bounded(isWhole ? values : [...before, ...values]);
      if (after.size === before.size && [...after].every((value) => before.has(value))) return;
      byProject.set(project, after);
      version += 1;
    },
    values() {
      const all = new Set<string>();
      for (const values of byProject.values()) for (const value of values) all.add(value);
      return [...all];
    },
    version: () => version,
  };
}

function bounded(values: Iterable<string>): Set<string> {
  const kept = new Set<string>();
  let characters = 0;
  for (const value of values) {
    if (kept.has(value)) continue;
    characters += value.length;
    if (kept.size >= MAX_VALUES || characters > MAX_CHARACTERS) break;
    kept.add(value);
  }
  return kept;
}
