/**
 * The parts of `codex mcp-server` that the bridge reads, as measured on 0.153.4, the last version that has it.
 * Everything is loose: fields and events that we do not know are passed over, and none of them may break a turn.
 */
import { z } from "zod";

/** What a tool call ends with. The text is for people; the thread id is the protocol's own field. */
export const toolResult = z.looseObject({
  isError: z.boolean().nullish(),
  structuredContent: z.looseObject({ threadId: z.string().optional().catch(undefined) }).nullish(),
  content: z.array(z.looseObject({ type: z.string(), text: z.string().optional() })).catch([]),
});
export type ToolResult = z.infer<typeof toolResult>;

export function textOf(result: ToolResult): string {
  return result.content.map(({ text }) => text ?? "").join("\n");
}

/** Parameters of the vendor notification `codex/event`; `id` is the turn's id, empty outside of turns. */
export const eventEnvelope = z.looseObject({
  _meta: z.looseObject({
    requestId: z.union([z.number(), z.string()]).nullish(),
    threadId: z.string().nullish(),
  }),
  id: z.string(),
  msg: z.looseObject({ type: z.string() }),
});

/** Parameters of `elicitation/create`: Codex asks for an approval. */
export const approvalRequest = z.looseObject({
  threadId: z.string().nullish(),
  codex_elicitation: z.string().nullish(),
});

const tokens = z.looseObject({
  input_tokens: z.number(),
  cached_input_tokens: z.number().catch(0),
  output_tokens: z.number(),
  reasoning_output_tokens: z.number().catch(0),
});
export type WireTokens = z.infer<typeof tokens>;

const text = z.string().catch("");
const fileChange = z.looseObject({
  type: z.string(),
  content: text,
  unified_diff: text,
  move_path: z.string().nullish(),
});
const command = z.array(z.string());

const events = {
  session_configured: z.looseObject({
    thread_id: z.string(),
    active_permission_profile: z.looseObject({ id: z.string() }).nullish(),
  }),
  task_started: z.looseObject({}),
  exec_command_begin: z.looseObject({ command }),
  exec_command_end: z.looseObject({
    command,
    exit_code: z.number().nullish(),
    aggregated_output: text,
  }),
  raw_response_item: z.looseObject({ item: z.looseObject({ type: text, call_id: z.string().nullish() }) }),
  patch_apply_end: z.looseObject({ success: z.boolean(), changes: z.record(z.string(), fileChange) }),
  turn_diff: z.looseObject({ unified_diff: z.string() }),
  agent_message: z.looseObject({ message: z.string(), phase: z.string().nullish() }),
  agent_reasoning: z.looseObject({ text: z.string() }),
  mcp_tool_call_end: z.looseObject({
    invocation: z.looseObject({ server: z.string(), tool: z.string() }),
    result: z.unknown().optional(),
  }),
  token_count: z.looseObject({ info: z.looseObject({ total_token_usage: tokens }).nullish() }),
  stream_error: z.looseObject({ message: text }),
  warning: z.looseObject({ message: text }),
  error: z.looseObject({ message: text, codex_error_info: z.unknown().optional() }),
  turn_aborted: z.looseObject({}),
  task_complete: z.looseObject({ last_agent_message: z.string().nullish().catch(null) }),
};
type EventType = keyof typeof events;
export type WireEvent = { [T in EventType]: { type: T; msg: z.infer<(typeof events)[T]> } }[EventType];

/** null: not one that we read. `broken`: one that we read, in a shape that we do not know. */
export function parseEvent(msg: { type: string }): WireEvent | "broken" | null {
  if (!Object.hasOwn(events, msg.type)) return null;
  const type = msg.type as EventType;
  const parsed = events[type].safeParse(msg);
  return parsed.success ? ({ type, msg: parsed.data } as WireEvent) : "broken";
}
