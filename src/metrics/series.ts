/**
 * Numbers by label, kept as plain values: adding costs a map lookup and no library. Label values come from the code
 * (tool names, refusal codes, states), so that a series never grows with what callers send.
 */
export type Labels<Name extends string> = Readonly<Record<Name, string>>;

export interface Counts<Name extends string> {
  add(labels: Labels<Name>, by?: number): void;
  all(): readonly { readonly labels: Labels<Name>; readonly value: number }[];
}

export function createCounts<Name extends string>(): Counts<Name> {
  const cells = new Map<string, { readonly labels: Labels<Name>; value: number }>();
  return {
    add(labels, by = 1) {
      const key = keyOf(labels);
      const cell = cells.get(key);
      if (cell === undefined) cells.set(key, { labels, value: by });
      else cell.value += by;
    },
    all: () => [...cells.values()],
  };
}

export interface Distribution<Name extends string> {
  readonly labels: Labels<Name>;
  /** How many were at most as long as the bound in the same place; the last one counts all. */
  readonly cumulated: readonly number[];
  readonly count: number;
  readonly sumSeconds: number;
}

export interface Durations<Name extends string> {
  /** Upper ends in seconds, ascending. */
  readonly boundsSeconds: readonly number[];
  add(labels: Labels<Name>, elapsedMs: number): void;
  all(): readonly Distribution<Name>[];
}

interface Cell<Name extends string> {
  readonly labels: Labels<Name>;
  readonly counts: number[];
  sumMs: number;
}

export function createDurations<Name extends string>(boundsSeconds: readonly number[]): Durations<Name> {
  const cells = new Map<string, Cell<Name>>();
  return {
    boundsSeconds,
    add(labels, elapsedMs) {
      const key = keyOf(labels);
      let cell = cells.get(key);
      if (cell === undefined) {
        cell = { labels, counts: boundsSeconds.map(() => 0), sumMs: 0 };
        cell.counts.push(0);
        cells.set(key, cell);
      }
      const bound = boundsSeconds.findIndex((seconds) => elapsedMs <= seconds * 1_000);
      const place = bound === -1 ? boundsSeconds.length : bound;
      cell.counts[place] = (cell.counts[place] ?? 0) + 1;
      cell.sumMs += elapsedMs;
    },
    all: () => [...cells.values()].map(toDistribution),
  };
}

function toDistribution<Name extends string>({ labels, counts, sumMs }: Cell<Name>): Distribution<Name> {
  let count = 0;
  const cumulated = counts.map((inPlace) => (count += inPlace));
  return { labels, cumulated, count, sumSeconds: sumMs / 1_000 };
}

function keyOf(labels: Readonly<Record<string, string>>): string {
  return Object.values(labels).join("\n");
}
