/**
 * The authorization server: the library `oidc-provider`, told to be a plain OAuth 2.1 server for one owner and one
 * resource. Who passes is decided on the consent page, never here.
 */
import type { DatabaseSync } from "node:sqlite";
import {
  errors,
  Provider,
  type Adapter,
  type AdapterPayload,
  type Client,
  type ClientMetadata,
} from "oidc-provider";
import type { Log } from "../../lib/log.ts";
import { ownerSubject, scopeNames } from "../caller.ts";
import type { ClientDocuments } from "./client-documents.ts";
import { isRedirectAllowed } from "./clients.ts";
import { readFact, writeFact } from "./database.ts";
import { isFetchable } from "./guarded-fetch.ts";
import { RESPONSE_MODE } from "./routes.ts";
import { SIGNING_ALGORITHM, type OAuthKeys } from "./signing-keys.ts";

const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;

export interface ProviderParts {
  /** An origin; the issuer. */
  readonly publicUrl: string;
  readonly resource: string;
  readonly keys: OAuthKeys;
  readonly sql: DatabaseSync;
  readonly records: (kind: string) => Adapter;
  readonly clients: readonly ClientMetadata[];
  readonly clientHosts: readonly string[];
  readonly registration: boolean;
  readonly documents: ClientDocuments;
  readonly errorPage: (message: string) => string;
  readonly log: Log;
}

export function createProvider(parts: ProviderParts): Provider {
  const { publicUrl, resource, keys, sql, clientHosts, log } = parts;
  const hasSecrets = parts.registration || parts.clients.some((client) => client.client_secret !== undefined);
  const provider = withoutConsole(
    () =>
      new Provider(publicUrl, {
        adapter: parts.records,
        clients: [...parts.clients],
        jwks: { keys: [{ ...keys.signing }] },
        cookies: {
          keys: [...keys.cookies],
          names: { session: "bridge_session", interaction: "bridge_consent", resume: "bridge_resume" },
          long: { httpOnly: true, sameSite: "lax", signed: true },
          short: { httpOnly: true, sameSite: "lax", signed: true },
        },
        routes: {
          authorization: "/oauth/authorize",
          token: "/oauth/token",
          jwks: "/oauth/jwks",
          revocation: "/oauth/revoke",
          registration: "/oauth/register",
        },
        scopes: [...scopeNames, "offline_access"],
        claims: {},
        responseTypes: ["code"],
        pkce: { required: () => true },
        clientAuthMethods: [
          "none",
          "private_key_jwt",
          ...(hasSecrets ? (["client_secret_post", "client_secret_basic"] as const) : []),
        ],
        clientDefaults: {
          grant_types: ["authorization_code", "refresh_token"],
          response_types: ["code"],
          token_endpoint_auth_method: "none",
          id_token_signed_response_alg: SIGNING_ALGORITHM,
        },
        enabledJWA: {
          idTokenSigningAlgValues: [SIGNING_ALGORITHM],
          clientAuthSigningAlgValues: ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"],
        },
        features: {
          devInteractions: { enabled: false },
          dPoP: { enabled: false },
          userinfo: { enabled: false },
          rpInitiatedLogout: { enabled: false },
          revocation: {
            enabled: true,
            allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
          },
          registration: { enabled: parts.registration, initialAccessToken: false },
          clientIdMetadataDocument: {
            enabled: true,
            ack: "draft-02",
            allowFetch: (_ctx: unknown, clientId: string) => isFetchable(clientId, clientHosts),
            allowClient: letUnsignedClientThrough,
            cacheDuration: { min: 10 * MINUTE, max: 60 * MINUTE },
          },
          resourceIndicators: {
            enabled: true,
            // There is only one thing here that a token can be for.
            defaultResource: () => resource,
            useGrantedResource: () => true,
            getResourceServerInfo(_ctx, indicator) {
              if (indicator !== resource) throw new errors.InvalidTarget();
              return {
                scope: scopeNames.join(" "),
                audience: resource,
                accessTokenFormat: "jwt",
                jwt: { sign: { alg: SIGNING_ALGORITHM } },
              };
            },
          },
        },
        ttl: {
          AccessToken: 60 * MINUTE,
          AuthorizationCode: MINUTE,
          Interaction: 10 * MINUTE,
          Session: 10 * MINUTE,
          // Each use begins a new month; whatever happens, the owner is asked again after a year.
          RefreshToken: 30 * DAY,
          Grant: 365 * DAY,
          IdToken: MINUTE,
        },
        // No page of another origin has anything to ask here.
        clientBasedCORS: () => false,
        issueRefreshToken: (_ctx, client) => client.grantTypeAllowed("refresh_token"),
        rotateRefreshToken: () => true,
        expiresWithSession: () => false,
        // What the owner granted before counts for nothing: they are asked each time.
        loadExistingGrant: async ({ oidc }) => {
          const grantId = oidc.result?.consent?.grantId;
          return grantId === undefined ? undefined : oidc.provider.Grant.find(grantId);
        },
        findAccount: (_ctx, subject) =>
          subject === ownerSubject ? { accountId: subject, claims: () => ({ sub: subject }) } : undefined,
        extraTokenClaims: (_ctx, token) => ("grantId" in token ? { grant: token.grantId } : undefined),
        interactions: { url: (_ctx, { uid }) => `/oauth/consent/${uid}` },
        fetch: async (address) =>
          parts.documents.fetch(address instanceof Request ? address.url : String(address)),
        renderError(ctx, out) {
          ctx.set("cache-control", "no-store");
          if (ctx.accepts("json", "html") === "html") {
            ctx.type = "html";
            ctx.body = parts.errorPage(out.error_description ?? out.error);
          } else ctx.body = out;
        },
      }),
  );
  // The scheme is the public URL's, whatever the tunnel says: see koa-answer.ts.
  provider.proxy = true;
  // The library's framework would write to the console.
  provider.silent = true;
  // The library always names what OpenID Connect has besides, which this server does not do.
  provider.use(async (ctx, next) => {
    await next();
    const { body } = ctx;
    if (!ctx.path.startsWith("/.well-known/") || typeof body !== "object" || body === null) return;
    ctx.body = {
      ...body,
      scopes_supported: [...scopeNames, "offline_access"],
      response_modes_supported: [RESPONSE_MODE],
    };
  });
  hearEvents();
  return provider;

  /**
   * ChatGPT's document announces signed calls (`private_key_jwt`), and some of its servers have been seen not to sign.
   * They are taken as a public client, which PKCE and rotating tokens protect, until the client signs for the first time.
   */
  function letUnsignedClientThrough(ctx: unknown, client: Client): boolean {
    const params = paramsOf(ctx);
    if (params === null || params["client_assertion"] !== undefined) return true;
    if (client.tokenEndpointAuthMethod !== "private_key_jwt") return true;
    if (readFact(sql, signsFact(client.clientId)) !== null) return true;
    Reflect.set(client, "tokenEndpointAuthMethod", "none");
    return true;
  }

  function hearEvents(): void {
    provider.on("grant.success", ({ oidc }) => {
      const { client } = oidc;
      if (client === undefined) return;
      parts.documents.keep(client.clientId);
      if (client.tokenEndpointAuthMethod !== "private_key_jwt") return;
      if (client.jwksUri !== undefined) parts.documents.keep(client.jwksUri);
      if (readFact(sql, signsFact(client.clientId)) === null) writeFact(sql, signsFact(client.clientId), "1");
    });
    provider.on("grant.error", (_ctx, { error, error_detail: detail }) => {
      log.warn({ error, detail }, "a client got no token");
    });
    provider.on("authorization.error", (_ctx, { error, error_detail: detail }) => {
      log.warn({ error, detail }, "a request to sign in was refused");
    });
    provider.on("grant.revoked", () => {
      log.warn({}, "a sign-in was ended: its refresh token was used twice, or the client gave it back");
    });
    provider.on("server_error", (_ctx, error) => {
      log.error({ err: error }, "signing in failed");
    });
  }
}

/** Refuses a client that registers itself for a place to which nobody may be sent. */
export function createClientJudge(hosts: readonly string[]): (client: AdapterPayload) => void {
  return ({ redirect_uris: uris = [] }) => {
    if (uris.length > 0 && uris.every((uri) => isRedirectAllowed(uri, hosts))) return;
    throw new errors.InvalidRedirectUri();
  };
}

function signsFact(clientId: string): string {
  return `signs ${clientId}`;
}

/** Of a request to the token or revocation endpoint; null elsewhere. */
function paramsOf(ctx: unknown): Readonly<Record<string, unknown>> | null {
  if (typeof ctx !== "object" || ctx === null || !("oidc" in ctx)) return null;
  const { route, params } = ctx.oidc as { route?: string; params?: Readonly<Record<string, unknown>> };
  return (route === "token" || route === "revocation") && params !== undefined ? params : null;
}

/** The library greets its user on the console, and stdout is for what a command prints. */
function withoutConsole<T>(make: () => T): T {
  // oxlint-disable no-console
  const { info, warn } = console;
  console.info = () => {};
  console.warn = () => {};
  try {
    return make();
  } finally {
    console.info = info;
    console.warn = warn;
  }
  // oxlint-enable no-console
}
