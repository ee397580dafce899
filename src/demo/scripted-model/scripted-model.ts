// A model that follows a script: a server that speaks the OpenAI Responses stream on 127.0.0.1,
// so that a real Codex can be driven offline. It runs no command, reads no file and calls nobody.
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { playStep, sendError } from "./play-step.ts";
import { readBody } from "./read-body.ts";
import { parseRequest, type ScriptedRequest } from "./responses-request.ts";
import { createScriptBook } from "./script-book.ts";
import type { Step } from "./steps.ts";

// Codex sends the whole conversation with every request; the newest are enough to look at.
const keptRequests = 500;
// An idle connection that closes just as Codex uses it again would look like a failing model.
const keepAliveMs = 600_000;

export interface ScriptedModel {
  /** `http://127.0.0.1:PORT/v1`, the `base_url` of a Codex provider. */
  readonly url: string;
  /** Prompts that contain `text` play these steps; the newest script that fits wins, an inline one wins over all. */
  script(text: string, steps: readonly Step[]): void;
  /** The newest requests, oldest first. */
  readonly requests: readonly ScriptedRequest[];
  /** What Codex sent back for the tool calls of every turn whose prompt contains `text`. */
  toolOutputs(text: string): readonly string[];
  /** Ends every connection and every wait. May be called twice. */
  close(): Promise<void>;
}

export interface ScriptedModelOptions {
  /** 0 takes a free port. */
  readonly port?: number;
  readonly maxBodyBytes?: number;
}

/** Rejects when the port is taken. */
export async function startScriptedModel(options: ScriptedModelOptions = {}): Promise<ScriptedModel> {
  const { port = 0, maxBodyBytes = 32 * 1024 * 1024 } = options;
  const book = createScriptBook();
  const requests: ScriptedRequest[] = [];
  const instance = randomBytes(4).toString("hex");
  let received = 0;

  async function answer(
    incoming: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    if (incoming.method !== "POST" || incoming.url?.split("?")[0] !== "/v1/responses") {
      sendError(response, 404, "the scripted model answers POST /v1/responses only");
      return;
    }
    const body = await readBody(incoming, maxBodyBytes);
    if (!body.ok) {
      sendError(response, body.failure.status, body.failure.message, { connection: "close" });
      return;
    }
    const index = received + 1;
    const request = parseRequest(parseJson(body.value), incoming.headers, index);
    if (request === null) {
      sendError(response, 400, "the body is not a Responses request");
      return;
    }
    received = index;
    requests.push(request);
    if (requests.length > keptRequests) requests.shift();
    const { step, lastOutput } = book.play(request);
    await playStep(step, { request, response, responseId: `${instance}_${index}`, lastOutput }, signal);
  }

  const server = createServer({ keepAliveTimeout: keepAliveMs }, (incoming, response) => {
    const gone = new AbortController();
    response.once("close", () => {
      gone.abort();
    });
    answer(incoming, response, gone.signal).catch((error: unknown) => {
      // Whoever asked has left: there is nobody to tell.
      if (gone.signal.aborted || response.destroyed || incoming.errored !== null) return;
      if (response.headersSent) response.destroy();
      // Codex shows the body of a 400 as it is, so a mistake in a script reads well.
      else sendError(response, 400, error instanceof Error ? error.message : String(error));
    });
  });

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");

  let closing: Promise<void> | null = null;
  return {
    url: `http://127.0.0.1:${address.port}/v1`,
    requests,
    script: book.add,
    toolOutputs: book.toolOutputs,
    close() {
      closing ??= new Promise((resolve, reject) => {
        server.close((error) => {
          if (error === undefined) resolve();
          else reject(error);
        });
        server.closeAllConnections();
      });
      return closing;
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
