/**
 * OpenAI's Responses API as far as ask_chatgpt uses it, on loopback and by a script: streams, background responses that
 * are asked about and cancelled, errors, broken connections. Counts what a real one would charge for.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface Answer {
  readonly kind: "answer";
  readonly text?: string;
  readonly refusal?: string;
  readonly status?: "completed" | "incomplete" | "failed";
  readonly incompleteReason?: string;
  readonly error?: { readonly code: string; readonly message: string };
  readonly usage?: Readonly<Record<string, unknown>> | null;
  /** Silence before the answer. */
  readonly delayMs?: number;
  /** The stream breaks before its end; the response itself is completed all the same. */
  readonly dropsStream?: boolean;
}

export type Behaviour =
  | Answer
  | {
      readonly kind: "error";
      readonly status: number;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The connection is closed without a byte. */
  | { readonly kind: "hangUp" }
  /** A web page where a response should be. */
  | { readonly kind: "html" }
  /** Nothing, ever. */
  | { readonly kind: "silence" };

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly json: Readonly<Record<string, unknown>>;
  readonly headers: IncomingMessage["headers"];
  /** The client went away before the end. */
  wasCutOff: boolean;
}

export const USAGE = {
  input_tokens: 1_000,
  input_tokens_details: { cached_tokens: 400 },
  output_tokens: 500,
  output_tokens_details: { reasoning_tokens: 200 },
  total_tokens: 1_500,
} as const;

export interface ScriptedOpenai {
  /** For OPENAI_BASE_URL. */
  readonly url: string;
  readonly received: readonly Received[];
  /** Played in order; the last one again and again. */
  plays(...behaviours: readonly Behaviour[]): void;
  /** Questions that were accepted: what a real one would charge for. */
  paid(): number;
  cancelled(): readonly string[];
  /** Lets every response in the background end, and those that come. */
  finish(): void;
  /** From now on responses in the background stay in progress until `finish`. */
  hold(): void;
  /** Resolves with the n-th request of a kind, counted from 1. */
  until(count: number, wanted: (request: Received) => boolean): Promise<Received>;
  close(): Promise<void>;
}

interface Kept {
  readonly id: string;
  readonly model: unknown;
  readonly effort: unknown;
  readonly answer: Answer;
  status: string;
}

export async function startScriptedOpenai(): Promise<ScriptedOpenai> {
  const received: Received[] = [];
  const kept = new Map<string, Kept>();
  const cancelled: string[] = [];
  const waiting = new Set<() => void>();
  let script: readonly Behaviour[] = [{ kind: "answer", text: "scripted answer" }];
  let played = 0;
  let paid = 0;
  let requests = 0;
  let isHeld = false;

  function toBody({ id, model, effort, answer, status }: Kept): Record<string, unknown> {
    const isOver = status !== "queued" && status !== "in_progress";
    const { text = "scripted answer", refusal, usage = USAGE } = answer;
    const content =
      refusal === undefined ? { type: "output_text", text, annotations: [] } : { type: "refusal", refusal };
    return {
      id,
      object: "response",
      status,
      model,
      reasoning: { effort: effort ?? null },
      output:
        isOver && text !== ""
          ? [{ type: "reasoning" }, { type: "message", role: "assistant", content: [content] }]
          : [],
      incomplete_details:
        status === "incomplete" ? { reason: answer.incompleteReason ?? "max_output_tokens" } : null,
      error: status === "failed" ? (answer.error ?? null) : null,
      usage: isOver ? usage : null,
    };
  }

  async function later(ms: number, response: ServerResponse): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      response.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  async function create(request: Received, response: ServerResponse): Promise<void> {
    const behaviour = script[Math.min(played++, script.length - 1)] as Behaviour;
    switch (behaviour.kind) {
      case "error":
        json(
          response,
          behaviour.status,
          behaviour.body ?? { error: { message: "scripted error" } },
          behaviour.headers,
        );
        return;
      case "hangUp":
        response.socket?.destroy();
        return;
      case "html":
        response
          .writeHead(200, { "content-type": "text/html", "x-request-id": `req_${requests}` })
          .end("<html>a proxy</html>");
        return;
      case "silence":
        return;
      case "answer":
        await give(request, response, behaviour);
    }
  }

  async function give(request: Received, response: ServerResponse, behaviour: Answer): Promise<void> {
    paid += 1;
    const { model, reasoning, background, stream } = request.json;
    const effort = (reasoning as { effort?: unknown } | undefined)?.effort;
    const record: Kept = {
      id: `resp_${paid}_${Math.random().toString(36).slice(2)}`,
      model,
      effort,
      answer: behaviour,
      status: "in_progress",
    };
    kept.set(record.id, record);
    const { status: last = "completed", delayMs = 0, text = "scripted answer" } = behaviour;
    if (background === true) {
      record.status = "queued";
      setTimeout(() => {
        if (record.status === "queued") record.status = isHeld ? "in_progress" : last;
      }, delayMs);
      json(response, 200, toBody(record));
      return;
    }
    if (stream !== true) {
      await later(delayMs, response);
      record.status = last;
      json(response, 200, toBody(record));
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream", "x-request-id": `req_${requests}` });
    let sequence = 0;
    const event = (type: string, fields: Record<string, unknown>): void => {
      response.write(
        `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...fields })}\n\n`,
      );
    };
    event("response.created", { response: toBody(record) });
    await later(delayMs, response);
    if (response.destroyed) return;
    for (let at = 0; at < text.length; at += 40) {
      event("response.output_text.delta", {
        item_id: "msg",
        output_index: 0,
        content_index: 0,
        delta: text.slice(at, at + 40),
      });
    }
    record.status = last;
    if (behaviour.dropsStream === true) {
      response.destroy();
      return;
    }
    event(`response.${last}`, { response: toBody(record) });
    response.end();
  }

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString("utf8");
    const { method = "", url = "", headers } = incoming;
    const path = url.split("?")[0] ?? "";
    const request: Received = {
      method,
      path,
      body,
      json: body === "" ? {} : (JSON.parse(body) as Record<string, unknown>),
      headers,
      wasCutOff: false,
    };
    requests += 1;
    response.once("close", () => {
      request.wasCutOff = !response.writableFinished;
      for (const wake of waiting) wake();
    });
    received.push(request);
    for (const wake of waiting) wake();
    const [, id, action] = /^\/v1\/responses(?:\/([^/]+))?(?:\/(\w+))?$/.exec(path) ?? [];
    if (method === "POST" && id === undefined) return create(request, response);
    const record = kept.get(id ?? "");
    if (record === undefined) {
      json(response, 404, {
        error: { message: `Response with id '${id ?? ""}' not found.`, type: "invalid_request_error" },
      });
      return undefined;
    }
    if (action === "cancel") {
      cancelled.push(record.id);
      record.status = "cancelled";
    }
    json(response, 200, toBody(record));
    return undefined;
  }

  function json(
    response: ServerResponse,
    status: number,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): void {
    response
      .writeHead(status, {
        "content-type": "application/json",
        "x-request-id": `req_${requests}`,
        ...headers,
      })
      .end(JSON.stringify(body));
  }

  const server = createServer((incoming, response) => {
    handle(incoming, response).catch(() => {
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");

  return {
    url: `http://127.0.0.1:${address.port}/v1`,
    received,
    plays(...behaviours) {
      script = behaviours;
      played = 0;
    },
    paid: () => paid,
    cancelled: () => cancelled,
    hold() {
      isHeld = true;
    },
    finish() {
      isHeld = false;
      for (const record of kept.values()) {
        if (record.status === "queued" || record.status === "in_progress")
          record.status = record.answer.status ?? "completed";
      }
    },
    async until(count, wanted) {
      for (;;) {
        const found = received.filter(wanted)[count - 1];
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            waiting.delete(wake);
            resolve();
          };
          waiting.add(wake);
        });
      }
    },
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      });
    },
  };
}
