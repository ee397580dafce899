/** Arguments that several tools take, with the words that a model reads. */
import { z } from "zod";

export const MAX_PROMPT_CHARACTERS = 65_536;
const MAX_SCHEMA_BYTES = 16 * 1024;

export const prompt = z
  .string()
  .min(1)
  .max(MAX_PROMPT_CHARACTERS)
  .refine((text) => text.trim() !== "", "must not be blank")
  .describe("What Codex shall do, in plain words. Codex sees nothing of this conversation but this text.");

export const project = z
  .string()
  .min(1)
  .max(64)
  .describe("Project name from bridge_status; not needed when there is one");

export const cwd = z
  .string()
  .min(1)
  .max(4_096)
  .describe("Directory inside the project to start in, relative to its root; default: the root");

export const model = z
  .string()
  .min(1)
  .max(100)
  .describe("Only a model that the owner allows; default: the owner's");

export const effort = z
  .string()
  .regex(/^[a-z]{1,16}$/)
  .describe("Reasoning effort: none, minimal, low, medium, high, xhigh or max");

export const outputSchema = z
  .record(z.string(), z.unknown())
  .refine((schema) => schema["type"] === "object", "must be a JSON Schema with type object")
  .refine((schema) => JSON.stringify(schema).length <= MAX_SCHEMA_BYTES, "must be at most 16 KiB")
  .describe(
    "JSON Schema (type object) that the final answer has to follow; the parsed answer comes as output",
  );

export const timeoutMs = z
  .number()
  .int()
  .min(1_000)
  .describe("Longest that the job may run; can only shorten the owner's limit");

export const requestId = z
  .string()
  .min(1)
  .max(128)
  .describe("An id of your own for this task: the same id again returns the same job and starts nothing");

export const jobId = z.string().min(1).max(64).describe("jobId of an earlier answer");

export const threadId = z.string().min(1).max(128).describe("threadId of an earlier answer");
