// Plays one step as one HTTP response, good or broken. It keeps nothing between responses.
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { ScriptedRequest } from "./responses-request.ts";
import { openResponseStream, type ResponseStream } from "./response-stream.ts";
import type { AnswerStep, FailureStep, PlainStep } from "./steps.ts";
import { isFailure } from "./choose-step.ts";
import { toToolCall } from "./tool-call.ts";

// Long enough for the bytes of a broken answer to reach the client before the connection goes.
const flushMs = 50;

interface Scene {
  readonly request: ScriptedRequest;
  readonly response: ServerResponse;
  /** Unique on this machine, so that ids do not repeat in a thread that outlives the server. */
  readonly responseId: string;
  readonly lastOutput: string | null;
}

/** Rejects when `signal` aborts during a wait, and with a plain Error for a call that cannot be made. */
export function playStep(step: PlainStep, scene: Scene, signal: AbortSignal): Promise<void> {
  return isFailure(step) ? playFailure(step, scene, signal) : playAnswer(step, scene, signal);
}

async function playAnswer(
  step: Exclude<PlainStep, FailureStep>,
  scene: Scene,
  signal: AbortSignal,
): Promise<void> {
  const answer = step.kind === "reasoning" ? step.next : step;
  const calls = callsOf(answer).map((call, index) =>
    toToolCall(call, scene.request, `call_${scene.responseId}_${index}`),
  );
  if (answer.kind === "say" && answer.delayMs !== undefined)
    await sleep(answer.delayMs, undefined, { signal });
  const stream = openStream(scene);
  if (step.kind === "reasoning") stream.reasoning(step.text);
  for (const call of calls) stream.item(call);
  if (answer.kind === "say") {
    const { chunks = 1, chunkMs = 0 } = answer;
    const pause = () => (chunkMs === 0 ? Promise.resolve() : sleep(chunkMs, undefined, { signal }));
    await stream.message(answer.text, { chunks, pause });
  }
  if (answer.kind === "echoToolOutput")
    await stream.message(scene.lastOutput ?? "There is no tool output.", {
      chunks: 1,
      pause: () => Promise.resolve(),
    });
  stream.complete();
}

function callsOf(step: AnswerStep) {
  if (step.kind === "parallel") return step.calls;
  return step.kind === "say" || step.kind === "echoToolOutput" ? [] : [step];
}

async function playFailure(step: FailureStep, scene: Scene, signal: AbortSignal): Promise<void> {
  const { response } = scene;
  switch (step.kind) {
    case "httpError":
      sendError(response, step.status, step.body ?? `scripted error ${step.status}`, step.headers);
      return;
    case "malformed":
      playMalformed(step.how, scene);
      return;
    case "responseFailed":
      openStream(scene).fail(step.code, step.message);
      return;
    case "dropConnection":
    case "silence":
      if (step.when === "mid") openStream(scene).brokenMessage();
      await sleep(step.kind === "silence" ? step.ms : flushMs, undefined, { signal });
      response.destroy();
  }
}

function playMalformed(how: "garbage" | "json" | "html", scene: Scene): void {
  const { response } = scene;
  if (how === "html") {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<!doctype html><p>This is not an event stream.</p>");
    return;
  }
  openStream(scene).raw(
    how === "garbage"
      ? "data: {this is not JSON"
      : 'event: response.completed\ndata: {"type":"response.completed","response":{"id":5}}',
  );
  response.end();
}

function openStream(scene: Scene): ResponseStream {
  return openResponseStream(scene.response, scene.responseId, scene.request.model);
}

/** A string becomes the `error.message` of a body in OpenAI's shape; anything else is sent as it is. */
export function sendError(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const sent =
    typeof body === "string"
      ? { error: { message: body, type: "scripted_error", code: `scripted_${status}` } }
      : body;
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(sent));
}
