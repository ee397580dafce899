// Reads a request body: bounded before and after decompression. It never parses it.
import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip, zstdDecompress } from "node:zlib";
import { fail, ok, type Result } from "../../lib/result.ts";

/** `status` is the HTTP status to refuse with. */
interface BodyProblem {
  readonly status: 400 | 413 | 415;
  readonly message: string;
}

const decoders = { gzip: promisify(gunzip), zstd: promisify(zstdDecompress) } as const;

export async function readBody(
  request: IncomingMessage,
  maxBytes: number,
): Promise<Result<string, BodyProblem>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) return fail({ status: 413, message: `the body is larger than ${maxBytes} bytes` });
    chunks.push(chunk);
  }
  return decode(Buffer.concat(chunks), request.headers["content-encoding"] ?? "identity", maxBytes);
}

async function decode(
  bytes: Buffer,
  encoding: string,
  maxBytes: number,
): Promise<Result<string, BodyProblem>> {
  if (encoding === "identity") return ok(bytes.toString("utf8"));
  if (encoding !== "gzip" && encoding !== "zstd")
    return fail({ status: 415, message: `content-encoding ${encoding} is not understood` });
  try {
    const decoded = await decoders[encoding](bytes, { maxOutputLength: maxBytes });
    return ok(decoded.toString("utf8"));
  } catch (error) {
    if (error instanceof RangeError)
      return fail({ status: 413, message: `the body is larger than ${maxBytes} bytes` });
    return fail({ status: 400, message: `the body is not ${encoding}` });
  }
}
