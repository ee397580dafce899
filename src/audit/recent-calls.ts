/** The newest calls that reached the bridge, in memory: the quick proof that a call did or did not arrive. */

export interface RecentCall {
  /** ISO 8601. */
  readonly at: string;
  readonly tool: string;
  /** "answered", or the code of the refusal. */
  readonly outcome: string;
  readonly requestId: string;
}

export interface RecentCalls {
  note(subject: string, call: RecentCall): void;
  /** Newest first. */
  of(subject: string): RecentCall[];
}

const KEPT = 20;

export function createRecentCalls(): RecentCalls {
  const bySubject = new Map<string, RecentCall[]>();
  return {
    note(subject, call) {
      bySubject.set(subject, [call, ...(bySubject.get(subject) ?? [])].slice(0, KEPT));
    },
    of: (subject) => bySubject.get(subject) ?? [],
  };
}
