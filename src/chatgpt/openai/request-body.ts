/** A question as the body of `POST /responses`. Pure. */
import type { ResponseCreateParams } from "openai/resources/responses/responses";
import type { ApiQuestion } from "../responses-api.ts";

type Schema = Readonly<Record<string, unknown>>;

/** Without `stream`. Kept by OpenAI (`store`): only so can an answer be collected later, or a conversation go on. */
export function toRequestBody(question: ApiQuestion): Omit<ResponseCreateParams, "stream"> {
  const { texts, instructions, effort, maxOutputTokens, previousResponseId, outputSchema } = question;
  const content = texts.map((text) => ({ type: "input_text" as const, text }));
  return {
    model: question.model,
    input: [{ type: "message", role: "user", content }],
    store: true,
    ...(instructions === null ? {} : { instructions }),
    ...(effort === null ? {} : { reasoning: { effort } }),
    ...(maxOutputTokens === null ? {} : { max_output_tokens: maxOutputTokens }),
    ...(previousResponseId === null ? {} : { previous_response_id: previousResponseId }),
    ...(question.background ? { background: true } : {}),
    ...(question.webSearch ? { tools: [{ type: "web_search" as const }] } : {}),
    ...(outputSchema === null ? {} : { text: { format: toFormat(outputSchema) } }),
  };
}

function toFormat(schema: Schema) {
  return { type: "json_schema" as const, name: "answer", schema: { ...schema }, strict: isStrict(schema) };
}

/** OpenAI's strict mode wants every property required and no others; it turns other schemas away. */
export function isStrict(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.every(isStrict);
  if (typeof schema !== "object" || schema === null) return true;
  const node = schema as Schema;
  const properties = node["properties"];
  if (typeof properties === "object" && properties !== null) {
    const required = new Set(Array.isArray(node["required"]) ? node["required"] : []);
    if (node["additionalProperties"] !== false || Object.keys(properties).some((name) => !required.has(name)))
      return false;
    if (!Object.values(properties).every(isStrict)) return false;
  } else if (node["type"] === "object") return false;
  return Object.entries(node).every(([name, value]) => name === "properties" || isStrict(value));
}
