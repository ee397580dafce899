/** What a client's Accept header says about the two forms of an MCP answer. Never decides which one is sent. */

export interface Accepted {
  readonly json: boolean;
  /** Only where the client names it: a bare wildcard is no promise to understand a stream. */
  readonly sse: boolean;
}

/** Both false: the client accepts neither form. No header at all means JSON. */
export function parseAccept(header: string | null): Accepted {
  if (header === null || header.trim() === "") return jsonOnly;
  let json = false;
  let sse = false;
  for (const range of header.toLowerCase().split(",")) {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
    if (parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter))) continue;
    if (type === "application/json" || type === "application/*" || type === "*/*") json = true;
    if (type === "text/event-stream" || type === "text/*") sse = true;
  }
  return { json, sse };
}

const jsonOnly: Accepted = { json: true, sse: false };
