/** Randomness that a failing test can repeat: the same seed gives the same numbers (mulberry32). */
export interface SeededRandom {
  /** A whole number from 0 up to, but not including, `below`. */
  below(below: number): number;
  pick<T>(from: readonly T[]): T;
}

export function createSeededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
  return {
    below,
    pick<T>(from: readonly T[]): T {
      const index = below(from.length);
      if (index >= from.length) throw new Error("nothing to pick from");
      return from[index] as T;
    },
  };
}
