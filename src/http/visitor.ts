/**
 * Which requests may speak to the bridge at all: those addressed to it by a name it has (against DNS rebinding), and
 * not sent by a web page of another origin. Looks at the Host, Origin and Sec-Fetch-Site headers and the request
 * target; never at credentials, and never at anything that a browser lets a page choose.
 */
import type { IncomingMessage } from "node:http";
import type { HttpRefusal } from "./refusal.ts";

export type VisitorCheck = (request: Request, incoming: IncomingMessage | undefined) => HttpRefusal | null;

/**
 * `allowedHosts` are host names besides loopback's own; any port is fine, since a tunnel has its own. `incoming` is
 * the request as Node parsed it, where there is one: it shows what a `Request` hides.
 */
export function createVisitorCheck(
  allowedHosts: readonly string[],
  /** Hosts that come and go while the bridge runs: a tunnel's. In lower case. */
  currentHosts: () => readonly string[] = () => [],
): VisitorCheck {
  const lasting = new Set([...loopbackNames, ...allowedHosts.map((host) => host.toLowerCase())]);
  const isOwn = (hostname: string): boolean => lasting.has(hostname) || currentHosts().includes(hostname);

  return (request, incoming) => {
    // Node drops what comes after the 2,000th, and with it what is judged here.
    if ((incoming?.rawHeaders.length ?? 0) > 2 * maxHeaders) return { code: "too_many_headers" };
    const host = hostOf(request, incoming);
    const hostname = host === null ? undefined : hostSyntax.exec(host)?.[1];
    if (host === null || hostname === undefined) return { code: "malformed_host" };
    if (!isOwn(hostname)) return { code: "foreign_host", host };

    const origin = request.headers.get("origin");
    if (origin !== null && !isOwnOrigin(origin, host))
      return { code: "foreign_origin", origin: origin.slice(0, 256) };
    const site = request.headers.get("sec-fetch-site");
    if (site !== null && site !== "same-origin" && site !== "none") return { code: "cross_site" };
    return null;

    // A page of an allowed host behind TLS has an https origin while the bridge sees http: hosts are compared, schemes are not.
    function isOwnOrigin(value: string, ownHost: string): boolean {
      const parsed = originSyntax.exec(value.toLowerCase());
      if (parsed === null) return false;
      if (parsed[1] === ownHost) return true;
      const originHostname = parsed[2] ?? "";
      return !loopbackNames.has(originHostname) && isOwn(originHostname);
    }
  };
}

/** Browsers and proxies send some 40 at most. */
const maxHeaders = 100;

const loopbackNames: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

// Two Host headers arrive joined by a comma, which neither form has.
const hostSyntax = /^([a-z0-9_](?:[a-z0-9._-]{0,252}[a-z0-9_])?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/;
const originSyntax = /^https?:\/\/(([a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::\d{1,5})?)$/;

/** RFC 9112 3.2: a request without a Host, or with two, is answered 400; an absolute-form target would override it. */
function hostOf(request: Request, incoming: IncomingMessage | undefined): string | null {
  const header = request.headers.get("host");
  if (incoming === undefined) return (header ?? new URL(request.url).host).toLowerCase();
  return header !== null && incoming.url?.startsWith("/") === true ? header.toLowerCase() : null;
}
