/** The ledger as one process uses it: what a call holds is renewed as long as the call lives here. */
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { ok, type Result } from "../lib/result.ts";
import type { AskFailure } from "./ask-failure.ts";
import type { Caps } from "./budget.ts";
import type { Ledger, NewAsk, Settlement, StoredAsk } from "./ledger.ts";

export interface Hold {
  /** Right before the question leaves. */
  sent(): void;
  accepted(responseId: string): void;
  settle(settlement: Settlement): void;
  /** The call is over here. What is not settled by then is settled by whoever collects the answer; else it counts on. */
  leave(): void;
}

export interface Purse {
  hold(ask: Omit<NewAsk, "now">): Result<Hold, AskFailure>;
  newest(project: string | null): StoredAsk | null;
  byResponse(responseId: string): StoredAsk | null;
  /** For an answer that is collected later. */
  settle(callId: string, settlement: Settlement): void;
  close(): void;
}

const RENEW_EVERY_MS = 15_000;

export function createPurse(ledger: Ledger, caps: Caps, clock: Clock, log: Log): Purse {
  const live = new Set<string>();
  let stopTimer: (() => void) | null = null;

  function renewLater(): void {
    stopTimer ??= clock.after(RENEW_EVERY_MS, () => {
      stopTimer = null;
      if (live.size === 0) return;
      try {
        ledger.renew([...live], clock.now());
      } catch (error) {
        log.warn({ err: error }, "what running calls hold could not be renewed");
      }
      renewLater();
    });
  }

  /** The answer is there and paid: that its cost cannot be written down is no reason to lose it. */
  function settle(callId: string, settlement: Settlement): void {
    live.delete(callId);
    try {
      ledger.settle(callId, settlement);
    } catch (error) {
      log.error(
        { err: error, callId },
        "the cost of a call could not be written down; it counts as the most it may be",
      );
    }
  }

  return {
    hold(ask) {
      const { callId } = ask;
      const reserved = ledger.reserve({ ...ask, now: clock.now() }, caps);
      if (!reserved.ok) return reserved;
      live.add(callId);
      renewLater();
      return ok({
        sent() {
          ledger.sent(callId);
        },
        accepted(responseId) {
          try {
            ledger.accepted(callId, responseId);
          } catch (error) {
            log.error(
              { err: error, callId, responseId },
              "the response could not be remembered; keep its id",
            );
          }
        },
        settle(settlement) {
          settle(callId, settlement);
        },
        leave() {
          live.delete(callId);
        },
      });
    },
    newest: (project) => ledger.newest(project),
    byResponse: (responseId) => ledger.byResponse(responseId),
    settle,
    close() {
      stopTimer?.();
      ledger.close();
    },
  };
}
