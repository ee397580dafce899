// Reads what Codex sends to `POST /v1/responses` into the few facts a script needs.
// Fields it does not know are left alone in `body`; a missing one is null, never an error.

type Json = Readonly<Record<string, unknown>>;

interface OfferedTool {
  readonly type: string;
  readonly name: string;
  readonly namespace: string | null;
}

export interface ScriptedRequest {
  /** 1 for the first request that the server got. */
  readonly index: number;
  readonly model: string;
  /** The newest thing the user said, without the context messages that Codex adds; null where there is none. */
  readonly prompt: string | null;
  readonly input: readonly Json[];
  readonly tools: readonly OfferedTool[];
  /** As sent, except that a credential is only known to be there. */
  readonly headers: { readonly authorization: boolean; readonly [name: string]: string | boolean };
  /** JSON Schema of `text.format`, or null. */
  readonly outputSchema: unknown;
  readonly effort: string | null;
  readonly threadId: string | null;
  readonly turnId: string | null;
  readonly body: Json;
}

export interface PromptPlace {
  readonly text: string;
  /** Index in `input`. */
  readonly at: number;
}

/** What happened after a prompt: tool outputs (one per call) and finished messages of the model. */
export interface Progress {
  readonly outputs: readonly { readonly callId: string; readonly text: string }[];
  readonly messages: number;
}

/** Returns null where the body is not a Responses request at all. */
export function parseRequest(
  body: unknown,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  index: number,
): ScriptedRequest | null {
  if (!isJson(body) || !Array.isArray(body["input"])) return null;
  const input = body["input"].filter(isJson);
  const metadata = isJson(body["client_metadata"]) ? body["client_metadata"] : {};
  const format = at(body["text"], "format");
  return {
    index,
    model: textOr(body["model"], ""),
    prompt: promptsOf(input).at(-1)?.text ?? null,
    input,
    tools: [
      body["tools"],
      ...input.filter((item) => item["type"] === "additional_tools").map((item) => item["tools"]),
    ].flatMap((tools) => toolsOf(tools, null)),
    headers: withoutCredential(headers),
    outputSchema: at(format, "schema") ?? null,
    effort: textOr(at(body["reasoning"], "effort"), null),
    threadId: textOr(metadata["thread_id"] ?? body["prompt_cache_key"], null),
    turnId: textOr(metadata["turn_id"], null),
    body,
  };
}

/** Every prompt of the user, oldest first. */
export function promptsOf(input: readonly Json[]): readonly PromptPlace[] {
  return input.flatMap((item, place) => {
    if (item["role"] !== "user") return [];
    const text = partsOf(item["content"])
      .filter((part) => !isContext(part))
      .join("\n");
    return text.trim() === "" ? [] : [{ text, at: place }];
  });
}

export function progressAfter(input: readonly Json[], place: number): Progress {
  const outputs = new Map<string, string>();
  let messages = 0;
  for (const item of input.slice(place + 1)) {
    const callId = item["call_id"];
    if (item["role"] === "assistant") messages++;
    else if (typeof callId === "string" && textOr(item["type"], "").endsWith("_output"))
      outputs.set(callId, outputText(item["output"]));
  }
  return { outputs: Array.from(outputs, ([callId, text]) => ({ callId, text })), messages };
}

/** Newest models get their tools inside the input and call all of them from JavaScript. */
export function isCodeMode(request: ScriptedRequest): boolean {
  return request.tools.some(
    (tool) => tool.type === "custom" && tool.name === "exec" && tool.namespace === "functions",
  );
}

// Seen in Codex 0.153.4 and 0.169.0 as user messages, or parts of one, that no user wrote.
const contextTags =
  /^<(environment_context|user_instructions|turn_aborted|user_shell_command|user_action|skill|subagent_notification|model_switch|context_window_reminder|current_time_reminder|codex_internal_context|user_verification_notice|recommended_plugins)\b[^>]*>/;

function isContext(part: string): boolean {
  const text = part.trimStart();
  return text.startsWith("# AGENTS.md instructions") || contextTags.test(text);
}

function toolsOf(tools: unknown, namespace: string | null): readonly OfferedTool[] {
  if (!Array.isArray(tools)) return [];
  return tools.filter(isJson).flatMap((tool) => {
    const name = textOr(tool["name"], textOr(tool["type"], ""));
    if (tool["type"] === "namespace") return toolsOf(tool["tools"], name);
    return [{ type: textOr(tool["type"], ""), name, namespace }];
  });
}

function outputText(output: unknown): string {
  if (typeof output === "string") return output;
  if (Array.isArray(output)) return partsOf(output).join("");
  const content = at(output, "content");
  return typeof content === "string" ? content : (JSON.stringify(output) ?? "");
}

function partsOf(content: unknown): readonly string[] {
  if (typeof content === "string") return [content];
  if (!Array.isArray(content)) return [];
  return content.filter(isJson).map((part) => textOr(part["text"], ""));
}

function withoutCredential(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): ScriptedRequest["headers"] {
  const kept = Object.entries(headers).filter(([name]) => name !== "authorization" && name !== "cookie");
  return {
    ...Object.fromEntries(kept.map(([name, value]) => [name, String(value)])),
    authorization: headers["authorization"] !== undefined,
  };
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function at(value: unknown, key: string): unknown {
  return isJson(value) ? value[key] : undefined;
}

function textOr<Fallback>(value: unknown, fallback: Fallback): string | Fallback {
  return typeof value === "string" ? value : fallback;
}
