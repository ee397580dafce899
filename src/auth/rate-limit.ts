/** How often somebody may: so many times a minute for each key, in bounded memory. Never waits, never knows a request. */
export interface RateLimit {
  /** 0: go on, this one is counted. Else the ms until the next is possible; a refused one is not counted. */
  take(key: string): number;
}

const MINUTE_MS = 60_000;
/** So many strangers are told apart; those beyond share one count. */
const MAX_KEYS = 10_000;
const SWEEP_EVERY_MS = 1_000;

/**
 * A whole minute's worth may come at once, after that they come evenly. `perMinute` 0: as often as they like.
 * `monotonic` gives ms.
 */
export function createRateLimit(perMinute: number, monotonic: () => number, maxKeys = MAX_KEYS): RateLimit {
  if (perMinute === 0) return { take: () => 0 };
  const interval = MINUTE_MS / perMinute;
  const latest = MINUTE_MS - interval;
  /** When each would be even again, had they come evenly (GCRA); nobody is kept whose time has passed. */
  const evenAt = new Map<string, number>();
  let sweptAt = -Infinity;

  return {
    take(key) {
      const now = monotonic();
      const known = evenAt.has(key) || hasRoom(now) ? key : "";
      const from = Math.max(evenAt.get(known) ?? now, now);
      const wait = from - now - latest;
      // Sums of fractions: a millionth of a millisecond is nobody's fault.
      if (wait > 1e-6) return Math.max(1, wait);
      evenAt.set(known, from + interval);
      return 0;
    },
  };

  function hasRoom(now: number): boolean {
    if (evenAt.size < maxKeys) return true;
    if (now - sweptAt < SWEEP_EVERY_MS) return false;
    sweptAt = now;
    for (const [key, at] of evenAt) if (at <= now) evenAt.delete(key);
    return evenAt.size < maxKeys;
  }
}
