/** The two tools of `codex-chatgpt-mcp` as a client sees them. */
import type { z } from "zod";
import { toWireTool, type ToolFace } from "../tools/tool-list.ts";
import { askInput, askOutput, askResultInput } from "./ask-input.ts";

/** Codex calls a tool under approval policy `never` only when it says that it changes nothing. */
const hints = { readOnlyHint: true, destructiveHint: false, idempotentHint: false, openWorldHint: true };

function face<Input extends z.ZodType>(
  tool: Omit<ToolFace, "hints" | "output" | "input"> & { input: Input },
) {
  return { ...tool, hints, output: askOutput };
}

export const askTool = face({
  name: "ask_chatgpt",
  title: "Ask ChatGPT",
  description:
    "Asks an OpenAI model through the API, for a second opinion: a plan, a review, a hard question. It sees only what is " +
    "given here and changes nothing. Thinking long can take many minutes. Each call costs money; the answer says how much.",
  input: askInput,
});

export const resultTool = face({
  name: "ask_chatgpt_result",
  title: "Collect ChatGPT's answer",
  description:
    "The answer of an earlier ask_chatgpt call that was cut off or still runs; without responseId the newest of this " +
    "project. Costs nothing.",
  input: askResultInput,
});

export const wireTools = () => [askTool, resultTool].map(toWireTool);
