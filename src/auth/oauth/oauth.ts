/**
 * Sign-in as the rest of the bridge knows it: what vouches for tokens, and what answers at `/oauth/*` and
 * `/.well-known/*`. The authorization server itself is loaded when somebody first comes to it.
 */
import { ok, type Result } from "../../lib/result.ts";
import type { VerifyToken } from "../bearer.ts";
import type { EmbeddedServer } from "./embedded-server.ts";
import type { NodeExchange } from "./koa-answer.ts";
import type { OAuthParts } from "./oauth-parts.ts";
import { createResourceMetadata, type ResourceMetadata } from "./resource-metadata.ts";
import { findRoute, isEntrance } from "./routes.ts";

export interface OAuth {
  /** Where a client learns how to sign in; sent with a 401. */
  readonly metadataUrl: string;
  readonly verify: VerifyToken;
  /** True for a page to which a browser is sent from the client's own site. */
  isEntrance(method: string, path: string): boolean;
  /** null where there is nothing; `allow` where there is, for other methods. Small bodies only; never throws for what a stranger sends. */
  answer(
    request: Request,
    exchange: NodeExchange,
    requestId: string,
  ): Promise<Response | { allow: string } | null>;
  /** Loads the authorization server. The first request to it does so too; the start of the bridge does not wait for it. */
  load(): Promise<void>;
  /** What the owner has to type, made anew; null where they have set one, or another server asks. */
  makePasscode(): Promise<string | null>;
  /** False where nobody can sign in until the owner makes a passcode. */
  hasPasscode(): boolean;
  close(): void;
}

/** The failure is one plain line for the owner. */
export async function openOAuth(parts: OAuthParts): Promise<Result<OAuth, string>> {
  const { settings } = parts;
  return settings.authIssuer === undefined
    ? openEmbedded(parts)
    : ok(openExternal(parts, settings.authIssuer));
}

function openExternal({ settings, clock, log, fetch = globalThis.fetch }: OAuthParts, issuer: string): OAuth {
  const metadata = createResourceMetadata(settings.publicUrl, issuer);
  let verifier: Promise<VerifyToken> | null = null;
  const load = async (): Promise<VerifyToken> => {
    const { createExternalVerifier } = await import("./external-issuer.ts");
    const {
      authAudience: audience = metadata.resource,
      authClients: clients,
      authSubjects: subjects,
    } = settings;
    return createExternalVerifier({
      issuer,
      audience,
      clients,
      subjects,
      fetch,
      now: () => clock.now(),
      log,
    });
  };
  return {
    metadataUrl: metadata.url,
    verify: async (token) => (await (verifier ??= load()))(token),
    isEntrance: () => false,
    async load() {},
    async answer(request) {
      return answerMetadata(metadata, request);
    },
    makePasscode: async () => null,
    hasPasscode: () => true,
    close() {},
  };
}

async function openEmbedded(parts: OAuthParts): Promise<Result<OAuth, string>> {
  const { settings, directory, clock, log } = parts;
  const { openOAuthDatabase } = await import("./database.ts");
  const { hasPasscode, makePasscode } = await import("./passcode.ts");
  const opened = openOAuthDatabase(directory, clock.now());
  if (!opened.ok) return opened;
  const { sql, movedAside } = opened.value;
  if (movedAside !== null)
    log.error(
      { movedAside },
      "the sign-ins could not be read; they were moved aside, and clients have to sign in again",
    );
  const metadata = createResourceMetadata(settings.publicUrl, settings.publicUrl);
  const { oauthPasscode: own = null } = settings;
  let server: Promise<EmbeddedServer> | null = null;
  const load = async (): Promise<EmbeddedServer> =>
    (server ??= (async () => {
      const { createEmbeddedServer } = await import("./embedded-server.ts");
      return createEmbeddedServer({ ...parts, metadata, sql, passcode: own });
    })());

  return ok({
    metadataUrl: metadata.url,
    verify: async (token) => (await load()).verify(token),
    isEntrance,
    async load() {
      await load();
    },
    async answer(request, exchange, requestId) {
      const document = answerMetadata(metadata, request);
      if (document !== null) return document;
      const { incoming, outgoing } = exchange;
      if (incoming === undefined || outgoing === undefined) return null;
      // As it was sent: what a URL would tidy up is not an address of this server.
      const [path = ""] = (incoming.url ?? "").split("?");
      const route = findRoute(request.method, path, settings.oauthRegistration);
      if (route === null || typeof route === "object") return route;
      return (await load()).answer(route, { incoming, outgoing }, requestId);
    },
    makePasscode: async () => (own === null ? makePasscode(sql) : null),
    hasPasscode: () => own !== null || hasPasscode(sql),
    close() {
      sql.close();
    },
  });
}

/** RFC 9728, at both forms of its address. */
function answerMetadata(metadata: ResourceMetadata, request: Request): Response | { allow: string } | null {
  if (!metadata.paths.includes(new URL(request.url).pathname)) return null;
  if (request.method !== "GET") return { allow: "GET" };
  return new Response(metadata.json, {
    headers: {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}
