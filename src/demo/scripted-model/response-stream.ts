// Writes one Responses event stream: the few server-sent events that Codex needs, in the order it needs them.
// It never decides what to say, and never writes after the client has gone.
import type { ServerResponse } from "node:http";

/** What every response claims to have cost. No number is zero or equal to another, so that a mix-up shows. */
export const scriptedUsage = {
  input_tokens: 1200,
  input_tokens_details: { cached_tokens: 700 },
  output_tokens: 90,
  output_tokens_details: { reasoning_tokens: 40 },
  total_tokens: 1290,
} as const;

type Item = Readonly<Record<string, unknown>>;

interface Pace {
  readonly chunks: number;
  /** Called after every delta. */
  readonly pause: () => Promise<void>;
}

export interface ResponseStream {
  /** A whole item at once. */
  item(item: Item): void;
  reasoning(text: string): void;
  message(text: string, pace: Pace): Promise<void>;
  /** The beginning of a message that is never finished. */
  brokenMessage(): void;
  /** Any line, right or wrong. */
  raw(line: string): void;
  fail(code: string, message: string): void;
  complete(): void;
}

/** Sends the headers and `response.created` at once. */
export function openResponseStream(
  response: ServerResponse,
  responseId: string,
  model: string,
): ResponseStream {
  const output: Item[] = [];
  let sequence = 0;

  function raw(line: string): void {
    if (response.writable && !response.destroyed) response.write(`${line}\n\n`);
  }

  function event(type: string, fields: Item): void {
    raw(`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...fields })}`);
  }

  function item(done: Item): void {
    event("response.output_item.done", { output_index: output.length, item: done });
    output.push(done);
  }

  function openMessage(): string {
    const id = `msg_${responseId}_${output.length}`;
    const content: unknown[] = [];
    const started = { type: "message", id, role: "assistant", status: "in_progress", content };
    event("response.output_item.added", { output_index: output.length, item: started });
    return id;
  }

  function delta(id: string, text: string): void {
    event("response.output_text.delta", {
      item_id: id,
      output_index: output.length,
      content_index: 0,
      delta: text,
    });
  }

  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  event("response.created", {
    response: { id: responseId, object: "response", status: "in_progress", model },
  });

  return {
    item,
    raw,
    reasoning(text) {
      const id = `rs_${responseId}_${output.length}`;
      const place = { item_id: id, output_index: output.length, summary_index: 0 };
      const summary = { type: "summary_text", text };
      event("response.output_item.added", {
        output_index: output.length,
        item: { type: "reasoning", id, summary: [] },
      });
      event("response.reasoning_summary_part.added", { ...place, part: { type: "summary_text", text: "" } });
      event("response.reasoning_summary_text.delta", { ...place, delta: text });
      item({ type: "reasoning", id, summary: [summary], encrypted_content: "scripted" });
    },
    async message(text, pace) {
      const id = openMessage();
      for (const piece of inPieces(text, pace.chunks)) {
        delta(id, piece);
        await pace.pause();
      }
      const content = [{ type: "output_text", text, annotations: [] }];
      item({ type: "message", id, role: "assistant", status: "completed", content });
    },
    brokenMessage() {
      delta(openMessage(), "This answer never");
    },
    fail(code, message) {
      event("response.failed", { response: { id: responseId, status: "failed", error: { code, message } } });
      response.end();
    },
    complete() {
      event("response.completed", {
        response: {
          id: responseId,
          object: "response",
          status: "completed",
          model,
          output,
          usage: scriptedUsage,
        },
      });
      response.end();
    },
  };
}

/** At most `count` pieces; a character of two code units is never cut. */
function inPieces(text: string, count: number): readonly string[] {
  const characters = Array.from(text);
  const size = Math.max(1, Math.ceil(characters.length / Math.max(1, count)));
  const pieces: string[] = [];
  for (let i = 0; i < characters.length; i += size) pieces.push(characters.slice(i, i + size).join(""));
  return pieces;
}
