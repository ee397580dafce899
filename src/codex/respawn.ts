/**
 * Keeps one live connection to a process that may die: starts it when it is needed, shares one start among all
 * callers, and waits longer after each death that came soon after a start. Never restarts while nobody asks.
 */
import type { Clock } from "../lib/clock.ts";
import type { Result } from "../lib/result.ts";

export interface Mortal {
  /** Settles when the connection is dead for good. */
  readonly ended: Promise<unknown>;
  close(): Promise<void>;
}

export interface Respawner<T extends Mortal, F> {
  /** The live connection, started now if there is none. A failed start is not cached. */
  acquire(): Promise<Result<T, F>>;
  /** The live connection, or null; starts nothing. */
  current(): T | null;
  /** Lets go of this connection, so that the next `acquire` starts a new one; does not close it. */
  retire(connection: T): void;
  /** How many times a connection was started. */
  starts(): number;
  close(): Promise<void>;
}

const SHORT_LIFE_MS = 10_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;

export function createRespawner<T extends Mortal, F>(
  /** `signal`: nobody wants the process any more. */
  start: (signal: AbortSignal) => Promise<Result<T, F>>,
  closed: () => F,
  clock: Clock,
): Respawner<T, F> {
  let live: T | null = null;
  let starting: Promise<Result<T, F>> | null = null;
  let shortLives = 0;
  let notBefore = 0;
  let starts = 0;
  let isClosed = false;
  const closing = new AbortController();
  let endWait = (): void => {};

  /** The first restart is immediate (a single crash must not cost the next call); a crash loop is slowed. */
  function noteDeath(bornAt: number): void {
    shortLives = clock.monotonic() - bornAt < SHORT_LIFE_MS ? shortLives + 1 : 0;
    if (shortLives > 1) {
      notBefore = clock.monotonic() + Math.min(FIRST_WAIT_MS * 2 ** (shortLives - 2), LONGEST_WAIT_MS);
    }
  }

  async function startOnce(): Promise<Result<T, F>> {
    const waitMs = notBefore - clock.monotonic();
    if (waitMs > 0) {
      await new Promise<void>((resolve) => {
        const stopTimer = clock.after(waitMs, resolve);
        endWait = () => {
          stopTimer();
          resolve();
        };
      });
    }
    if (isClosed) return { ok: false, failure: closed() };
    starts += 1;
    const bornAt = clock.monotonic();
    const result = await start(closing.signal);
    if (!result.ok) {
      noteDeath(bornAt);
      return result;
    }
    const connection = result.value;
    if (isClosed) {
      await connection.close();
      return { ok: false, failure: closed() };
    }
    live = connection;
    void connection.ended.then(() => {
      if (live === connection) live = null;
      noteDeath(bornAt);
    });
    return result;
  }

  return {
    async acquire() {
      if (isClosed) return { ok: false, failure: closed() };
      if (live !== null) return { ok: true, value: live };
      starting ??= startOnce().finally(() => {
        starting = null;
      });
      return starting;
    },
    current: () => live,
    retire(connection) {
      if (live === connection) live = null;
    },
    starts: () => starts,
    async close() {
      isClosed = true;
      closing.abort();
      const last = live;
      live = null;
      endWait();
      await starting?.catch(() => {});
      await last?.close();
    },
  };
}
