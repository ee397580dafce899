/** The tools as `tools/list` shows them, and the fingerprint of that list. Pure. */
import { createHash } from "node:crypto";
import type { Tool as WireTool } from "@modelcontextprotocol/server";
import { z } from "zod";
import { scopesFor } from "../auth/caller.ts";
import type { Tool } from "./tool.ts";

/** What a tool shows of itself. */
export type ToolFace = Pick<Tool, "name" | "title" | "description" | "hints" | "input" | "output">;

/** `securitySchemes` is OpenAI's own; clients that follow the specification alone find it in `_meta`. */
type ListedTool = WireTool & { readonly securitySchemes: readonly object[] };

export function toWireTools(tools: readonly Tool[]): ListedTool[] {
  return tools.map((tool) => ({
    ...toWireTool(tool),
    securitySchemes: securitySchemesOf(tool),
    _meta: { securitySchemes: securitySchemesOf(tool) },
  }));
}

export function toWireTool(tool: ToolFace): WireTool {
  return {
    name: tool.name,
    title: tool.title,
    description: tool.description,
    inputSchema: toJsonSchema(tool.input, "input"),
    outputSchema: toJsonSchema(tool.output, "output"),
    annotations: { title: tool.title, ...tool.hints },
  };
}

/** Both, since the list does not change with settings: behind a tunnel ChatGPT signs nobody in, elsewhere it does. */
function securitySchemesOf({ scope }: Tool): readonly object[] {
  return [{ type: "noauth" }, { type: "oauth2", scopes: scopesFor(scope) }];
}

export function fingerprintOf(wireTools: readonly WireTool[]): string {
  return createHash("sha256").update(JSON.stringify(wireTools)).digest("hex").slice(0, 16);
}

type ObjectSchema = WireTool["inputSchema"];

function toJsonSchema(schema: z.ZodType, io: "input" | "output"): ObjectSchema {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    override: ({ jsonSchema }) => {
      // The list is read by a model and paid by the token: what says nothing is left out.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      delete jsonSchema.propertyNames;
      // A client keeps the schema it saw first: a field that a later version adds must not fail its validation.
      if (io === "output" && jsonSchema.additionalProperties === false)
        delete jsonSchema.additionalProperties;
    },
  });
  return rest as ObjectSchema;
}
