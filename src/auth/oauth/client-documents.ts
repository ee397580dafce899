/**
 * The documents and keys that clients publish. Those of a client that was let in are kept, so that it stays signed in
 * while its site cannot be reached; and nobody makes the bridge fetch all day long.
 */
import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { createRateLimit } from "../rate-limit.ts";
import { toKnownMetadata } from "./clients.ts";
import { readFact, writeFact } from "./database.ts";
import type { FetchDocument } from "./guarded-fetch.ts";

export interface ClientDocuments {
  /** The library's `fetch`. Throws where there is nothing to be had. */
  fetch(address: string): Promise<Response>;
  /** Keeps what was fetched last from this address: of a client that the owner let in. */
  keep(address: string): void;
}

export interface ClientDocumentsParts {
  readonly fetchDocument: FetchDocument;
  readonly hosts: readonly string[];
  readonly sql: DatabaseSync;
  readonly clock: Clock;
  readonly log: Log;
}

/** The library remembers documents for ten minutes at least; there is one client or two. */
const FETCHES_PER_MINUTE = 60;
const MAX_REMEMBERED = 100;
/** A key that was withdrawn meanwhile is believed so much longer, and only while the site does not answer. */
const KEPT_FOR_MS = 7 * 86_400_000;

const stored = z.object({ version: z.literal(1), at: z.number(), text: z.string() });

export function createClientDocuments(parts: ClientDocumentsParts): ClientDocuments {
  const { fetchDocument, hosts, sql, clock, log } = parts;
  const limit = createRateLimit(FETCHES_PER_MINUTE, () => clock.monotonic());
  const fetched = new Map<string, { at: number; text: string }>();

  return {
    async fetch(address) {
      const host = URL.parse(address)?.hostname;
      try {
        if (limit.take("") > 0) throw new Error("too many documents were asked for");
        const { text, headers } = await fetchDocument(address);
        const found: unknown = JSON.parse(text);
        const body = isMetadata(found) ? JSON.stringify(toKnownMetadata(found, hosts)) : text;
        remember(address, body);
        const kept = headers["cache-control"];
        return new Response(body, { headers: typeof kept === "string" ? { "cache-control": kept } : {} });
      } catch (error) {
        const kept = readKept(address);
        log.warn({ host, why: String(error), kept: kept !== null }, "a client's document was not fetched");
        if (kept === null) throw error;
        return new Response(kept);
      }
    },

    keep(address) {
      const document = fetched.get(address);
      if (document === undefined) return;
      writeFact(sql, factOf(address), JSON.stringify({ version: 1, ...document }));
      fetched.delete(address);
    },
  };

  function remember(address: string, text: string): void {
    const [oldest] = fetched.keys();
    if (oldest !== undefined && fetched.size >= MAX_REMEMBERED) fetched.delete(oldest);
    fetched.set(address, { at: clock.now(), text });
  }

  function readKept(address: string): string | null {
    const fact = readFact(sql, factOf(address));
    if (fact === null) return null;
    const { at, text } = stored.parse(JSON.parse(fact));
    return clock.now() - at < KEPT_FOR_MS ? text : null;
  }
}

/** Keys are the other thing that is fetched. Asked of the value: a name in a text can be spelled in many ways. */
function isMetadata(found: unknown): boolean {
  return typeof found === "object" && found !== null && "client_id" in found;
}

function factOf(address: string): string {
  return `document ${address}`;
}
