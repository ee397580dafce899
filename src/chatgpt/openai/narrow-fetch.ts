/**
 * `fetch` for the `openai` SDK: goes where it was sent and nowhere else, and takes an answer of any sensible size. A
 * question never follows a redirect to a host that the owner did not name.
 */

/** Far more than any answer; the SDK would take whatever comes into memory. */
const MOST_BYTES = 32 * 1024 * 1024;

export async function narrowFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const answer = await fetch(input, { ...init, redirect: "manual" });
  const { body, status, statusText, headers } = answer;
  if (body === null) return answer;
  let size = 0;
  const counted = body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        size += chunk.length;
        if (size > MOST_BYTES) throw new Error("the answer is too large");
        controller.enqueue(chunk);
      },
    }),
  );
  return new Response(counted, { status, statusText, headers });
}
