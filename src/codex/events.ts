/** What a turn tells while it runs, in the bridge's own words; every backend translates into these. */
export type CodexEvent =
  /** First event of a turn: the thread that Codex itself named in its protocol, never one from model text. */
  | { readonly type: "thread"; readonly threadId: string }
  | { readonly type: "turn"; readonly turnId: string }
  | { readonly type: "command-started"; readonly command: string }
  | {
      readonly type: "command-finished";
      readonly command: string;
      readonly exitCode: number | null;
      readonly output: string;
    }
  /** All changes of the turn so far. */
  | { readonly type: "changes"; readonly changes: readonly FileChange[]; readonly diff: string | null }
  | { readonly type: "message"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  | { readonly type: "tool"; readonly name: string; readonly ok: boolean | null }
  | { readonly type: "usage"; readonly usage: Usage }
  /** Codex asked for something that nobody can give (approval, question, elicitation) and was told no. */
  | { readonly type: "declined"; readonly what: string; readonly reason: string }
  | { readonly type: "retrying"; readonly message: string }
  | { readonly type: "warning"; readonly message: string };

/** `path` is relative to the project's root where it lies below it. Counts are null where a command changed the file. */
export interface FileChange {
  readonly path: string;
  readonly kind: "add" | "update" | "delete";
  readonly additions: number | null;
  readonly deletions: number | null;
  /** The file's name before the turn, where a patch gave it another. */
  readonly movedFrom?: string;
}

/** Tokens of one turn. */
export interface Usage {
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
  readonly reasoningOutputTokens: number;
}
