/** The prompts of the conformance fixture. */
import {
  acceptedContent,
  inputRequired,
  ProtocolError,
  ProtocolErrorCode,
  type GetPromptResult,
  type InputRequiredResult,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { image, text } from "./fixture-content.ts";

type Content = GetPromptResult["messages"][number]["content"];

const argument = (name: string) => ({ name, description: `Argument ${name}`, required: true });
const list = [
  { name: "test_simple_prompt", description: "A prompt without arguments" },
  {
    name: "test_prompt_with_arguments",
    description: "A prompt with arguments",
    arguments: [argument("arg1"), argument("arg2")],
  },
  {
    name: "test_prompt_with_embedded_resource",
    description: "A prompt with a resource",
    arguments: [argument("resourceUri")],
  },
  { name: "test_prompt_with_image", description: "A prompt with an image" },
  { name: "test_input_required_result_prompt", description: "A prompt that asks first" },
];

const contextSchema = z.object({ context: z.string() });

function get(
  name: string,
  args: Readonly<Record<string, string>>,
  ctx: ServerContext,
): GetPromptResult | InputRequiredResult {
  switch (name) {
    case "test_simple_prompt":
      return ask(text("This is a simple prompt for testing."));
    case "test_prompt_with_arguments":
      return ask(text(`Prompt with arguments: arg1='${args["arg1"]}', arg2='${args["arg2"]}'`));
    case "test_prompt_with_embedded_resource":
      return ask(
        {
          type: "resource",
          resource: { uri: args["resourceUri"] ?? "", mimeType: "text/plain", text: "Embedded." },
        },
        text("Please process the embedded resource above."),
      );
    case "test_prompt_with_image":
      return ask(image, text("Please analyse the image above."));
    case "test_input_required_result_prompt": {
      const answer = acceptedContent(ctx.mcpReq.inputResponses, "user_context", contextSchema);
      if (answer !== undefined) return ask(text(`In this context: ${answer.context}`));
      return inputRequired({
        inputRequests: {
          user_context: inputRequired.elicit({
            message: "What context should the prompt use?",
            requestedSchema: {
              type: "object",
              properties: { context: { type: "string" } },
              required: ["context"],
            },
          }),
        },
      });
    }
    default:
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `There is no prompt ${name}.`);
  }
}

function ask(...contents: Content[]): GetPromptResult {
  return { messages: contents.map((content) => ({ role: "user", content })) };
}

export const fixturePrompts = { list, get };
