/**
 * The parts of the app-server protocol that the bridge reads, as measured on 0.153.4 and 0.169.0 (the binary prints
 * its own schema: `codex app-server generate-ts`). Everything is loose: Codex adds fields, values and whole
 * notifications with every version, and none of them may break a turn.
 */
import { z } from "zod";

export const initializeResult = z.looseObject({ userAgent: z.string().catch("") });

export const accountResult = z.looseObject({
  account: z.unknown().optional(),
  requiresOpenaiAuth: z.boolean(),
});

export const configResult = z.looseObject({
  config: z.looseObject({ mcp_servers: z.record(z.string(), z.unknown()).nullish() }),
});

/** Answer to thread/start, thread/resume and thread/fork. */
export const threadResult = z.looseObject({
  thread: z.looseObject({ id: z.string() }),
  activePermissionProfile: z.looseObject({ id: z.string() }).nullish(),
});

export const turnStartResult = z.looseObject({ turn: z.looseObject({ id: z.string() }) });

const turnError = z.looseObject({
  message: z.string().catch("unknown error"),
  codexErrorInfo: z.unknown().optional(),
});

const fileUpdate = z.looseObject({
  path: z.string(),
  kind: z.looseObject({ type: z.string(), move_path: z.string().nullish() }),
  diff: z.string().catch(""),
});

const agentMessage = z.looseObject({
  type: z.literal("agentMessage"),
  id: z.string(),
  text: z.string(),
  phase: z.string().nullish(),
});

export const threadItem = z.union([
  z.discriminatedUnion("type", [
    agentMessage,
    z.looseObject({ type: z.literal("reasoning"), id: z.string(), summary: z.array(z.string()).catch([]) }),
    z.looseObject({
      type: z.literal("commandExecution"),
      id: z.string(),
      command: z.string(),
      status: z.string(),
      aggregatedOutput: z.string().nullish(),
      exitCode: z.number().nullish(),
    }),
    z.looseObject({
      type: z.literal("fileChange"),
      id: z.string(),
      status: z.string(),
      changes: z.array(fileUpdate),
    }),
    z.looseObject({
      type: z.literal("mcpToolCall"),
      id: z.string(),
      server: z.string(),
      tool: z.string(),
      status: z.string(),
    }),
  ]),
  z.looseObject({ type: z.string() }).transform((item) => ({ type: "other" as const, name: item.type })),
]);
export type WireItem = z.infer<typeof threadItem>;

const tokens = z.looseObject({
  inputTokens: z.number(),
  cachedInputTokens: z.number().catch(0),
  outputTokens: z.number(),
  reasoningOutputTokens: z.number().catch(0),
});
export type WireTokens = z.infer<typeof tokens>;

const inTurn = { threadId: z.string(), turnId: z.string().nullish() };

/** Answer to thread/read with turns. */
export const threadReadResult = z.looseObject({
  thread: z.looseObject({
    turns: z.array(
      z.looseObject({
        id: z.string(),
        status: z.string(),
        error: turnError.nullish(),
        items: z.array(threadItem).catch([]),
      }),
    ),
  }),
});
export type PastWireTurn = z.infer<typeof threadReadResult>["thread"]["turns"][number];

/** Notifications by method; a method that is not here is no concern of ours. */
export const notifications = {
  "turn/started": z.looseObject({ threadId: z.string(), turn: z.looseObject({ id: z.string() }) }),
  "turn/completed": z.looseObject({
    threadId: z.string(),
    turn: z.looseObject({
      id: z.string(),
      status: z.string(),
      error: turnError.nullish(),
      items: z.array(threadItem).catch([]),
    }),
  }),
  "item/started": z.looseObject({ ...inTurn, item: threadItem }),
  "item/completed": z.looseObject({ ...inTurn, item: threadItem }),
  "turn/diff/updated": z.looseObject({ ...inTurn, diff: z.string() }),
  "thread/tokenUsage/updated": z.looseObject({
    ...inTurn,
    tokenUsage: z.looseObject({ total: tokens, last: tokens }),
  }),
  error: z.looseObject({ ...inTurn, error: turnError, willRetry: z.boolean().catch(false) }),
  warning: z.looseObject({ threadId: z.string(), message: z.string() }),
  "thread/closed": z.looseObject({ threadId: z.string() }),
};
export type NotificationMethod = keyof typeof notifications;
export type Notification = {
  [M in NotificationMethod]: { method: M; params: z.infer<(typeof notifications)[M]> };
}[NotificationMethod];

/** null: not one that we read. `broken`: one that we read, in a shape that we do not know. */
export function parseNotification(method: string, params: unknown): Notification | "broken" | null {
  if (!Object.hasOwn(notifications, method)) return null;
  const known = method as NotificationMethod;
  const parsed = notifications[known].safeParse(params);
  return parsed.success ? ({ method: known, params: parsed.data } as Notification) : "broken";
}

/** The thread that any notification or request is about, whatever else is in it. */
export function threadIdOf(params: unknown): string | null {
  if (typeof params !== "object" || params === null) return null;
  const { threadId, conversationId } = params as { threadId?: unknown; conversationId?: unknown };
  if (typeof threadId === "string") return threadId;
  return typeof conversationId === "string" ? conversationId : null;
}
