/** What the two tools take and give: strict for what a model sends, one flat object for what it gets. */
import { z } from "zod";

const MAX_SCHEMA_BYTES = 64 * 1024;
export const MAX_FILES = 20;

/** OpenAI's ids: they go into a URL. */
const responseId = z.string().regex(/^[\w-]{1,200}$/, "must be an id of an earlier answer");

const timeoutMs = z.number().int().min(1_000);

export const askInput = z.strictObject({
  prompt: z
    .string()
    .min(1)
    .max(1_000_000)
    .refine((text) => text.trim() !== "", "must not be blank")
    .describe("The question. ChatGPT sees nothing but this, the instructions and the files."),
  instructions: z
    .string()
    .min(1)
    .max(100_000)
    .optional()
    .describe("How to answer: role, tone, what to look at"),
  model: z
    .string()
    .regex(/^[\w.:/-]{1,100}$/, "must be the name of a model")
    .optional()
    .describe("Only a model that the owner allows; default: the owner's"),
  reasoningEffort: z
    .enum(["none", "minimal", "low", "medium", "high", "xhigh", "max"])
    .optional()
    .describe("How long to think; from high on the answer is made in the background. Default: the model's"),
  maxOutputTokens: z
    .number()
    .int()
    .min(16)
    .max(10_000_000)
    .optional()
    .describe("Limit of the answer, reasoning included"),
  timeoutMs: timeoutMs.optional().describe("Longest to wait; can only shorten the owner's limit"),
  previousResponseId: responseId
    .optional()
    .describe("responseId of an earlier answer: goes on in that conversation"),
  background: z
    .boolean()
    .optional()
    .describe("true: the answer is made even if this call is cut off, and ask_chatgpt_result collects it"),
  webSearch: z.boolean().optional().describe("true: ChatGPT may search the web"),
  outputSchema: z
    .record(z.string(), z.unknown())
    .refine((schema) => schema["type"] === "object", "must be a JSON Schema with type object")
    .refine((schema) => JSON.stringify(schema).length <= MAX_SCHEMA_BYTES, "must be at most 64 KiB")
    .optional()
    .describe("JSON Schema (type object) of the answer; the parsed answer comes as output"),
  files: z
    .array(z.string().min(1).max(4_096))
    .max(MAX_FILES, `may be at most ${MAX_FILES} files`)
    .optional()
    .describe("Text files of the current project to send along, relative to the working directory"),
});
export type AskArgs = z.output<typeof askInput>;

export const askResultInput = z.strictObject({
  responseId: responseId
    .optional()
    .describe("responseId of an earlier call; default: the newest of this project"),
  timeoutMs: timeoutMs.optional().describe("Longest to wait for the answer; default 45000"),
});
export type AskResultArgs = z.output<typeof askResultInput>;

const count = z.number().int().min(0);
const nullable = <S extends z.ZodType>(schema: S) => schema.nullable().optional();

/** Of both tools, refusals included: only `status` and `nextAction` are always there. */
export const askOutput = z.object({
  status: z
    .enum(["completed", "incomplete", "queued", "in_progress", "cancelled", "failed", "refused"])
    .describe("queued, in_progress: not yet there. refused: nothing was sent"),
  nextAction: z.string(),
  outputText: z.string().optional(),
  output: nullable(z.unknown()).describe("The answer parsed, when outputSchema was given"),
  responseId: nullable(z.string()),
  model: nullable(z.string()),
  reasoningEffort: nullable(z.string()),
  truncated: z.boolean().optional().describe("The answer was cut off"),
  usage: nullable(
    z.object({
      inputTokens: count,
      cachedInputTokens: count,
      outputTokens: count,
      reasoningOutputTokens: count,
    }),
  ),
  estimatedCostUsd: nullable(z.number()).describe("null: not known; costNote says why"),
  costNote: nullable(z.string()),
  requestId: nullable(z.string()).describe("OpenAI's id of the request"),
  elapsedMs: count.optional(),
  error: nullable(
    z.object({
      code: z.string(),
      message: z.string(),
      retryable: z.boolean(),
      resetsAt: z.string().optional(),
    }),
  ),
});
export type AskOutput = z.output<typeof askOutput>;
