/**
 * Reads one JSON value from a request that has already been let in: media type, encoding, size, UTF-8, depth, syntax,
 * in that order, each before the next costs anything. Never reads more than the limit, never guesses an encoding.
 */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { fail, ok, type Result } from "../lib/result.ts";
import type { HttpRefusal } from "./refusal.ts";

const maxBodyBytes = 1024 * 1024;
const maxBodyDepth = 32;

/** The two halves of the exchange as Node has them; absent when the app is called without a socket. */
export interface Wire {
  readonly incoming?: IncomingMessage;
  readonly outgoing?: ServerResponse;
}

export async function readJsonBody(request: Request, wire: Wire): Promise<Result<unknown, HttpRefusal>> {
  if (!mediaType.test(request.headers.get("content-type") ?? ""))
    return fail({ code: "unsupported_media_type" });
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity")
    return fail({ code: "unsupported_encoding" });
  if (Number(request.headers.get("content-length") ?? 0) > maxBodyBytes)
    return fail({ code: "body_too_large" });

  if (request.headers.has("expect")) wire.outgoing?.writeContinue();
  const read =
    wire.incoming === undefined ? await readStream(request.body) : await readIncoming(wire.incoming);
  return read.ok ? parseJson(read.value) : read;
}

// `application/json` in its one spelling, with at most `charset=utf-8`. Anything looser is a type that a web page may send unasked.
const mediaType = /^application\/json(?:\s*;\s*charset\s*=\s*(?:utf-8|"utf-8")\s*)?$/i;

/** Refuses what is not one JSON object or scalar of acceptable depth; arrays are JSON-RPC batches. */
function parseJson(bytes: Buffer): Result<unknown, HttpRefusal> {
  if (!isUtf8(bytes)) return fail({ code: "not_utf8" });
  if (nestsDeeperThan(bytes, maxBodyDepth)) return fail({ code: "too_deep" });
  const text = bytes.toString("utf8");
  let value: unknown;
  let reservedKey = false;
  try {
    // A key `__proto__` would become somebody's prototype at the first careless copy. Only a text that may hide one pays for the search.
    value = mayHideReservedKey.test(text)
      ? JSON.parse(text, (key, inner: unknown) => {
          if (key === "__proto__") reservedKey = true;
          return inner;
        })
      : JSON.parse(text);
  } catch {
    return fail({ code: "not_json" });
  }
  if (reservedKey) return fail({ code: "reserved_key" });
  if (Array.isArray(value)) return fail({ code: "batch" });
  return ok(value);
}

const mayHideReservedKey = /__proto__|\\u/;

/** Counts brackets outside strings, on the bytes: a deep body is refused before a recursive reader meets it. */
function nestsDeeperThan(bytes: Uint8Array, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index];
    if (inString) {
      if (byte === 0x5c) index += 1;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1;
  }
  return false;
}

type Bytes = Result<Buffer, HttpRefusal>;

/** From the socket itself: Node's stream can stop at the limit and still be answered, a web stream would have to be cancelled. */
function readIncoming(incoming: IncomingMessage): Promise<Bytes> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (result: Bytes): void => {
      incoming.off("data", onData).off("end", onEnd).off("error", onGone).off("close", onGone);
      resolve(result);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > maxBodyBytes) {
        incoming.pause();
        settle(fail({ code: "body_too_large" }));
      } else chunks.push(chunk);
    };
    const onEnd = (): void => {
      settle(ok(joined(chunks)));
    };
    const onGone = (): void => {
      settle(fail({ code: "body_incomplete" }));
    };
    incoming.on("data", onData).on("end", onEnd).on("error", onGone).on("close", onGone);
    if (incoming.destroyed && !incoming.readableEnded) onGone();
  });
}

async function readStream(body: Request["body"]): Promise<Bytes> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxBodyBytes) return fail({ code: "body_too_large" });
    chunks.push(bytes);
  }
  return ok(joined(chunks));
}

function joined(chunks: readonly Buffer[]): Buffer {
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}
