/** The bridge's own authorization server, put together: the library, its records, the consent page, the check of its tokens. */
import type { DatabaseSync } from "node:sqlite";
import type { VerifyToken } from "../bearer.ts";
import { createRateLimit } from "../rate-limit.ts";
import { createAccessTokenVerifier } from "./access-token.ts";
import { createAttempts } from "./attempts.ts";
import { createClientDocuments } from "./client-documents.ts";
import { parseClients } from "./clients.ts";
import { answerConsent } from "./consent.ts";
import { pageHeaders, problemPage } from "./consent-page.ts";
import { createGrantCheck } from "./grants.ts";
import { createGuardedFetch } from "./guarded-fetch.ts";
import { answerWith, type NodeExchange } from "./koa-answer.ts";
import type { ConsentEvent, OAuthParts } from "./oauth-parts.ts";
import { createPasscodeCheck } from "./passcode.ts";
import { createClientJudge, createProvider } from "./provider.ts";
import { createRecords } from "./records.ts";
import type { ResourceMetadata } from "./resource-metadata.ts";
import { toAuthorizeTarget, type Route } from "./routes.ts";
import { loadKeys, SIGNING_ALGORITHM } from "./signing-keys.ts";

/** Anybody may begin to sign in, and each time something is kept for it. The owner needs one. */
const STARTS_PER_MINUTE = 300;

export interface EmbeddedServer {
  readonly verify: VerifyToken;
  answer(route: Route, exchange: Required<NodeExchange>, requestId: string): Promise<Response>;
}

export interface EmbeddedServerParts extends OAuthParts {
  readonly metadata: ResourceMetadata;
  readonly sql: DatabaseSync;
  /** The owner's own; null: one that the bridge made. */
  readonly passcode: string | null;
}

export async function createEmbeddedServer(parts: EmbeddedServerParts): Promise<EmbeddedServer> {
  const { settings, metadata, sql, passcode, clock, log, onConsent } = parts;
  const { publicUrl, oauthClientHosts: clientHosts } = settings;
  const { resource } = metadata;
  const now = (): number => clock.now();
  const clients = parseClients(settings.oauthClients, settings.oauthClientSecret ?? null);
  const knownClients = new Set(clients.map((client) => client.client_id));
  const madePasscode = passcode === null;
  const keys = await loadKeys(sql);
  const { d: _private, ...publicKey } = keys.signing;
  const provider = createProvider({
    publicUrl,
    resource,
    keys,
    sql,
    records: createRecords({
      sql,
      now,
      refreshGraceMs: settings.oauthRefreshGraceSeconds * 1000,
      judgeClient: createClientJudge(clientHosts),
    }),
    clients,
    clientHosts,
    registration: settings.oauthRegistration,
    documents: createClientDocuments({
      fetchDocument: parts.fetchDocument ?? createGuardedFetch({ hosts: clientHosts }),
      hosts: clientHosts,
      sql,
      clock,
      log,
    }),
    errorPage: problemPage,
    log,
  });
  const serve = provider.callback();
  const attempts = createAttempts(clock);
  const starts = createRateLimit(STARTS_PER_MINUTE, () => clock.monotonic());
  const isPasscode = createPasscodeCheck(sql, passcode);

  return {
    verify: createAccessTokenVerifier({
      issuer: publicUrl,
      resource,
      key: publicKey,
      algorithm: SIGNING_ALGORITHM,
      stands: createGrantCheck(sql, now),
      now,
    }),

    async answer(route, exchange, requestId) {
      const target = exchange.incoming.url ?? "/";
      if (route === "consent") {
        const { incoming } = exchange;
        if (incoming.headers.expect !== undefined) exchange.outgoing.writeContinue();
        const onOutcome = (event: Omit<ConsentEvent, "requestId">): void => {
          onConsent({ ...event, requestId });
        };
        const consent = {
          provider,
          resource,
          attempts,
          isPasscode,
          knownClients,
          madePasscode,
          onOutcome,
        };
        return answerConsent(consent, incoming, target);
      }
      const waitMs = route === "authorize" ? starts.take("") : 0;
      if (waitMs > 0) return tooMany(Math.ceil(waitMs / 1000));
      const asked = route === "authorize" ? toAuthorizeTarget(new URL(target, publicUrl)) : target;
      const answer = await answerWith(serve, exchange, publicUrl, asked);
      if (answer.status >= 500) log.error({ requestId, status: answer.status }, "signing in failed");
      if (answer.status >= 400 && answer.headers.get("content-type")?.startsWith("text/html") === true) {
        for (const [name, value] of Object.entries(pageHeaders([]))) answer.headers.set(name, value);
      }
      return answer;
    },
  };
}

function tooMany(seconds: number): Response {
  const headers = { ...pageHeaders([]), "retry-after": String(seconds) };
  return new Response(problemPage("Too many have begun to sign in. Try again in a moment."), {
    status: 429,
    headers,
  });
}
