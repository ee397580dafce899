/**
 * The port to what is remembered of questions: what they cost or may cost, and which responses can be collected. Shared
 * by all processes on one state directory. Never holds a question or an answer.
 */
import type { Usage } from "../codex/events.ts";
import type { Result } from "../lib/result.ts";
import type { AskFailure } from "./ask-failure.ts";
import type { Caps } from "./budget.ts";

export interface NewAsk {
  readonly callId: string;
  /** The project's root; null: none. */
  readonly project: string | null;
  readonly model: string;
  readonly effort: string | null;
  readonly background: boolean;
  /** The most that it may cost; 0 where that is not known. */
  readonly heldUsd: number;
  /** ms since the epoch. */
  readonly now: number;
}

export interface StoredAsk extends Omit<NewAsk, "now"> {
  readonly responseId: string;
  readonly createdAt: number;
  readonly isSettled: boolean;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface Settlement {
  /** null: there is no price. */
  readonly costUsd: number | null;
  readonly usage: Usage | null;
}

/**
 * Every method is done for all processes when it returns. Throws where the disk or the file does not let it: then nothing
 * may be asked.
 */
export interface Ledger {
  /** Holds the money for a call, or says which cap is closed: one decision at a time, whoever asks. */
  reserve(ask: NewAsk, caps: Caps): Result<null, AskFailure>;
  /** From here on OpenAI may have been paid. Until `renew` is not called for a while, the call counts as running. */
  sent(callId: string): void;
  renew(callIds: readonly string[], now: number): void;
  /** OpenAI has begun: the answer can be collected, whatever becomes of this process. */
  accepted(callId: string, responseId: string): void;
  settle(callId: string, settlement: Settlement): void;
  /** The newest that can be collected, of this project. */
  newest(project: string | null): StoredAsk | null;
  byResponse(responseId: string): StoredAsk | null;
  close(): void;
}
