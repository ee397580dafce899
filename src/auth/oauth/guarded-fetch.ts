/**
 * Fetches a small JSON document from one of a few named hosts on the Internet, and from nowhere else: https on its own
 * port, the address checked when it is connected to, no redirect, no cookie, no credential. Never tells the caller of
 * the bridge what it found where.
 */
import { lookup as lookUp } from "node:dns/promises";
import { request, type RequestOptions } from "node:https";
import type { LookupFunction } from "node:net";
import { isPublicAddress } from "./public-address.ts";

const MAX_BYTES = 64 * 1024;
const TIMEOUT_MS = 5_000;

export interface FetchedDocument {
  readonly text: string;
  /** As the server sent them, by lower-case name. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export type FetchDocument = (address: string) => Promise<FetchedDocument>;

/** All addresses of a name. */
export type Resolve = (hostname: string) => Promise<readonly { address: string; family: number }[]>;

export interface GuardedFetchParts {
  readonly hosts: readonly string[];
  readonly resolve?: Resolve;
  /** For tests: where to connect in place of the checked address, and whom to trust there. */
  readonly connect?: Pick<RequestOptions, "port" | "ca"> & { readonly address?: string };
}

/** Throws for everything but a whole answer 200 within the limits. */
export function createGuardedFetch(parts: GuardedFetchParts): FetchDocument {
  const { hosts, connect = {}, resolve = async (hostname) => lookUp(hostname, { all: true }) } = parts;

  const lookup: LookupFunction = (hostname, { all }, answer) => {
    resolve(hostname).then(
      (found) => {
        const [first] = found;
        if (first === undefined || !found.every(({ address }) => isPublicAddress(address))) {
          answer(new Error("the name does not lead to a public address"), "");
          return;
        }
        const addresses = found.map(({ address, family }) => ({
          address: connect.address ?? address,
          family: connect.address === undefined ? family : 4,
        }));
        if (all === true) answer(null, addresses);
        else answer(null, addresses[0]?.address ?? "", addresses[0]?.family);
      },
      (error: unknown) => {
        answer(error instanceof Error ? error : new Error(String(error)), "");
      },
    );
  };

  return async (address) => {
    if (!isFetchable(address, hosts)) throw new Error("the address is not one that may be fetched");
    const { hostname, pathname, search } = new URL(address);
    const { promise, resolve: settle, reject } = Promise.withResolvers<FetchedDocument>();
    const sent = request(
      {
        hostname,
        path: `${pathname}${search}`,
        headers: { accept: "application/json" },
        agent: false,
        signal: AbortSignal.timeout(TIMEOUT_MS),
        lookup,
        ...(connect.port === undefined ? {} : { port: connect.port }),
        ...(connect.ca === undefined ? {} : { ca: connect.ca }),
      },
      (answer) => {
        const { statusCode, headers } = answer;
        const chunks: Buffer[] = [];
        let size = 0;
        answer.on("error", reject);
        if (statusCode !== 200) {
          answer.destroy(new Error(`the server answered ${String(statusCode)}`));
          return;
        }
        answer.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_BYTES) answer.destroy(new Error("the document is too large"));
          else chunks.push(chunk);
        });
        answer.on("end", () => {
          settle({ text: Buffer.concat(chunks).toString("utf8"), headers });
        });
      },
    );
    sent.on("error", reject);
    sent.end();
    return promise;
  };
}

/** In one spelling, so that what was judged is what is fetched: no credentials, port, fragment, dot segments or IP address. */
export function isFetchable(address: string, hosts: readonly string[]): boolean {
  const url = URL.parse(address);
  if (url === null || url.href !== address || url.protocol !== "https:") return false;
  if (url.username !== "" || url.password !== "" || url.port !== "" || address.includes("#")) return false;
  return url.pathname !== "/" && hosts.includes(url.hostname);
}
