/** What somebody probably meant by a word that is not known. Pure. */

/** The known word that is at most two slips away, or begins with what was typed; null where there is none or several. */
export function nearest(typed: string, known: readonly string[]): string | null {
  const begun = typed.length < 2 ? [] : known.filter((word) => word.startsWith(typed));
  if (begun.length === 1) return begun[0] ?? null;
  const rated = known
    .map((word) => ({ word, slips: distance(typed, word) }))
    .filter(({ word, slips }) => slips <= Math.min(2, Math.floor(word.length / 3)))
    .toSorted((a, b) => a.slips - b.slips);
  const [first, second] = rated;
  return first === undefined || first.slips === second?.slips ? null : first.word;
}

/** Damerau's: letters added, left out, changed, or two neighbours swapped. */
function distance(a: string, b: string): number {
  let twoBefore: number[] = [];
  let before = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const changed = (before[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const added = Math.min(before[j] ?? 0, row[j - 1] ?? 0) + 1;
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? (twoBefore[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      row.push(Math.min(changed, added, swapped));
    }
    twoBefore = before;
    before = row;
  }
  return before[b.length] ?? 0;
}
