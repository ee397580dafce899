/**
 * Runs the authorization server's handler (Node's request in, Node's response out) and gives back its answer as a web
 * `Response`, so that it leaves through the same door as every other. Holds small bodies only.
 */
import { ServerResponse, type IncomingMessage } from "node:http";

/** The two halves of the exchange as Node has them; absent when the app is called without a socket. */
export interface NodeExchange {
  readonly incoming?: IncomingMessage;
  readonly outgoing?: ServerResponse;
}

export type NodeHandler = (incoming: IncomingMessage, outgoing: ServerResponse) => unknown;

/** `target` takes the place of path and query. The request counts as one to the public URL, whatever a proxy says. */
export async function answerWith(
  handler: NodeHandler,
  { incoming, outgoing }: Required<NodeExchange>,
  publicUrl: string,
  target: string,
): Promise<Response> {
  const { host, protocol } = new URL(publicUrl);
  incoming.url = target;
  incoming.headers.host = host;
  incoming.headers["x-forwarded-proto"] = protocol.slice(0, -1);
  delete incoming.headers["x-forwarded-host"];
  if (incoming.headers.expect !== undefined) outgoing.writeContinue();

  const captured = new ServerResponse(incoming);
  const chunks: Buffer[] = [];
  const done = Promise.withResolvers<void>();
  captured.write = (chunk: unknown): boolean => {
    take(chunk);
    return true;
  };
  captured.end = (chunk?: unknown): ServerResponse => {
    take(chunk);
    done.resolve();
    return captured;
  };
  outgoing.once("close", done.resolve);
  const handled = handler(incoming, captured);
  await Promise.race([done.promise, handled]);
  await done.promise;
  outgoing.off("close", done.resolve);

  const headers = new Headers();
  for (const [name, value] of Object.entries(captured.getHeaders())) {
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, String(one));
  }
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  headers.set("x-content-type-options", "nosniff");
  headers.delete("content-length");
  headers.delete("transfer-encoding");
  const { statusCode: status } = captured;
  const body = status === 204 || status === 304 ? null : Buffer.concat(chunks);
  return new Response(body, { status, headers });

  function take(chunk: unknown): void {
    if (typeof chunk === "string" || chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk));
  }
}
