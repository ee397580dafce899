/**
 * What the public conformance suite wants to find behind an MCP endpoint: tools, resources and prompts with fixed names.
 * Mounted in the product's own HTTP room by run-suite.ts, so that the suite judges that room. Knows no bridge.
 */
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  MissingRequiredClientCapabilityError,
  ResourceNotFoundError,
  Server,
  type CallToolResult,
  type ClientCapabilities,
  type ContentBlock,
  type GetPromptResult,
  type InputRequiredResult,
  type McpRequestContext,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { fixturePrompts } from "./fixture-prompts.ts";
import { audio, image, text } from "./fixture-content.ts";

type Outcome = CallToolResult | InputRequiredResult;
type RunTool = (ctx: ServerContext, args: Readonly<Record<string, unknown>>) => Outcome | Promise<Outcome>;

const state = createRequestStateCodec<{ readonly step: number }>({ key: "conformance".repeat(4) });

const say = (...content: ContentBlock[]): CallToolResult => ({ content });
const nameForm = (message: string) =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
  });
const confirmForm = inputRequired.elicit({
  message: "Please confirm",
  requestedSchema: { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] },
});
const colourForm = inputRequired.elicit({
  message: "Step 2: What is your favourite colour?",
  requestedSchema: { type: "object", properties: { color: { type: "string" } }, required: ["color"] },
});
const sampling = (question: string) =>
  inputRequired.createMessage({
    messages: [{ role: "user", content: { type: "text", text: question } }],
    maxTokens: 100,
  });
const nameSchema = z.object({ name: z.string() });

const tools: Readonly<Record<string, RunTool>> = {
  test_simple_text: () => say(text("This is a simple text response for testing.")),
  test_image_content: () => say(image),
  test_audio_content: () => say(audio),
  test_embedded_resource: () =>
    say({
      type: "resource",
      resource: { uri: "test://embedded-resource", mimeType: "text/plain", text: "An embedded resource." },
    }),
  test_multiple_content_types: () =>
    say(text("Several kinds of content:"), image, {
      type: "resource",
      resource: { uri: "test://mixed-content-resource", mimeType: "application/json", text: '{"value":123}' },
    }),
  test_error_handling: () => ({
    ...say(text("This tool intentionally returns an error for testing")),
    isError: true,
  }),
  async test_tool_with_logging(ctx) {
    for (const data of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
      await ctx.mcpReq.notify({ method: "notifications/message", params: { level: "info", data } });
    }
    return say(text("Logged three times."));
  },
  async test_tool_with_progress(ctx) {
    const progressToken = ctx.mcpReq["_meta"]?.progressToken ?? 0;
    for (const progress of [0, 50, 100]) {
      await ctx.mcpReq.notify({
        method: "notifications/progress",
        params: { progressToken, progress, total: 100 },
      });
    }
    return say(text(String(progressToken)));
  },
  test_missing_capability(ctx) {
    if (capabilitiesOf(ctx).sampling === undefined) {
      throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } });
    }
    return say(text("The client can sample."));
  },
  test_streaming_elicitation: () =>
    inputRequired({ inputRequests: { user_name: nameForm("What is your name?") } }),
  async test_logging_tool(ctx) {
    await ctx.mcpReq.log("info", "only for those who asked for it");
    return say(text("done"));
  },

  test_input_required_result_elicitation(ctx) {
    const answer = acceptedContent(ctx.mcpReq.inputResponses, "user_name", nameSchema);
    if (answer !== undefined) return say(text(`Hello, ${answer.name}!`));
    return inputRequired({ inputRequests: { user_name: nameForm("What is your name?") } });
  },
  test_input_required_result_sampling(ctx) {
    const answer = inputResponse(ctx.mcpReq.inputResponses, "capital_question");
    if (answer.kind === "sampling") return say(text(JSON.stringify(answer.result.content)));
    return inputRequired({ inputRequests: { capital_question: sampling("What is the capital of France?") } });
  },
  test_input_required_result_list_roots(ctx) {
    const answer = inputResponse(ctx.mcpReq.inputResponses, "client_roots");
    if (answer.kind === "roots") return say(text(JSON.stringify(answer.roots)));
    return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  },
  test_input_required_result_request_state: async (ctx) => confirm(ctx, "state-ok"),
  test_input_required_result_tampered_state: async (ctx) => confirm(ctx, "untouched"),
  async test_input_required_result_multiple_inputs(ctx) {
    const { inputResponses } = ctx.mcpReq;
    const kinds = ["user_name", "greeting", "client_roots"].map(
      (key) => inputResponse(inputResponses, key).kind,
    );
    if (!kinds.includes("missing")) return say(text(kinds.join(", ")));
    return inputRequired({
      inputRequests: {
        user_name: nameForm("What is your name?"),
        greeting: sampling("Generate a greeting"),
        client_roots: inputRequired.listRoots(),
      },
      requestState: await state.mint({ step: 1 }),
    });
  },
  async test_input_required_result_multi_round(ctx) {
    const step = ctx.mcpReq.requestState<{ readonly step: number }>()?.step ?? 0;
    if (step === 2) return say(text("Three rounds."));
    return inputRequired({
      inputRequests: step === 0 ? { step1: nameForm("Step 1: What is your name?") } : { step2: colourForm },
      requestState: await state.mint({ step: step + 1 }),
    });
  },
  test_input_required_result_capabilities(ctx) {
    const can = capabilitiesOf(ctx);
    return inputRequired({
      inputRequests: {
        ...(can.sampling === undefined ? {} : { question: sampling("What is the capital of France?") }),
        ...(can.elicitation === undefined ? {} : { user_name: nameForm("What is your name?") }),
      },
    });
  },
};

function capabilitiesOf(ctx: ServerContext): ClientCapabilities {
  const envelope: Readonly<Record<string, unknown>> = ctx.mcpReq.envelope ?? {};
  return envelope[CLIENT_CAPABILITIES_META_KEY] ?? {};
}

async function confirm(ctx: ServerContext, word: string): Promise<Outcome> {
  if (ctx.mcpReq.requestState() !== undefined && ctx.mcpReq.inputResponses !== undefined)
    return say(text(word));
  return inputRequired({
    inputRequests: { confirm: confirmForm },
    requestState: await state.mint({ step: 1 }),
  });
}

const noArguments = { type: "object", properties: {} } as const;
const wireTools = Object.keys(tools).map((name) => ({
  name,
  description: `For the conformance suite: ${name.replaceAll("_", " ")}.`,
  inputSchema: noArguments,
}));

const resources = [
  { uri: "test://static-text", name: "static-text", mimeType: "text/plain" },
  { uri: "test://static-binary", name: "static-binary", mimeType: "image/png" },
  { uri: "test://watched-resource", name: "watched-resource", mimeType: "text/plain" },
];
const template = { uriTemplate: "test://template/{id}/data", name: "template", mimeType: "application/json" };

function read(uri: string) {
  if (uri === "test://static-binary") return { uri, mimeType: "image/png", blob: image.data };
  if (resources.some((resource) => resource.uri === uri)) {
    return { uri, mimeType: "text/plain", text: "This is the content of the resource." };
  }
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
  if (id === undefined) throw new ResourceNotFoundError(uri);
  return { uri, mimeType: "application/json", text: JSON.stringify({ id, data: `Data for ID: ${id}` }) };
}

export function createConformanceServer({ era }: McpRequestContext): Server {
  const server = new Server(
    { name: "conformance-fixture", version: "1.0.0" },
    {
      capabilities: {
        tools: {},
        resources: {},
        prompts: {},
        completions: {},
        // 2026-07-28 has no log level that a client sets once for all.
        ...(era === "legacy" ? { logging: {}, resources: { subscribe: true } } : {}),
      },
      requestState: { verify: async (sealed, ctx) => state.verify(sealed, ctx) },
    },
  );
  server.setRequestHandler("tools/list", () => ({ tools: wireTools }));
  server.setRequestHandler("tools/call", async (request, ctx) => {
    const run = tools[request.params.name];
    if (run === undefined) return { ...say(text("no such tool")), isError: true };
    return run(ctx, request.params.arguments ?? {});
  });
  server.setRequestHandler("resources/list", () => ({ resources }));
  server.setRequestHandler("resources/templates/list", () => ({ resourceTemplates: [template] }));
  server.setRequestHandler("resources/read", (request) => ({ contents: [read(request.params.uri)] }));
  server.setRequestHandler("prompts/list", () => ({ prompts: fixturePrompts.list }));
  server.setRequestHandler("prompts/get", (request, ctx): GetPromptResult | InputRequiredResult =>
    fixturePrompts.get(request.params.name, request.params.arguments ?? {}, ctx),
  );
  server.setRequestHandler("completion/complete", () => ({
    completion: { values: ["paris", "park"], total: 2, hasMore: false },
  }));
  if (era === "legacy") {
    server.setRequestHandler("resources/subscribe", () => ({}));
    server.setRequestHandler("resources/unsubscribe", () => ({}));
  }
  return server;
}
