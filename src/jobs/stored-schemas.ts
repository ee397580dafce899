/** What stored jobs and threads look like. One by one they are read through stored.ts. */
import { z } from "zod";
import { GAPS } from "../codex/seen-changes.ts";
import type { Failure } from "../policy/failure.ts";

const text = z.string();
const time = z.number();
const count = z.number().int().nonnegative();
const sandbox = z.enum(["read-only", "workspace-write"]);

export const jobRecord = z.strictObject({
  version: z.literal(1),
  jobId: text,
  tool: z.enum(["codex_read", "codex_run", "codex_reply"]),
  caller: text,
  conversation: text.nullable(),
  requestId: text.nullable(),
  fingerprint: text,
  project: text,
  sandbox,
  state: z.enum(["queued", "running", "waiting", "completed", "failed", "cancelled"]),
  createdAt: time,
  startedAt: time.nullable(),
  finishedAt: time.nullable(),
  limitMs: time,
  threadId: text.nullable(),
  turnId: text.nullable(),
  lastMessage: text.nullable(),
  answer: text.nullable(),
  answerTruncated: z.boolean(),
  wantsOutput: z.boolean(),
  output: z.unknown(),
  changes: z.array(
    z.strictObject({
      path: text,
      kind: z.enum(["add", "update", "delete"]),
      additions: count.nullable(),
      deletions: count.nullable(),
    }),
  ),
  // Not in rows of the first versions.
  commandChanges: z
    .strictObject({ files: count, unlisted: count, patchedToo: count, gap: z.enum(GAPS).nullable() })
    .nullable()
    .default(null),
  diff: text.nullable(),
  diffTruncated: z.boolean(),
  usage: z
    .strictObject({
      inputTokens: z.number(),
      cachedInputTokens: z.number(),
      outputTokens: z.number(),
      reasoningOutputTokens: z.number(),
    })
    .nullable(),
  progress: z.strictObject({
    phase: z.enum(["queued", "starting", "thinking", "running a command", "editing files", "finished"]),
    commands: count,
    filesChanged: count,
    lastEvent: text.nullable(),
  }),
  // Its codes are the bridge's own (policy/failure.ts); the type there is the only list of them.
  failure: z.custom<Failure>((value) => z.looseObject({ code: text }).safeParse(value).success).nullable(),
});

export const threadRecord = z.strictObject({
  version: z.literal(1),
  threadId: text,
  caller: text,
  project: text,
  cwd: text,
  sandbox,
  model: text.nullable(),
  effort: text.nullable(),
  createdAt: time,
  usedAt: time,
});
